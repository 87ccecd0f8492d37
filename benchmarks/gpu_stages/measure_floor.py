"""What this device reaches at best: a large matrix product in each precision, and a large copy."""

from dataclasses import dataclass

import torch

from inspyrenet.utils.system.precision import DTYPES

from .measure_time import median_ms
from .setting import Setting, use_tf32

PRECISIONS = ("float32", "tf32", "bfloat16", "float16")
SIDE, COPIED = 8192, 2**30  # rows and columns; bytes
TINY_SIDE, TINY_COPIED = 256, 2**22


@dataclass(frozen=True)
class Floor:
    """Rates per second: floating-point operations by precision, and bytes read or written."""

    flops: dict[str, float]
    bytes: float

    def milliseconds(self, precision: str, flops: float, moved: float) -> dict[str, float]:
        """The least time for so many operations, and for so many bytes."""
        return {"floor_ms_flops": 1000 * flops / self.flops[precision], "floor_ms_bytes": 1000 * moved / self.bytes}


def measure(setting: Setting) -> Floor:
    """Measure both and write their lines."""
    flops = {}
    for precision in PRECISIONS:
        flops[precision] = rate = product(setting, precision)
        setting.add(f"matrix product {precision}", value=rate / 1e12, unit="TFLOP/s")
    moved = copy(setting)
    setting.add("copy, read and written", value=moved / 1e9, unit="GB/s")
    return Floor(flops, moved)


def product(setting: Setting, precision: str) -> float:
    """FLOP/s of a square product; a multiply-add is two."""
    side = TINY_SIDE if setting.tiny else SIDE
    dtype = DTYPES.get(precision, torch.float32)
    a, b = (torch.randn(side, side, device=setting.device, dtype=dtype) for _ in range(2))
    use_tf32(precision == "tf32")
    try:
        return 2 * side**3 / (median_ms(lambda: a @ b, setting.device, 10) / 1000)
    finally:
        use_tf32(False)


def copy(setting: Setting) -> float:
    """Bytes per second of a copy within the device's memory; each byte is read and written."""
    source = torch.zeros(TINY_COPIED if setting.tiny else COPIED, dtype=torch.uint8, device=setting.device)
    target = torch.empty_like(source)
    return 2 * source.numel() / (median_ms(lambda: target.copy_(source), setting.device, 10) / 1000)
