"""The four errors of alpha matting (Rhemann et al., "A perceptually motivated online benchmark for image matting", CVPR 2009).

Maps and masks are opacities in 0..1, as stored: neither is thresholded or stretched. The whole image counts; there is no
trimap. Constants are those of the benchmark's published code.
"""

from collections.abc import Iterator

import cv2
import numpy as np

from ..prepare import Pair, look_up

_UNIT = 1000  # sums over pixels are given in thousands
_SIGMA = 1.4  # pixels, of the Gaussian whose derivatives measure the gradient
_REACH = 4  # pixels, beyond which the published kernel is cut: where the Gaussian falls below 0.01
_STEPS = np.arange(1, 11) / 10  # thresholds of the connectivity error
_SLACK = 0.15  # by how much a pixel may exceed the level at which it is connected
_BLOCK = 1 << 17  # pixels of float64 temporaries at a time: memory stays bounded
_OPACITY = np.arange(256) / 255
_OFFSETS = np.arange(-_REACH, _REACH + 1)
_SMOOTH = np.exp(-(_OFFSETS**2) / (2 * _SIGMA**2))
_SLOPE = _OFFSETS * _SMOOTH
_SMOOTH, _SLOPE = (kernel / np.linalg.norm(kernel) for kernel in (_SMOOTH, _SLOPE))  # the 2-D kernel's squares sum to 1


def absolute_error(pair: Pair) -> float:
    """SAD: sum of |map - mask| over the pixels, in thousands."""
    return sum(float(np.abs(found - truth).sum()) for _, found, truth in _blocks(pair)) / _UNIT


def squared_error(pair: Pair) -> float:
    """Mean of (map - mask)^2, 0..1."""
    return sum(float(((found - truth) ** 2).sum()) for _, found, truth in _blocks(pair)) / pair.mask.size


def gradient_error(pair: Pair) -> float:
    """Sum of the squared differences of the two gradients' lengths, in thousands.

    Gradients are taken with Gaussian derivatives of sigma 1.4 in 9x9 kernels whose squares sum to 1; the image goes on
    beyond its border as it ends there.
    """
    total = 0.0
    for inner, found, truth in _blocks(pair, _REACH):
        difference = (_slope_length(found) - _slope_length(truth))[inner]
        total += float(np.vdot(difference, difference))
    return total / _UNIT


def connectivity_error(pair: Pair) -> float:
    """Sum of the differences in how far pixels are connected to what map and mask share, in thousands.

    A pixel's level l is the last of 0, 0.1 … 1 up to which it belongs to the largest 4-connected region where both map and
    mask are at least that high (of equal ones, the first from the top). Its degree in an image of value v is 1 - d, d = v - l
    where that is at least 0.15, else 0.
    """
    connected = _connected_steps(pair)
    total, row = 0.0, 0
    for _, found, truth in _blocks(pair):
        level = connected[row : row + len(found)] / len(_STEPS)
        row += len(found)
        total += float(np.abs(_beyond(found - level) - _beyond(truth - level)).sum())
    return total / _UNIT


def _blocks(pair: Pair, halo: int = 0) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
    """(rows to be counted, map, mask) of blocks of rows, float64; `halo` more rows lie around them, where there are any."""
    height, width = pair.mask.shape
    step = max(16, _BLOCK // width)
    for start in range(0, height, step):
        stop = min(height, start + step)
        first = max(0, start - halo)
        rows = slice(first, min(height, stop + halo))
        truth = pair.truth[rows]
        truth = truth.astype(np.float64) if truth.dtype == bool else look_up(truth, _OPACITY)
        yield slice(start - first, stop - first), look_up(pair.index[rows], pair.raw), truth


def _slope_length(values: np.ndarray) -> np.ndarray:
    across = cv2.sepFilter2D(values, cv2.CV_64F, _SLOPE, _SMOOTH, borderType=cv2.BORDER_REPLICATE)
    down = cv2.sepFilter2D(values, cv2.CV_64F, _SMOOTH, _SLOPE, borderType=cv2.BORDER_REPLICATE)
    return cv2.magnitude(across, down)


def _beyond(distance: np.ndarray) -> np.ndarray:
    return np.where(distance >= _SLACK, distance, 0)


def _connected_steps(pair: Pair) -> np.ndarray:
    """(H, W) uint8: how many of the thresholds, from the lowest on, find each pixel in the largest common region."""
    reached = np.searchsorted(_STEPS, pair.raw, side="right").astype(np.uint8)
    opacity = np.arange(2.0) if pair.truth.dtype == bool else _OPACITY
    of_truth = np.searchsorted(_STEPS, opacity, side="right").astype(np.uint8)
    common = np.minimum(look_up(pair.index, reached), of_truth[pair.truth.view(np.uint8)])
    present = np.bincount(common.ravel(), minlength=len(_STEPS) + 1) > 0
    connected = np.zeros(common.shape, np.uint8)
    alive = np.ones(common.shape, bool)
    region = alive
    for step in range(1, len(_STEPS) + 1):
        if present[step - 1]:  # else the region is that of the step before
            region = _largest(common >= step)
            alive = alive & region
        if not alive.any():
            break
        connected += alive
    return connected


def _largest(region: np.ndarray) -> np.ndarray:
    """The largest 4-connected part, (H, W) bool; empty where the region is."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(region.view(np.uint8), connectivity=4)
    if count == 1:
        return region
    areas = stats[1:, cv2.CC_STAT_AREA]
    largest = np.flatnonzero(areas == areas.max()) + 1
    chosen = largest[0] if len(largest) == 1 else labels.ravel()[np.isin(labels, largest).argmax()]
    return labels == chosen
