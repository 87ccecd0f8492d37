"""Runs targets on damaged input, each in a process of its own that may hang, die or eat memory without ending the run."""

import logging
import multiprocessing
import tempfile
import time
import traceback
import warnings
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

from .mutate import example
from .targets import Target, expected

HANG = 20.0  # seconds for one input
MEMORY = 2_000  # MB above the process at its start
START = 120.0  # seconds until the first input: imports, seeds, a server


@dataclass
class Outcome:
    """What became of the inputs of one target. Failures: number of the input → what happened."""

    target: str
    inputs: int = 0
    read: int = 0  # the rest was refused in our own words
    longest: float = 0.0  # seconds
    memory: int = 0  # MB above the start, at most
    failures: dict[int, str] = field(default_factory=dict)


def fuzz(name: str, target: Target, seconds: float, seed: int = 0, keep: Path | None = None) -> Outcome:
    """Damaged inputs for that many seconds; those that failed are kept as files in `keep`."""
    outcome, first, end = Outcome(name), 0, None
    with tempfile.TemporaryDirectory() as folder:
        while end is None or time.monotonic() < end:
            child = _Child(target, seed, first, Path(folder))
            end = end or time.monotonic() + seconds
            first = child.follow(outcome, end)
            child.kill()
        if keep is not None and outcome.failures:
            seeds = target.seeds(Path(folder))
            keep.mkdir(parents=True, exist_ok=True)
            for number in outcome.failures:
                (keep / f"{name}-{seed}-{number}{target.suffix}").write_bytes(example(seeds, seed, number))
    return outcome


class _Child:
    """A process that goes through the inputs from `first` on."""

    def __init__(self, target: Target, seed: int, first: int, folder: Path):
        context = multiprocessing.get_context("spawn")
        self.pipe, other = context.Pipe(duplex=False)
        self.process = context.Process(target=_work, args=(target, seed, first, folder, other), daemon=False)
        self.process.start()
        other.close()
        if not self._is_ready():
            self.kill()
            raise RuntimeError("the process did not come up: it says above why")
        self.before = self._resident()

    def _is_ready(self) -> bool:
        try:
            return self.pipe.poll(START) and self.pipe.recv() == "ready"
        except EOFError:
            return False

    def follow(self, outcome: Outcome, end: float) -> int:
        """Take reports until the end or a failure; the number to go on with."""
        number, started = 0, time.monotonic()
        while True:
            try:
                if self.pipe.poll(0.05):
                    report = self.pipe.recv()
                    if isinstance(report, int):
                        number, started = report, time.monotonic()
                        continue
                    _note(outcome, number, report, time.monotonic() - started)
                    if time.monotonic() >= end:
                        return number + 1
                    continue
            except EOFError:
                self.process.join(5)
                return _fail(outcome, number, f"the process died with exit code {self.process.exitcode}")
            grown = self._resident() - self.before
            outcome.memory = max(outcome.memory, grown)
            if grown > MEMORY:
                return _fail(outcome, number, f"took {grown} MB")
            if time.monotonic() - started > HANG:
                return _fail(outcome, number, f"no answer within {HANG:g} s")

    def kill(self) -> None:
        self.process.kill()
        self.process.join()
        self.pipe.close()

    def _resident(self) -> int:
        try:
            lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        except OSError:
            return 0
        return next((int(line.split()[1]) // 1024 for line in lines if line.startswith("VmRSS")), 0)


def _note(outcome: Outcome, number: int, report: str, seconds: float) -> None:
    outcome.inputs += 1
    outcome.longest = max(outcome.longest, seconds)
    if report == "read":
        outcome.read += 1
    elif report != "refused":
        outcome.failures[number] = report


def _fail(outcome: Outcome, number: int, what: str) -> int:
    outcome.inputs += 1
    outcome.failures[number] = what
    return number + 1


def _work(target: Target, seed: int, number: int, folder: Path, pipe: Connection) -> None:
    """In the child: says the number of each input, then what became of it."""
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    seeds = target.seeds(folder)
    for one in seeds:  # valid ones first: a reader that refuses them would look well
        if (report := _try(target, one, folder)) != "read":
            raise AssertionError(f"a valid input was not read: {report}")
    pipe.send("ready")
    while True:
        data = example(seeds, seed, number)
        pipe.send(number)
        pipe.send(_try(target, data, folder))
        number += 1


def _try(target: Target, data: bytes, folder: Path) -> str:
    """read, refused, or what went wrong."""
    try:
        target.read(data, folder)
    except Exception as error:
        if expected(error) and str(error):
            return "refused"
        return "".join(traceback.format_exception(error)[-4:])
    return "read"
