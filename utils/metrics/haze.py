"""Haze: how much of a map is undecided away from the object's edge, which people see as a veil or as holes."""

import cv2
import numpy as np

from .prepare import Pair, look_up

_SIDE = 400  # pixels of the longer side to which map and mask are brought, so that one distance suits all images
_REACH = 7  # pixels on both sides of the mask's edge in which a map may be soft
_SQUARE = np.ones((2 * _REACH + 1, 2 * _REACH + 1), np.uint8)
_LOW, _HIGH = np.float32(0.05), np.float32(0.95)
_BLOCK = 1 << 20  # pixels of float32 temporaries at a time: memory stays bounded


def haze(pair: Pair) -> float:
    """Share of pixels with .05 < map < .95, as saved and never stretched, among those away from the mask's edge; 0..1.

    Away from it means inside the mask eroded, or outside the mask dilated, by a square of 15 pixels, when the longer side
    has 400. The image's border is no edge. NaN where no pixel is that far away.
    """
    height, width = pair.mask.shape
    scale = _SIDE / max(height, width)
    size = max(1, round(height * scale)), max(1, round(width * scale))
    mask = _resized_mask(pair.mask.view(np.uint8), size)
    # dilation minus erosion; OpenCV lets neither see anything beyond the image's border
    away = cv2.morphologyEx(mask, cv2.MORPH_GRADIENT, _SQUARE) == 0
    total = np.count_nonzero(away)
    if not total:
        return float("nan")
    values = _resized_map(pair, size)
    return np.count_nonzero(away & (values > _LOW) & (values < _HIGH)) / total


def _resized_mask(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The mask at the given height and width: the value in which each pixel's center lies, so it stays binary."""
    if mask.shape == size:
        return mask
    rows, columns = ((2 * np.arange(new) + 1) * side // (2 * new) for new, side in zip(size, mask.shape, strict=True))
    return mask[rows][:, columns]


def _resized_map(pair: Pair, size: tuple[int, int]) -> np.ndarray:
    """The map as saved, float32, at the given height and width: means of areas where it shrinks, bilinear where it grows."""
    levels = pair.raw.astype(np.float32)
    height, width = pair.index.shape
    if (height, width) == size:
        return look_up(pair.index, levels)
    filtering = cv2.INTER_AREA if max(size) < max(height, width) else cv2.INTER_LINEAR
    # along the columns first, in strips: the whole image is never held as float32
    step = max(1, _BLOCK // height)
    strips = (look_up(pair.index[:, start : start + step], levels) for start in range(0, width, step))
    low = [cv2.resize(strip, (strip.shape[1], size[0]), interpolation=filtering) for strip in strips]
    return cv2.resize(np.concatenate(low, axis=1), size[::-1], interpolation=filtering)
