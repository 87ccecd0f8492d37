"""Fair timings: variants in turn, medians with their spread, ratios pair by pair, peak memory above what was there."""

import contextlib
import gc
import platform
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from .cores import usable_cores

STATUS, CLEAR_REFS = Path("/proc/self/status"), Path("/proc/self/clear_refs")


@dataclass(frozen=True)
class Timing:
    """Seconds of one variant over all rounds."""

    median: float
    fastest: float
    slowest: float
    rounds: int

    @classmethod
    def of(cls, seconds: list[float]) -> "Timing":
        """The three order statistics of a list of seconds."""
        return cls(statistics.median(seconds), min(seconds), max(seconds), len(seconds))


def interleave(
    variants: Mapping[str, Callable[[], object]],
    rounds: int = 5,
    warmup: int = 1,
    wait: Callable[[], None] = lambda: None,
    around: Mapping[str, Callable[[], AbstractContextManager]] | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
    """Seconds of each variant, measured A B A B …, so that a machine that slows down slows all of them.

    wait: blocks until the device has finished. around: what a variant is measured within; entering it is not measured.
    clock: seconds; `time.process_time` where other processes use the machine, too.
    """
    seconds: dict[str, list[float]] = {name: [] for name in variants}
    for number in range(warmup + rounds):
        for name, run in variants.items():
            with (around or {}).get(name, contextlib.nullcontext)():
                gc.collect()
                wait()
                started = clock()
                run()
                wait()
                if number >= warmup:
                    seconds[name].append(clock() - started)
    return seconds


def ratios(seconds: Mapping[str, list[float]], reference: str) -> dict[str, dict[str, float]]:
    """reference / variant, pair by pair: how many times faster each variant is than the reference."""
    found = {}
    for name, mine in seconds.items():
        if name != reference:
            pairs = [theirs / own for theirs, own in zip(seconds[reference], mine, strict=True)]
            found[name] = asdict(Timing.of(pairs))
    return found


# -- memory -------------------------------------------------------------------------------------------------------


def resident() -> int:
    """Bytes of this process in memory now (Linux), else the largest that it ever had."""
    return _status("VmRSS") or _largest()


def _status(key: str) -> int | None:
    if not STATUS.exists():
        return None
    for line in STATUS.read_text().splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1]) * 1024
    return None


def _largest() -> int:
    import resource

    unit = 1 if platform.system() == "Darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


@contextlib.contextmanager
def peak_memory(device: torch.device) -> Iterator[dict[str, int]]:
    """Fills {"above": bytes} at the end: the peak of the block above what was in use at its start.

    CUDA: of the allocator. Elsewhere: of the process, for which Linux's counter is reset; run each case in a process of its
    own, or memory that an earlier one has left is counted as there before.
    """
    found: dict[str, int] = {}
    gc.collect()
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        yield found
        found["above"] = torch.cuda.max_memory_allocated(device) - before
        return
    with contextlib.suppress(OSError):
        CLEAR_REFS.write_text("5")  # resets VmHWM
    before = resident()
    yield found
    found["above"] = (_status("VmHWM") or _largest()) - before


def describe_machine(device: torch.device) -> dict[str, str | int]:
    """What a figure depends on: processor, cores, device, versions, denormals."""
    processor = platform.processor()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [
            line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")
        ]
        processor = names[0] if names else processor
    described: dict[str, str | int] = {
        "processor": processor,
        "cores": usable_cores(),
        "threads": torch.get_num_threads(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "amx": str(getattr(torch.cpu, "_is_amx_tile_supported", lambda: False)()),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "device": str(device),
    }
    if device.type == "cuda":
        described["gpu"] = torch.cuda.get_device_name(device)
    return described
