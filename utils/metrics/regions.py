"""Metrics that only need to know how many pixels of which level lie in the mask: F, E, IoU, Dice, MAE, MSE.

All functions take counts of positive pixels, `positives` (…, 2, T): in the background (false) and in the mask (true),
at T thresholds, together with the sizes of background and mask, and return one value per threshold, (…, T) float64.
"""

import numpy as np

from .prepare import Pair

BETA_SQUARE = 0.3
EPSILON = np.spacing(1)  # as the reference toolboxes add to denominators
_TIE = 1e-9


def adaptive_threshold(pair: Pair) -> float:
    """min(2 * mean of the map, 1).

    When a level of the map lies so close to the threshold that rounding decides, the mean is taken over the pixels
    in image order as the reference does, so that both decide alike.
    """
    totals = pair.totals.sum(axis=0)
    threshold = 2 * float(totals @ pair.levels) / pair.mask.size
    if threshold > 0 and np.any(np.abs(pair.levels[totals > 0] - threshold) < _TIE):
        threshold = 2 * float(pair.values().mean())
    return min(threshold, 1.0)


def adaptive_positives(pair: Pair) -> np.ndarray:
    """(2, 1): false and true positives at the adaptive threshold."""
    above = pair.levels >= adaptive_threshold(pair)
    return pair.totals[:, above].sum(axis=1, keepdims=True)


def mean_error(pair: Pair, power: int) -> float:
    """Mean of |prediction - mask| ** power."""
    outside, inside = pair.totals
    return float(outside @ pair.levels**power + inside @ (1 - pair.levels) ** power) / pair.mask.size


def precision(positives: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    false, true = positives[..., 0, :], positives[..., 1, :]
    return true / np.maximum(false + true, 1)


def recall(positives: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    return positives[..., 1, :] / np.maximum(sizes[..., 1, None], 1)


def f_measure(positives: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """(1 + beta^2) P R / (beta^2 P + R), beta^2 = 0.3; 0 where no positive pixel is right."""
    p, r = precision(positives, sizes), recall(positives, sizes)
    return _divide((1 + BETA_SQUARE) * p * r, BETA_SQUARE * p + r)


def iou(positives: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """TP / (TP + FP + FN); 0 where mask and prediction are both empty."""
    return _divide(positives[..., 1, :], sizes[..., 1, None] + positives[..., 0, :])


def dice(positives: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """2 TP / (2 TP + FP + FN); 0 where mask and prediction are both empty."""
    return _divide(2 * positives[..., 1, :], sizes[..., 1, None] + positives.sum(axis=-2))


def e_measure(positives: np.ndarray, sizes: np.ndarray, whole: bool = False) -> np.ndarray:
    """Enhanced alignment of a binary map and the mask (Fan et al., IJCAI 2018).

    The sum over the pixels is divided by H*W - 1 as in the published code (so 1 + 1/(H*W - 1) can occur), or by H*W
    with `whole` and for a single pixel, which scores 1 where it is right and else 0. An empty mask scores the share of
    background found, a full one the share of foreground found.
    """
    false, true = positives[..., 0, :].astype(np.float64), positives[..., 1, :].astype(np.float64)
    background, foreground = (sizes[..., i, None].astype(np.float64) for i in (0, 1))
    total = background + foreground
    share = (false + true) / total  # mean of the binary map
    mask_share = foreground / total
    parts = (
        (true, 1 - share, 1 - mask_share),
        (false, 1 - share, -mask_share),
        (foreground - true, -share, 1 - mask_share),
        (background - false, -share, -mask_share),
    )
    aligned = sum(count * (2 * a * b / (a * a + b * b + EPSILON) + 1) ** 2 / 4 for count, a, b in parts)
    aligned = np.where(foreground == 0, total - false, aligned)
    aligned = np.where(background == 0, true, aligned)
    return aligned / (total if whole else np.maximum(total - 1 + EPSILON, 1))


def balanced_error(pair: Pair) -> float:
    """1 - (TPR + TNR) / 2 at map > 0.5; a rate over no pixels is 0."""
    outside, inside = pair.totals
    above = pair.levels > 0.5
    rates = _divide(
        np.array([inside[above].sum(), outside[~above].sum()], np.float64),
        np.array([inside.sum(), outside.sum()], np.float64),
    )
    return float(1 - rates.mean())


def area_under_roc(positives: np.ndarray) -> float:
    """Trapezoids between the thresholds' points, of counts (2, T) that end with all pixels; NaN without both classes."""
    sizes = positives[:, -1]
    if not sizes.all():
        return float("nan")
    false, true = np.concatenate([np.zeros((2, 1)), positives / sizes[:, None]], axis=1)
    return float(np.sum(np.diff(false) * (true[1:] + true[:-1]) / 2))


def average_precision(positives: np.ndarray) -> float:
    """Sum of precision times gain in recall as the threshold falls; NaN for an empty mask."""
    size = positives[1, -1]
    if size == 0:
        return float("nan")
    gains = np.diff(positives[1], prepend=0) / size
    return float(gains @ precision(positives, positives[:, -1]))


def _divide(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    return np.divide(numerator, denominator, out=np.zeros(denominator.shape), where=denominator != 0)
