"""One pass over a pair: the joint histogram from which almost every metric is computed.

A prediction is kept as *levels* (its distinct values) and an *index* map into them. Counting pixels by
(quadrant around the mask's centroid, mask value, level) once makes S, F, E, IoU, MAE and MSE sums over a small table.
"""

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

GT_THRESHOLD = 128  # a mask pixel is foreground when its 8-bit value is above this
THRESHOLDS = 256
_EXACT_FLOAT32 = 1 << 24  # cv2.calcHist returns float32: exact up to so many pixels per call


class MapError(ValueError):
    """A prediction or a mask that cannot be scored; the message says which and why."""


@dataclass(frozen=True)
class Pair:
    """A prediction and its mask, ready for the metrics.

    index   (H, W) uint8 or int32: which level each pixel has
    raw     (K,) float64, ascending: levels in 0..1 as stored; `levels` the same after the min–max stretch
    box     (top, bottom, left, right) of the foreground, ends exclusive; all 0 without any
    mask    (H, W) bool: foreground
    counts  (4, 2, K) int64: pixels by quadrant (top left, top right, bottom left, bottom right), mask value, level
    split   (row, column) at which the quadrants meet
    truth   (H, W) uint8 or bool: the mask as stored, soft values included
    photo   (H, W, 3) uint8 RGB: the photograph, for the one metric that looks at it
    """

    index: np.ndarray
    raw: np.ndarray
    levels: np.ndarray
    mask: np.ndarray
    box: tuple[int, int, int, int]
    counts: np.ndarray
    split: tuple[int, int]
    truth: np.ndarray
    photo: np.ndarray | None = None

    @cached_property
    def totals(self) -> np.ndarray:
        """(2, K): pixels by mask value and level."""
        return self.counts.sum(axis=0)

    def values(self, rows: slice = slice(None), columns: slice = slice(None)) -> np.ndarray:
        """The stretched prediction in a window, float64 (h, w)."""
        return look_up(self.index[rows, columns], self.levels)


def look_up(index: np.ndarray, table: np.ndarray) -> np.ndarray:
    """`table[index]`, through OpenCV where the index is 8-bit."""
    if index.dtype == np.uint8 and table.dtype != bool and index.size:
        return cv2.LUT(index, table)
    return table[index]


def prepare(prediction: np.ndarray, truth: np.ndarray, stretch: bool = True, photo: np.ndarray | None = None) -> Pair:
    """Check a pair and count it.

    prediction  (H, W): uint8 0..255, uint16 0..65535, bool, or float 0..1
    truth       (H, W): uint8 (foreground above 128), or bool
    stretch     scale the prediction so that it spans 0..1; a constant map is left as it is
    photo       (H, W, 3) uint8 RGB, where a metric needs it
    MapError when the shapes differ, an array is not 2-D or is empty, or a value is NaN or outside 0..1.
    """
    mask = _as_mask(truth)
    check_map(prediction)
    if prediction.shape != mask.shape:
        raise MapError(
            f"prediction is {_size(prediction)} but the mask is {_size(mask)} (height x width); resize it to the mask"
        )
    if photo is not None and (photo.shape != (*mask.shape, 3) or photo.dtype != np.uint8):
        raise MapError(f"photo is {_size(photo)} {photo.dtype} but must be {_size(mask)}x3 uint8, as its mask is")
    index, raw = _as_levels(prediction)
    box = bounding_box(mask)
    split = _centroid(mask, box)
    counts = _count(index, mask, split, box, len(raw))
    levels = raw
    if stretch:
        present = raw[counts.any(axis=(0, 1))]
        low, high = present.min(), present.max()
        if high != low:
            levels = (raw - low) / (high - low)
    return Pair(index, raw, levels, mask, box, counts, split, np.ascontiguousarray(truth), photo)


