"""S-measure (Fan et al., ICCV 2017) from the joint histogram."""

import numpy as np

from .prepare import Pair
from .regions import EPSILON


def s_measure(pair: Pair, alpha: float = 0.5) -> float:
    """alpha * object similarity + (1 - alpha) * region similarity, at least 0.

    An empty mask scores 1 - mean of the map, a full one the mean. A quadrant without pixels (the mask's centroid lies in
    the last row or column) counts with its weight 0: the reference gives NaN there.
    """
    background, foreground = pair.totals.sum(axis=1)
    if foreground == 0 or background == 0:
        mean = float(pair.totals.sum(axis=0) @ pair.levels) / pair.mask.size
        return 1 - mean if foreground == 0 else mean
    return max(0.0, alpha * _object(pair) + (1 - alpha) * _region(pair))


def _object(pair: Pair) -> float:
    outside, inside = pair.totals
    share = inside.sum() / pair.mask.size
    return share * _similarity(inside, pair.levels) + (1 - share) * _similarity(outside, 1 - pair.levels)


def _similarity(counts: np.ndarray, values: np.ndarray) -> float:
    """2 m / (m^2 + 1 + s) of the mean m and the sample deviation s of values that occur `counts` times."""
    total = counts.sum()
    mean = counts @ values / total
    deviation = np.sqrt(counts @ (values - mean) ** 2 / (total - 1)) if total > 1 else 0.0
    return float(2 * mean / (mean**2 + 1 + deviation + EPSILON))


def _region(pair: Pair) -> float:
    """Similarity of each quadrant, weighted by its area."""
    outside, inside = pair.counts[:, 0], pair.counts[:, 1]  # (4, K)
    both = outside + inside
    total, foreground = both.sum(axis=1), inside.sum(axis=1)
    size = np.maximum(total, 1)
    x, y = both @ pair.levels / size, foreground / size
    centered = pair.levels - x[:, None]
    scale = total - 1 + EPSILON
    variances = ((both * centered**2).sum(axis=1) + foreground * (1 - y)) / scale
    covariance = (inside * centered).sum(axis=1) / scale
    similarity = 4 * x * y * covariance / ((x * x + y * y) * variances + EPSILON)
    for quadrant in np.flatnonzero((foreground == 0) | (foreground == total)):
        # the covariance is 0 where the mask is constant; so is the score, unless the map is constant too
        similarity[quadrant] = _flat_similarity(pair, int(quadrant), both[quadrant])
    return float(total @ similarity) / pair.mask.size


def _flat_similarity(pair: Pair, quadrant: int, counts: np.ndarray) -> float:
    """On a constant mask: 1 for a constant map whose mean is not rounded, else 0.

    The reference sees a variance of about 1e-32 when it rounds the mean of a constant, and then gives 0. Whether that
    happens depends on the order of its sum, so that sum is repeated here. 0 and 1, which saturated maps have, are exact.
    """
    present = np.flatnonzero(counts)
    if len(present) != 1:
        return 0.0
    value = float(pair.levels[present[0]])
    if value in (0.0, 1.0):
        return 1.0
    row, column = pair.split
    rows = slice(0, row) if quadrant < 2 else slice(row, None)
    columns = slice(0, column) if quadrant % 2 == 0 else slice(column, None)
    mean = np.full(pair.mask.shape, value)[rows, columns].mean()
    return 1.0 if mean == value else 0.0
