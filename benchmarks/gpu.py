"""Does it work on this GPU, how fast is it, and train something while we are at it: one command for rented or lent time.

    python benchmarks/gpu.py --budget 540 --out DIR Train.precision=bfloat16 Train.Dataloader.num_workers=14
    python benchmarks/gpu.py --budget 540 --out DIR --only train --resume Train.precision=bfloat16

Stages: check (networks against their golden numbers, precisions, graphs, resuming), measure (milliseconds and memory beside
what the card could do at best), train (--config with words that change it, until the time is over). Each is a process of its
own with an end that is fixed from the start; results go to DIR/results.jsonl as they come. docs/speed.md says more.
Exit code: 0 all is well, 1 something failed or was cut off, 2 the command or the machine is not as it must be.
"""

import os
import signal
import sys
import time
from collections.abc import Sequence

from gpu_stages import budget, preflight
from gpu_stages.options import RESULTS, ROOT, read_options
from gpu_stages.records import Records, table

NOT_HERE, AGAIN = 2, 3  # a stage's exit codes: no such device; the device is broken for this process, start a new one
TRIES = 3  # processes of one stage


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the stages; returns the exit code."""
    started = time.monotonic()
    options = read_options(argv, __doc__)
    lines = preflight.check(ROOT)
    if lines:
        print("\n".join(lines), file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the stage's process is ended, too
    words = list(sys.argv[1:] if argv is None else argv)
    records = Records(options.out / RESULTS)
    since = records.size()
    run = Stages(words, options.budget, started, since)
    code = run("machine", started + options.budget - budget.CLOSING)
    if code != 0:
        return NOT_HERE if code == NOT_HERE else _failed(records, "machine", code, 0.0)
    described = time.monotonic()
    ends = budget.plan(options.only, started + options.budget - described, options.tiny)
    print("  ".join(f"{stage} until {end:.0f} s" for stage, end in ends.items()), flush=True)
    ended_well = True
    for stage, end in ends.items():
        begun = time.monotonic()
        code = run(stage, described + end)
        if code != 0:
            ended_well = False
            _failed(records, stage, code, time.monotonic() - begun)
    found = records.read(since)
    print(f"\n{table(found)}\n{time.monotonic() - started:.0f} s of {options.budget:.0f} s; results in {records.path}")
    return 0 if ended_well and all(record["ok"] is not False for record in found) else 1


class Stages:
    """Starts the processes of stages, each a few times where it asks for a new one."""

    def __init__(self, words: list[str], seconds: float, started: float, since: int) -> None:
        self.words, self.seconds, self.started, self.since = words, seconds, started, since

    def __call__(self, stage: str, end: float) -> int | None:
        """Exit code of the stage's last process, or None where it was killed at `end`."""
        until = end - budget.margin(self.seconds)
        command = [sys.executable, "-P", "-m", "benchmarks.gpu_stages.stage", *self.words]
        command += ["--stage", stage, "--until", str(until), "--since", str(self.since)]
        code: int | None = AGAIN
        for _ in range(TRIES):
            if code == AGAIN and time.monotonic() < until:
                code = budget.run_until(command, end, environment())
        return code


def environment() -> dict[str, str]:
    """For the stages: this clone's benchmarks and tests can be imported, nothing is fetched, products are repeatable."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    offline = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    return {**os.environ, **offline, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1", "CUBLAS_WORKSPACE_CONFIG": ":4096:8"}


def _failed(records: Records, stage: str, code: int | None, seconds: float) -> int:
    """Note how a stage's process ended, unless it has said so itself; returns exit code 1."""
    if code is None:
        records.add(stage, "the stage", False, seconds=seconds, error="cut off: its time was over")
    elif code != 1:
        records.add(stage, "the stage", False, seconds=seconds, error=f"its process ended with code {code}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