def threshold_counts(table: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """(2, K) pixels by mask value and level -> (2, 256) int64: false and true positives at thresholds 255, 254 … 0.

    A pixel is positive when its value * 255, cut to a whole number, is at or above the threshold.
    """
    bins = (levels.clip(0, 1) * 255).astype(np.uint8)
    histogram = np.stack([np.bincount(bins, weights=row, minlength=THRESHOLDS) for row in table])
    return np.cumsum(histogram[:, ::-1], axis=1).astype(np.int64)


def _as_mask(truth: np.ndarray) -> np.ndarray:
    _check_shape(truth, "mask")
    if truth.dtype == bool:
        return np.ascontiguousarray(truth)
    if truth.dtype != np.uint8:
        raise MapError(f"mask has type {truth.dtype}; it must be uint8 (foreground above {GT_THRESHOLD}) or bool")
    mask = np.ascontiguousarray(truth) > GT_THRESHOLD
    if not mask.any() and truth.max() == 1:
        raise MapError("mask has the uint8 values 0 and 1 and would be empty; give it as bool, or with 0 and 255")
    return mask


def _check_shape(array: np.ndarray, what: str) -> None:
    if array.ndim != 2 or array.size == 0:
        raise MapError(f"{what} has shape {tuple(array.shape)}; it must be (height, width) with at least one pixel")


def check_map(prediction: np.ndarray) -> None:
    """MapError for an array of another shape or type than maps have, or with values that are no numbers."""
    _check_shape(prediction, "prediction")
    if prediction.dtype in (bool, np.uint8, np.uint16):
        return
    if prediction.dtype.kind != "f":
        raise MapError(f"prediction has type {prediction.dtype}; it must be uint8, uint16, bool, or float in 0..1")
    bad = int(np.count_nonzero(~np.isfinite(prediction)))
    if bad:
        raise MapError(f"prediction holds {bad} of {prediction.size} values that are NaN or infinite")


def _as_levels(prediction: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if prediction.dtype == bool:
        prediction = prediction.astype(np.uint8) * 255
    if prediction.dtype == np.uint8:
        return np.ascontiguousarray(prediction), np.arange(THRESHOLDS) / 255
    if prediction.dtype == np.uint16:
        levels, index = np.unique(prediction, return_inverse=True)
        return index.reshape(prediction.shape).astype(np.int32), levels / 65535
    if prediction.min() < 0 or prediction.max() > 1:
        raise MapError(
            f"prediction is a float map with values in {prediction.min():g}..{prediction.max():g}; "
            "float maps must lie in 0..1 (8-bit maps must be uint8)"
        )
    levels, index = np.unique(prediction, return_inverse=True)
    return index.reshape(prediction.shape).astype(np.int32), levels.astype(np.float64)


def bounding_box(mask: np.ndarray) -> tuple[int, int, int, int]:
    """(top, bottom, left, right) of the set pixels, ends exclusive; all 0 without any."""
    x, y, width, height = cv2.boundingRect(mask.view(np.uint8))
    return y, y + height, x, x + width


def _centroid(mask: np.ndarray, box: tuple[int, int, int, int]) -> tuple[int, int]:
    """Where the four quadrants of the S-measure meet: one past the rounded centroid, or the center of an empty mask."""
    top, bottom, left, right = box
    if bottom == top:
        height, width = mask.shape
        return int(np.round(height / 2)) + 1, int(np.round(width / 2)) + 1
    image = mask[top:bottom, left:right].view(np.uint8)
    # an image side is below 2^31 pixels, so sums along one axis fit 32 bits
    by_column = cv2.reduce(image, 0, cv2.REDUCE_SUM, dtype=cv2.CV_32S).ravel().astype(np.int64)
    by_row = cv2.reduce(image, 1, cv2.REDUCE_SUM, dtype=cv2.CV_32S).ravel().astype(np.int64)
    total = int(by_row.sum())
    row = int(np.arange(top, bottom) @ by_row) / total
    column = int(np.arange(left, right) @ by_column) / total
    return round(row) + 1, round(column) + 1


def _count(
    index: np.ndarray, mask: np.ndarray, split: tuple[int, int], box: tuple[int, int, int, int], levels: int
) -> np.ndarray:
    counts = np.zeros((4, 2, levels), np.int64)
    (row, column), (height, width) = split, mask.shape
    top, bottom, left, right = box
    for quadrant in range(4):
        first, last = (0, row) if quadrant < 2 else (row, height)
        start, stop = (0, column) if quadrant % 2 == 0 else (column, width)
        counts[quadrant, 0] = histogram(index[first:last, start:stop], levels)
        rows, columns = slice(max(first, top), min(last, bottom)), slice(max(start, left), min(stop, right))
        counts[quadrant, 1] = histogram(index[rows, columns], levels, mask[rows, columns].view(np.uint8))
    counts[:, 0] -= counts[:, 1]
    return counts


def histogram(index: np.ndarray, levels: int, mask: np.ndarray | None = None) -> np.ndarray:
    """How often each level occurs, int64 (levels,), of an 8-bit or integer index map; with `mask` (uint8) only where it is set."""
    if not index.size:
        return np.zeros(levels, np.int64)
    if index.dtype != np.uint8:
        chosen = index.ravel() if mask is None else index[mask.view(bool)]
        return np.bincount(chosen, minlength=levels)
    total = np.zeros(THRESHOLDS, np.int64)
    rows = max(1, _EXACT_FLOAT32 // index.shape[1])
    for start in range(0, index.shape[0], rows):
        part = index[start : start + rows]
        part_mask = None if mask is None else mask[start : start + rows]
        total += cv2.calcHist([part], [0], part_mask, [THRESHOLDS], [0, THRESHOLDS]).ravel().astype(np.int64)
    return total


def _size(array: np.ndarray) -> str:
    return "x".join(str(n) for n in array.shape)
