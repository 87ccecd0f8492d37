"""What all stages share: device, time, results, and running one item after the other so that none harms the next."""

import contextlib
import gc
import signal
import sys
import tempfile
import time
import traceback
from argparse import Namespace
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from inspyrenet.utils.system.precision import flush_denormals

from .options import RESULTS
from .records import Record, Records

ERROR_LENGTH = 300  # characters of an error in the results


class Skip(Exception):
    """This cannot be done here; the message says why. It is no failure."""


class TimeIsUp(BaseException):
    """Raised by the clock wherever the program is; no library that catches every Exception holds it up."""


@dataclass(frozen=True)
class Setting:
    """One stage's process."""

    stage: str
    options: Namespace
    device: torch.device
    records: Records

    @classmethod
    def of(cls, options: Namespace) -> "Setting":
        """From the command line."""
        device = torch.device("cuda", 0) if options.device == "cuda" else torch.device("cpu")
        return cls(options.stage, options, device, Records(options.out / RESULTS))

    @property
    def tiny(self) -> bool:
        return self.options.tiny

    def left(self) -> float:
        """Seconds until this stage has to stop."""
        return self.options.until - time.monotonic()

    def add(self, name: str, ok: bool | None = True, **more) -> Record:
        """Write a result of this stage."""
        return self.records.add(self.stage, name, ok, **more)

    def tried(self) -> set[str]:
        """Names that an earlier process of this stage has written a result for."""
        lines = self.records.read(self.options.since or 0)
        return {record["name"] for record in lines if record["stage"] == self.stage}

    def wait(self) -> None:
        """Until the device is idle."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """A folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="gpu_") as folder:
        yield Path(folder)


@contextlib.contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise TimeIsUp in the block after so many seconds (in Python code: a kernel that hangs is not interrupted)."""

    def ring(*_) -> None:
        raise TimeIsUp

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.01))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def in_words(error: BaseException) -> str:
    """An error on one line: what it says, and what it is."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:ERROR_LENGTH]}" if text else type(error).__name__


def where(error: BaseException, frames: int = 4) -> list[str]:
    """The last calls before the error, "file:line function", so that it can be understood without this machine."""
    found = traceback.extract_tb(error.__traceback__)[-frames:]
    return [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in found]


def run_all(setting: Setting, items: Iterable[tuple[str, Callable[[], Record]]]) -> bool:
    """Run (name, work) one after the other while time is left; each gets its line, whatever happens to it.

    work: returns the further fields of its line. Leaves with exit code 3 where an error has broken the device for this process,
    as an illegal access does: the command then starts another one, which goes on behind what has its line.
    Returns whether nothing failed.
    """
    tried, well = setting.tried(), True
    for name, work in items:
        if name not in tried:
            well &= _run(setting, name, work)
    return well


def _run(setting: Setting, name: str, work: Callable[[], Record]) -> bool:
    started = time.monotonic()

    def note(ok: bool | None, **more) -> None:
        setting.add(name, **{"ok": ok, "seconds": round(time.monotonic() - started, 2), **more})

    if setting.left() <= 0:
        note(None, error="no time was left")
        return True
    try:
        with time_limit(setting.left()):
            found = work()
            setting.wait()
    except Skip as reason:
        note(None, error=str(reason))
    except TimeIsUp:
        note(None, error="its time was over")
    except Exception as error:
        traceback.print_exc()
        note(False, error=in_words(error), where=where(error))
        if broken(setting.device):
            sys.exit(3)
        return False
    else:
        note(**{"ok": True, **found})
        return found.get("ok", True) is not False
    finally:
        free(setting.device)
    return True


def broken(device: torch.device) -> bool:
    """Whether not even a small sum can be computed any more."""
    if device.type != "cuda":
        return False
    try:
        return torch.ones(2, device=device).sum().item() != 2
    except RuntimeError:
        return True


def free(device: torch.device) -> None:
    """Hand back what the last item held, so that the next one's peak is its own."""
    gc.collect()
    if device.type == "cuda":
        with contextlib.suppress(RuntimeError):  # of a broken device, which `broken` reports
            torch.cuda.empty_cache()


def prepare_process(tiny: bool) -> None:
    """The same numbers in every process of a stage: denormals flushed, no TF32; --tiny keeps to one thread.

    Small maps gain nothing from more threads, and lose where other programs run.
    """
    flush_denormals()
    use_tf32(False)
    torch.manual_seed(0)
    if tiny:
        torch.set_num_threads(1)


def use_tf32(on: bool) -> None:
    """Let products and convolutions of float32 run in TF32, or not. (torch's older switches: its compiler reads them.)"""
    torch.backends.cuda.matmul.allow_tf32 = on
    torch.backends.cudnn.allow_tf32 = on
