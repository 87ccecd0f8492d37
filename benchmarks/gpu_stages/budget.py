"""Who may run until when, and the processes that keep to it."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence

STAGES = ("check", "measure", "train")
FULL = 540.0  # seconds, for which these shares are meant
SHARES = {"check": 60.0, "measure": 180.0}  # seconds; training has what these leave
TINY_SHARES = {"check": 270.0, "measure": 135.0}  # of a trial on a CPU, whose training takes a few seconds
CLOSING = 5.0  # seconds at the end for the summary
MARGIN = 6.0  # seconds before its end at which a stage stops by itself


def plan(stages: Sequence[str], budget: float, tiny: bool = False) -> dict[str, float]:
    """When each stage must have ended, in seconds after the start; training has what the others leave, the last stage all the rest.

    Shares shrink with budgets of less than `FULL`; those of --tiny grow, too, since a CPU may be slow or busy. Ends are fixed, so
    what a stage leaves over is the next one's, and a slow stage takes nothing from the next.
    """
    scale = min(1.0, budget / FULL)
    last = budget - CLOSING * scale
    table, factor = (TINY_SHARES, budget / FULL) if tiny else (SHARES, scale)
    shares = {stage: table[stage] * factor for stage in stages if stage in table}
    ends, passed = {}, 0.0
    for stage in stages:
        passed += shares.get(stage, last - sum(shares.values()))
        ends[stage] = passed
    return {**ends, stages[-1]: last}


def margin(budget: float) -> float:
    """How long before its end a stage is told to stop."""
    return min(MARGIN, 0.03 * budget)


def run_until(command: Sequence[str], end: float, environment: Mapping[str, str]) -> int | None:
    """Run a command in a process group of its own; its exit code, or None where it was killed at `end` (monotonic clock)."""
    process = subprocess.Popen(command, env=dict(environment), start_new_session=True)
    try:
        return process.wait(max(0.1, end - time.monotonic()))
    except subprocess.TimeoutExpired:
        return None
    finally:
        kill_group(process)


def kill_group(process: subprocess.Popen) -> None:
    """End the process and all that it has started, data workers and compilers too."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
