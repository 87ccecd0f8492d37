"""Whether a processor computes faster in bfloat16 than in float32."""

import functools
import time
from collections.abc import Callable

import torch
from torch.nn import functional as F

INSTRUCTIONS = {"AMX": "_is_amx_tile_supported", "AVX-512 BF16": "_is_avx512_bf16_supported"}  # of torch.cpu
ROUNDS = 6
CHANNELS, SIDE = 64, 28  # a convolution of 0.5 ms


@functools.cache
def is_faster_on_cpu() -> bool:
    """True where the processor has instructions for bfloat16 and torch uses them; measured once, in 10 ms of processor time.

    The instructions decide. The trial can only refuse: where oneDNN is held to older ones (ONEDNN_MAX_CPU_ISA), bfloat16 takes
    two to three times as long as float32, and with them about half. So a busy machine does not change the answer.
    """
    return bool(instructions()) and speedup() > 1


def instructions() -> list[str]:
    """The processor's instructions for bfloat16 that torch knows of, by name."""
    return [name for name, asked in INSTRUCTIONS.items() if getattr(torch.cpu, asked, lambda: False)()]


def speedup() -> float:
    """Time of a convolution in float32 by its time in bfloat16: the shortest of a few runs in turn, on one thread.

    Several threads would wait for each other, which on a busy machine takes up to a hundred times as long as the convolution.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.inference_mode():
            runs = [_convolution(dtype) for dtype in (torch.float32, torch.bfloat16)]
            times = [[_seconds(run) for run in runs] for _ in range(ROUNDS)]
    finally:
        torch.set_num_threads(threads)
    float32, bfloat16 = map(min, zip(*times, strict=True))
    return float32 / bfloat16


def _convolution(dtype: torch.dtype) -> Callable[[], torch.Tensor]:
    x = torch.ones(1, CHANNELS, SIDE, SIDE, dtype=dtype).contiguous(memory_format=torch.channels_last)
    kernel = torch.ones(CHANNELS, CHANNELS, 3, 3, dtype=dtype).contiguous(memory_format=torch.channels_last)
    return lambda: F.conv2d(x, kernel, padding=1)


def _seconds(run: Callable[[], object]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started
