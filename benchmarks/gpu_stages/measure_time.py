"""Milliseconds of work on a device, with its warm-up apart."""

import statistics
import time
from collections.abc import Callable

import torch

Work = Callable[[], object]
WARM_UP = 3  # rounds


def times_ms(work: Work, device: torch.device, rounds: int, seconds: float = float("inf")) -> list[float]:
    """Milliseconds of each round, by CUDA's events or the CPU's clock; at least 3 rounds, and no new one after `seconds`."""
    for _ in range(WARM_UP):
        work()
    once = _once_cuda if device.type == "cuda" else _once
    times, end = [], time.monotonic() + seconds
    while len(times) < rounds and (len(times) < 3 or time.monotonic() < end):
        times.append(once(work))
    return times


def median_ms(work: Work, device: torch.device, rounds: int) -> float:
    """The median of `times_ms`."""
    return statistics.median(times_ms(work, device, rounds))


def _once(work: Work) -> float:
    started = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - started)


def _once_cuda(work: Work) -> float:
    start, stop = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    work()
    stop.record()
    stop.synchronize()
    return start.elapsed_time(stop)
