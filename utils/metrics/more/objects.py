"""Size-invariant metrics (Li et al., "Size-invariance matters", ICML 2024): every object of a mask weighs the same.

An object is a 4-connected part of the mask with at least 50 pixels; where no part has as many, the largest ones are taken,
all of that size. It is scored in its bounding box: beyond the box, map and mask count as 0. An empty mask is scored as if
the whole image were one object.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from .. import regions
from ..prepare import THRESHOLDS, Pair, histogram, threshold_counts

SCALARS = frozenset({"siMae", "siAdpFm", "siAdpEm", "siObjects"})
CURVES = frozenset({"siFm", "siEm"})

_SMALLEST = 50  # pixels of an object
_TIE = 1e-9
_CHUNK = 256  # objects whose curves are in memory at a time

Box = tuple[int, int, int, int]  # top, bottom, left, right, ends exclusive


def size_invariant(pair: Pair, whole: bool = False) -> tuple[dict[str, float], dict[str, np.ndarray]]:
    """All of SCALARS and CURVES of a pair; `whole` is as in `regions.e_measure`.

    Scalars are means over the objects; `siObjects` is their number, at least 1. Curves are (256,) means over the objects at
    thresholds 255 … 0.
    """
    boxes = object_boxes(pair.mask)
    height, width = pair.mask.shape
    found = [_measure(pair, box) for box in boxes or [(0, height, 0, width)]]
    fm, em, adaptive_fm, adaptive_em = np.zeros(THRESHOLDS), np.zeros(THRESHOLDS), 0.0, 0.0
    for start in range(0, len(found), _CHUNK):
        positives, adaptive, sizes = (np.stack(arrays) for arrays in zip(*found[start : start + _CHUNK], strict=True))
        fm += regions.f_measure(positives, sizes).sum(axis=0)
        em += regions.e_measure(positives, sizes, whole).sum(axis=0)
        adaptive_fm += float(regions.f_measure(adaptive, sizes).sum())
        adaptive_em += float(regions.e_measure(adaptive, sizes, whole).sum())
    count = len(found)
    scalars = {
        "siMae": _mean_error(pair, boxes),
        "siAdpFm": adaptive_fm / count,
        "siAdpEm": adaptive_em / count,
        "siObjects": float(count),
    }
    return scalars, {"siFm": fm / count, "siEm": em / count}


def object_boxes(mask: np.ndarray) -> list[Box]:
    """Boxes of the objects of a mask (H, W) bool; none where it is empty."""
    _, _, stats, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8), connectivity=4)
    parts = stats[1:]
    if not len(parts):
        return []
    areas = parts[:, cv2.CC_STAT_AREA]
    chosen = parts[areas >= min(_SMALLEST, areas.max())]
    left, top, width, height = chosen[:, : cv2.CC_STAT_AREA].T
    return list(zip(*(side.tolist() for side in (top, top + height, left, left + width)), strict=True))


def _measure(pair: Pair, box: Box) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """An object's (2, 256) positives at thresholds 255 … 0, (2, 1) at its adaptive threshold, and (2,) sizes in the image."""
    levels, counts = _counts(pair, box)
    beyond = pair.mask.size - int(counts.sum())  # pixels that count as 0 in map and mask
    positives = threshold_counts(counts, levels)
    positives[0, -1] += beyond
    threshold = _adaptive_threshold(pair, box, levels, counts)
    adaptive = counts[:, levels >= threshold].sum(axis=1, keepdims=True)
    if threshold <= 0:
        adaptive[0] += beyond
    return positives, adaptive, counts.sum(axis=1) + np.array([beyond, 0])


def _counts(pair: Pair, box: Box) -> tuple[np.ndarray, np.ndarray]:
    """Levels (K,) and counts (2, K) of pixels by mask value and level in a box."""
    rows, columns = slice(*box[:2]), slice(*box[2:])
    index, mask, levels = pair.index[rows, columns], pair.mask[rows, columns].view(np.uint8), pair.levels
    if index.dtype != np.uint8:  # a map of floats may have as many levels as pixels
        present, index = np.unique(index, return_inverse=True)
        levels, index = levels[present], index.reshape(mask.shape)
    inside = histogram(index, len(levels), mask)
    return levels, np.stack([histogram(index, len(levels)) - inside, inside])


def _adaptive_threshold(pair: Pair, box: Box, levels: np.ndarray, counts: np.ndarray) -> float:
    """min(2 * mean, 1) of the map that is 0 beyond the box; ties are broken as in `regions.adaptive_threshold`."""
    totals = counts.sum(axis=0)
    threshold = 2 * float(totals @ levels) / pair.mask.size
    if threshold > 0 and np.any(np.abs(levels[totals > 0] - threshold) < _TIE):
        rows, columns = slice(*box[:2]), slice(*box[2:])
        values = np.zeros(pair.mask.shape)
        values[rows, columns] = pair.values(rows, columns)
        threshold = 2 * float(values.mean())
    return min(threshold, 1.0)


def _mean_error(pair: Pair, boxes: Sequence[Box]) -> float:
    """Mean of the objects' mean errors in their boxes and of that of the background, the pixels in no box.

    An object weighs 1, the background as much as its area divided by that of all boxes together, 0 where nothing is left.
    """
    if not boxes:
        return regions.mean_error(pair, 1)
    background = np.ones(pair.mask.shape, np.uint8)
    errors = 0.0
    for top, bottom, left, right in boxes:
        background[top:bottom, left:right] = 0
        levels, counts = _counts(pair, (top, bottom, left, right))
        errors += _error(levels, counts) / ((bottom - top) * (right - left))
    area = int(np.count_nonzero(background))
    covered = pair.mask.size - area
    inside = histogram(pair.index, len(pair.levels), background & pair.mask.view(np.uint8))
    outside = histogram(pair.index, len(pair.levels), background) - inside
    errors += _error(pair.levels, np.stack([outside, inside])) / covered
    return errors / (len(boxes) + area / covered)


def _error(levels: np.ndarray, counts: np.ndarray) -> float:
    return float(counts[0] @ levels + counts[1] @ (1 - levels))
