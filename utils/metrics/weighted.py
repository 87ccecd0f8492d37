"""Weighted F-measure (Margolin et al., CVPR 2014) without the full nearest-pixel transform.

The published form replaces each background error by the error at the nearest mask pixel, smooths the result with a 7×7
Gaussian, and weights background errors by their distance to the mask. Two facts make it cheap and leave it exact:

* smoothed errors are only read inside the mask and where the error is not 0, so replaced errors matter only in the ring of
  3 pixels around such pixels, where the nearest mask pixel is at most 4 rows and columns away;
* the weight 2 - 0.5^(d/5) is 2 to within 2e-11 beyond 180 pixels, so distances matter only near the mask.
"""

from collections.abc import Iterator

import cv2
import numpy as np

from .prepare import Pair, bounding_box, look_up
from .regions import EPSILON

_REACH = 3  # the 7×7 filter
_SQUARE = np.ones((2 * _REACH + 1, 2 * _REACH + 1), np.uint8)
_PAD = 4  # rows and columns to the farthest pixel that can be nearest to a pixel of the ring
_FAR = 180  # pixels; 0.5 ** (180 / 5) = 1.5e-11
# 0.5 ** (d / 5) by squared distance; 0 in the mask itself, which does not count, and beyond _FAR
_WEIGHTS = 0.5 ** (np.sqrt(np.arange(_FAR**2 + 2)) / 5)
_WEIGHTS[[0, -1]] = 0
# pixels of float64 temporaries at a time: they stay in the cache, and memory stays bounded
_FILTER_BLOCK = 1 << 17
_WEIGHT_BLOCK = 1 << 15
_TILE = 2048  # distances are computed on tiles: OpenCV's float32 intermediate values are exact up to 4096 pixels
_GAUSSIAN = np.exp(-(np.arange(-_REACH, _REACH + 1) ** 2) / 50.0)  # sigma 5; the 2-D kernel is the outer product
_GAUSSIAN /= _GAUSSIAN.sum()

# Offsets to the nearest mask pixel, in order of distance; among equals the smaller column, then the smaller row comes
# first, which is the pixel that scipy's distance_transform_edt names. A ring pixel has one within sqrt(18).
_OFFSETS = np.array(
    sorted(
        ((y, x) for y in range(-4, 5) for x in range(-4, 5) if 0 < y * y + x * x <= 18),
        key=lambda o: (o[0] ** 2 + o[1] ** 2, o[1], o[0]),
    )
)
_STAGES = (_OFFSETS[:8], _OFFSETS[8:24], _OFFSETS[24:])  # most pixels are settled by the first few offsets
_RANKS = np.arange(64, 0, -1, dtype=np.uint8)


def weighted_f(pair: Pair) -> float:
    """The score in 0..1; 0 for an empty mask."""
    outside, inside = pair.totals
    foreground = int(inside.sum())
    if foreground == 0:
        return 0.0
    inner_error = _inner_error(pair)
    outer_error = 2 * float(outside @ pair.levels)
    if outer_error > 0:
        outer_error -= _near_error(pair)
    true = foreground - inner_error
    recall = 1 - inner_error / foreground
    precision = true / (true + outer_error + EPSILON)
    return float(2 * recall * precision / (recall + precision + EPSILON))


# -- inside the mask ----------------------------------------------------------------------------------------------


