"""Windows of a map: cut, put back, and the mask that keeps shifted windows from mixing what is not adjacent."""

import functools

import torch
from torch import Tensor


def partition(x: Tensor, window: int) -> Tensor:
    """(B, h, w, C) → (B·windows, window², C), windows in row-major order; h and w are multiples of `window`."""
    batch, height, width, channels = x.shape
    x = x.reshape(batch, height // window, window, width // window, window, channels)
    return x.transpose(2, 3).reshape(-1, window * window, channels)


def unpartition(x: Tensor, window: int, size: tuple[int, int], batch: int) -> Tensor:
    """The inverse of `partition`: (B·windows, window², C) → (B, *size, C)."""
    height, width = size
    x = x.reshape(batch, height // window, width // window, window, window, x.shape[-1])
    return x.transpose(2, 3).reshape(batch, height, width, -1)


def shift_mask(size: tuple[int, int], window: int, shift: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    """(windows, window², window²): 0 within a region of the shifted map, −100 between regions (as trained).

    Kept per size in eager mode. Made of tensor operations only, so that it can be traced with symbolic sizes.
    """
    if torch.compiler.is_compiling():
        return _shift_mask(size, window, shift, device, dtype)
    return _cached_shift_mask(tuple(size), window, shift, device, dtype)


def _shift_mask(size, window: int, shift: int, device, dtype) -> Tensor:
    bands = []
    for length in size:
        position = torch.arange(length, device=device)
        bands.append((position >= length - window).int() + (position >= length - shift).int())
    region = 3 * bands[0][:, None] + bands[1][None, :]  # (h, w)
    region = partition(region[None, :, :, None], window).squeeze(-1)  # (windows, window²)
    return (region[:, None, :] != region[:, :, None]).to(dtype) * -100.0


_cached_shift_mask = functools.lru_cache(maxsize=32)(_shift_mask)
