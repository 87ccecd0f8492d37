"""From signals and true IoUs to an estimate: a logistic regression, its scores, and what its numbers are worth.

The target is the IoU itself, not a yes or no: "fractional response" (Papke and Wooldridge, J. Applied Econometrics 1996), so
that the estimate is the expected IoU. Weights are kept small (ridge), since there are few pairs and the signals are alike.
"""

from itertools import pairwise

import numpy as np

RIDGE = 3.0
STEPS, SMALLEST = 100, 2.0**-20  # of Newton's method; the smallest part of a step that is tried
BOUNDS = (0.0, 0.5, 0.7, 0.8, 0.9, 0.95, 1.0)  # of the estimates, for the table of what they are worth


def standardized(signals: np.ndarray, mean: np.ndarray, deviation: np.ndarray, limit: float) -> np.ndarray:
    """(N, K) in units of the deviation; beyond ±limit, where no pair was seen, they count as the limit."""
    return ((signals - mean) / deviation).clip(-limit, limit)


def logistic(values: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(−x)), without its overflow."""
    return 0.5 * np.tanh(0.5 * values) + 0.5


def fit(signals: np.ndarray, target: np.ndarray, ridge: float = RIDGE) -> tuple[np.ndarray, float]:
    """Standardized signals (N, K), IoUs (N) in 0..1 → weights (K), bias: the least cross-entropy + ridge/2 · |weights|²."""
    columns = np.column_stack([np.ones(len(signals)), signals])
    penalty = np.full(columns.shape[1], ridge)
    penalty[0] = 1e-6  # of the bias: none, but for IoUs that are all 0 or all 1
    found = np.zeros(columns.shape[1])

    def loss(weights: np.ndarray) -> float:
        logits = columns @ weights
        return float((np.logaddexp(0, logits) - target * logits).sum() + 0.5 * (penalty * weights**2).sum())

    for _ in range(STEPS):
        expected = logistic(columns @ found)
        slope = columns.T @ (target - expected) - penalty * found
        curvature = (columns.T * (expected * (1 - expected))) @ columns + np.diag(penalty)
        step, part = np.linalg.solve(curvature, slope), 1.0
        while loss(found + part * step) > loss(found) and part > SMALLEST:
            part /= 2
        found = found + part * step
        if np.abs(part * step).max() < 1e-9:
            break
    return found[1:], float(found[0])


def auroc(estimate: np.ndarray, bad: np.ndarray) -> float | None:
    """How often a bad map has a lower estimate than one that is not, equal ones counted half; None where one kind is missing."""
    low, high = np.sort(estimate[bad]), estimate[~bad]
    if not (len(low) and len(high)):
        return None
    below, upto = np.searchsorted(low, high, "left"), np.searchsorted(low, high, "right")
    return float((below + upto).sum() / 2 / (len(low) * len(high)))


def caught(estimate: np.ndarray, bad: np.ndarray, share: float = 0.1) -> float | None:
    """How many of the bad maps are in the worst share by the estimate, 0..1; None where none is bad."""
    worst = np.argsort(estimate, kind="stable")[: int(np.ceil(share * len(estimate)))]
    return float(bad[worst].sum() / bad.sum()) if bad.any() else None


def scores(estimate: np.ndarray, iou: np.ndarray) -> dict[str, float | None]:
    """What an estimate is good for: both directions of the AUROC are 1 for a perfect one."""
    return {
        "auroc below 0.9": auroc(estimate, iou < 0.9),
        "auroc below 0.7": auroc(estimate, iou < 0.7),
        "below 0.7 in the worst tenth": caught(estimate, iou < 0.7),
        "mean absolute error": float(np.abs(estimate - iou).mean()),
    }


def reliability(estimate: np.ndarray, iou: np.ndarray) -> list[dict[str, float | int]]:
    """For estimates of each range: how many maps have such a one, and the mean of estimate and IoU."""
    rows = []
    for low, high in pairwise(BOUNDS):
        inside = (estimate >= low) & ((estimate < high) | (high == BOUNDS[-1]))
        if inside.any():
            means = float(estimate[inside].mean()), float(iou[inside].mean())
            rows.append({"from": low, "to": high, "maps": int(inside.sum()), "estimate": means[0], "iou": means[1]})
    return rows