def _inner_error(pair: Pair) -> float:
    """Sum over the mask of the smaller of error and smoothed error."""
    error = np.where(pair.totals[1] > 0, 1 - pair.levels, 0.0)
    if not error.any():
        return 0.0
    top, bottom, left, right = _grow(pair.box, _REACH, pair.mask.shape)
    columns = slice(left, right)
    total = 0.0
    step = max(16, _FILTER_BLOCK // (right - left))
    for start in range(top, bottom, step):
        stop = min(bottom, start + step)
        # replaced errors are needed 3 rows beyond the block, and their nearest mask pixels 4 rows beyond those
        first, last = max(top, start - 7), min(bottom, stop + 7)
        rows = slice(first, last)
        smooth, plain = _smoothed(pair.index[rows, columns], pair.mask[rows, columns], error)
        inner = slice(start - first + _PAD, stop - first + _PAD)
        total += cv2.sumElems(cv2.min(smooth[inner], plain[inner]))[0]
    return total


def _smoothed(index: np.ndarray, mask: np.ndarray, error: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Smoothed and plain error, float64, with a frame of 4 pixels; the plain one is 0 outside the mask."""
    inside = cv2.copyMakeBorder(mask.view(np.uint8), _PAD, _PAD, _PAD, _PAD, cv2.BORDER_CONSTANT, value=0)
    plain = np.zeros(inside.shape)
    np.multiply(look_up(index, error), mask, out=plain[_PAD:-_PAD, _PAD:-_PAD])
    # only pixels of the mask with an error are ever compared with their smoothed error
    wanted = (plain > 0).view(np.uint8)
    ring = np.zeros(inside.shape, bool)
    inner = ring[_PAD:-_PAD, _PAD:-_PAD]  # beyond it lies the outside of the image, or rows of no interest
    np.greater(cv2.dilate(wanted, _SQUARE)[_PAD:-_PAD, _PAD:-_PAD], mask, out=inner)
    where = np.flatnonzero(ring)
    filled = plain
    if where.size:
        filled = plain.copy()
        filled.ravel()[where] = nearest_errors(inside, plain, where)
    smooth = cv2.sepFilter2D(filled, cv2.CV_64F, _GAUSSIAN, _GAUSSIAN, borderType=cv2.BORDER_CONSTANT)
    return smooth, plain


def nearest_errors(inside: np.ndarray, plain: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Error at the mask pixel nearest to each of the pixels `where`, (N,) float64.

    inside, plain  (H, W) mask and errors, with an empty frame of 4 pixels
    where          (N,) flat positions, each within 3 rows and columns of the mask
    """
    width = inside.shape[1]
    flat, nearest = inside.ravel(), where.copy()
    left = np.arange(len(where))
    for stage in _STAGES:
        shift = stage @ (width, 1)
        # mode="wrap" skips the check of positions beyond the frame, of which none matters
        hits = flat.take(shift[:, None] + where[left], mode="wrap")
        rank = (hits * _RANKS[: len(stage), None]).max(axis=0)  # the earliest offset that hits the mask ranks highest
        found = rank > 0
        nearest[left[found]] += shift[_RANKS[0] - rank[found]]
        left = left[~found]
        if not left.size:
            break
    return plain.ravel()[nearest]


# -- outside the mask ---------------------------------------------------------------------------------------------


def _near_error(pair: Pair) -> float:
    """Sum over the background of prediction * 0.5 ** (distance / 5)."""
    box = pair.box
    window = _grow(box, _FAR, pair.mask.shape)
    total = 0.0
    for top, bottom, left, right in _tiles(_positive_background(pair, window)):
        outer = _grow((top, bottom, left, right), _FAR, pair.mask.shape)
        # mask pixels lie in the mask's box: beyond it and the tile there is nothing to measure
        outer = (
            max(outer[0], min(top, box[0])),
            min(outer[1], max(bottom, box[1])),
            max(outer[2], min(left, box[2])),
            min(outer[3], max(right, box[3])),
        )
        mask = pair.mask[outer[0] : outer[1], outer[2] : outer[3]]
        if not mask.any():
            continue
        distance = _distance(mask)[top - outer[0] : bottom - outer[0], left - outer[2] : right - outer[2]]
        total += _weigh(pair, distance, slice(top, bottom), slice(left, right))
    return total


def _positive_background(pair: Pair, window: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    """Box around the pixels of the window that are not in the mask and not predicted 0."""
    top, bottom, left, right = window
    index, mask = pair.index[top:bottom, left:right], pair.mask[top:bottom, left:right]
    lowest = int(np.searchsorted(pair.levels, 0, side="right"))  # the first level above 0
    found = bounding_box((index >= lowest) > mask)
    return found[0] + top, found[1] + top, found[2] + left, found[3] + left


def _distance(mask: np.ndarray) -> np.ndarray:
    """Distance of each pixel to the mask, float32. Rows of a length that is a power of two collide in the cache."""
    pad = 16 if mask.shape[1] % 256 == 0 else 0
    empty = cv2.copyMakeBorder(mask.view(np.uint8) ^ 1, 0, 0, 0, pad, cv2.BORDER_CONSTANT, value=1)
    vendor = cv2.ipp.useIPP()
    cv2.ipp.setUseIPP(False)  # a setting of this thread: here OpenCV's own code is 1.5 times faster than the vendor's
    try:
        return cv2.distanceTransform(empty, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[:, : mask.shape[1]]
    finally:
        cv2.ipp.setUseIPP(vendor)


def _weigh(pair: Pair, distance: np.ndarray, rows: slice, columns: slice) -> float:
    total = 0.0
    height, width = distance.shape
    step = max(1, _WEIGHT_BLOCK // width)
    for start in range(0, height, step):
        part = distance[start : start + step]
        here = slice(rows.start + start, rows.start + start + len(part))
        # the square is a whole number, so rounding it removes the float32 error
        square = (part * part + np.float32(0.5)).astype(np.int32)
        total += float(np.vdot(_WEIGHTS.take(square, mode="clip"), pair.values(here, columns)))
    return total


def _tiles(box: tuple[int, int, int, int]) -> Iterator[tuple[int, int, int, int]]:
    top, bottom, left, right = box
    for row in range(top, bottom, _TILE):
        for column in range(left, right, _TILE):
            yield row, min(bottom, row + _TILE), column, min(right, column + _TILE)


def _grow(box: tuple[int, int, int, int], by: int, shape: tuple[int, int]) -> tuple[int, int, int, int]:
    top, bottom, left, right = box
    return max(0, top - by), min(shape[0], bottom + by), max(0, left - by), min(shape[1], right + by)
