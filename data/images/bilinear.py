"""Bilinear interpolation as torch.nn.functional.interpolate does it, without torch and without a second copy of the result.

The arithmetic is torch's in its order, in float32: first along rows, then between them. Values differ by the last bit at most.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from .bounds import bands

SHARE = 4  # of the usual band: what is worked on then stays in the processor's cache, which halves the time


class Places(NamedTuple):
    """For each new place the two old ones beside it, (n,), and their weights, float32 (n,)."""

    low: np.ndarray
    high: np.ndarray
    low_weight: np.ndarray
    high_weight: np.ndarray


def interpolated(
    values: np.ndarray, shape: tuple[int, int], corners: bool = True
) -> Iterator[tuple[int, int, np.ndarray]]:
    """float32 (h, w) at `shape` (height, width), band by band: (first row, stop, float32 (rows, width), fit to be overwritten).

    corners: the centers of the corner pixels stay where they are (align_corners=True); else the picture's outline does.
    """
    height, width = shape
    if values.shape == shape:
        yield from ((top, stop, values[top:stop].copy()) for top, stop in bands(SHARE * width, height))
        return
    down, across = _places(values.shape[0], height, corners), _places(values.shape[1], width, corners)
    for top, stop in bands(SHARE * width, height):
        low, high, low_weight, high_weight = (one[top:stop] for one in down)
        rows = _mixed(values[low[0] : high[-1] + 1], across, axis=1)
        yield top, stop, _mixed(rows, Places(low - low[0], high - low[0], low_weight[:, None], high_weight[:, None]), 0)


def _places(old: int, new: int, corners: bool) -> Places:
    place = np.arange(new, dtype=np.float32)
    if corners:
        place *= np.float32((old - 1) / max(new - 1, 1))
    else:
        place = ((place + 0.5) * np.float32(old / new) - 0.5).clip(0)
    low = np.minimum(place.astype(np.intp), old - 1)
    high_weight = np.clip(place - low.astype(np.float32), 0, 1)
    return Places(low, np.minimum(low + 1, old - 1), 1 - high_weight, high_weight)


def _mixed(values: np.ndarray, places: Places, axis: int) -> np.ndarray:
    result = values.take(places.low, axis)
    result *= places.low_weight
    other = values.take(places.high, axis)
    other *= places.high_weight
    result += other
    return result
