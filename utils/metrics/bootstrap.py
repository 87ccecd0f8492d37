"""How sure a score is: bootstrap intervals, and the paired comparison of two methods on the same images.

Both treat the images of a data set as a sample. Max metrics are recomputed from the resampled mean curve, so their
intervals include the choice of the threshold.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from .accumulate import Accumulator
from .registry import METRICS, MetricError
from .scoring import reduce_curve

RESAMPLES = 1000
_PART = 250  # resamples whose weights are in memory at a time
_LEVEL = 0.95


@dataclass(frozen=True)
class Interval:
    """Where the score of another sample of such images lies in 95 of 100 cases; NaN where there is no score."""

    low: float
    high: float


@dataclass(frozen=True)
class Comparison:
    """Two methods on the same images.

    difference  first minus second, of the set's metric; `interval` its bootstrap interval
    p           two-sided, from a permutation test that exchanges the two methods image by image
    wins, losses, ties   images on which the first method is better, worse, equal (max and avg: by the image's own curve)
    largest     (name, first value, second value) of the images that differ most, largest difference first
    """

    metric: str
    first: float
    second: float
    difference: float
    interval: Interval
    p: float
    wins: int
    losses: int
    ties: int
    largest: tuple[tuple[str, float, float], ...]


def intervals(scores: Accumulator, resamples: int = RESAMPLES, seed: int = 0) -> dict[str, Interval]:
    """metric -> 95 % interval by the percentile bootstrap; the same seed gives the same intervals."""
    sources = {name: _source(scores, name) for name in scores.metrics}
    samples = {source: _samples(scores, name) for name, source in sources.items()}
    of_images = {source: _of_images(scores, name) for name, source in sources.items()}
    drawn: dict[str, list[np.ndarray]] = {name: [] for name in sources}
    for weights in _weights(len(scores), resamples, seed):
        means = {source: _mean(_weighted(values, weights * of_images[source])) for source, values in samples.items()}
        for name, source in sources.items():
            drawn[name].append(_reduced(name, means[source]))
    return {name: _interval(np.concatenate(parts)) for name, parts in drawn.items()}


def compare(
    first: Accumulator, second: Accumulator, shown: int = 20, resamples: int = RESAMPLES, seed: int = 0
) -> list[Comparison]:
    """Compare two methods metric by metric. MetricError unless both scored the same images by the same rules."""
    if first.names() != second.names():
        only = sorted(set(first.names()) ^ set(second.names()))
        raise MetricError(f"two methods can be compared on the same images only; {len(only)} differ, e.g. {only[0]}")
    if (first.metrics, first.conventions) != (second.metrics, second.conventions):
        raise MetricError("two methods can be compared by the same metrics and conventions only")
    return [_compare(first, second, name, shown, resamples, seed) for name in first.metrics]


def _compare(first: Accumulator, second: Accumulator, metric: str, shown: int, resamples: int, seed: int) -> Comparison:
    a, b = _samples(first, metric), _samples(second, metric)
    number, of_images = len(first), _of_images(first, metric)
    whole = np.ones((1, number))
    one, other = (float(_statistic(metric, x, whole * of_images)[0]) for x in (a, b))
    drawn = [
        _statistic(metric, a, weights * of_images) - _statistic(metric, b, weights * of_images)
        for weights in _weights(number, resamples, seed)
    ]
    own = [x.values(metric) for x in (first, second)]
    sign = 1 if METRICS[metric].better == "higher" else -1
    better = sign * (own[0] - own[1])
    gap = np.where(np.isnan(better), -1, np.abs(better))
    order = [i for i in np.argsort(-gap, kind="stable") if gap[i] > 0][:shown]
    names = first.names()
    return Comparison(
        metric,
        one,
        other,
        one - other,
        _interval(np.concatenate(drawn)),
        _permutation_p(metric, a, b, of_images, one - other, resamples, seed),
        int((better > 0).sum()),
        int((better < 0).sum()),
        int((better == 0).sum()),
        tuple((names[i], float(own[0][i]), float(own[1][i])) for i in order),
    )


def _permutation_p(
    metric: str, a: np.ndarray, b: np.ndarray, of_images: np.ndarray, observed: float, resamples: int, seed: int
) -> float:
    """Share of exchanges that give at least the observed difference; never 0, as the observed one counts too."""
    if np.isnan(observed):
        return float("nan")
    rng = np.random.default_rng([seed, 1])
    extreme, tolerance = 0, 1e-12
    for start in range(0, resamples, _PART):
        keep = rng.integers(0, 2, (min(_PART, resamples - start), len(a))).astype(np.float64)
        weights = keep * of_images, (1 - keep) * of_images
        one = _statistic(metric, a, weights[0], b, weights[1])
        other = _statistic(metric, b, weights[0], a, weights[1])
        extreme += int((np.abs(one - other) >= abs(observed) - tolerance).sum())
    return (1 + extreme) / (1 + resamples)


def _source(scores: Accumulator, metric: str) -> str:
    """Metrics with the same source are read off the same samples."""
    definition = METRICS[metric]
    return metric if scores.averages_images(metric) else f"curve {definition.source} {definition.weight}"


def _of_images(scores: Accumulator, metric: str) -> np.ndarray:
    """(N,) how much each image counts in the set's metric. It is a number of the mask, the same for every method."""
    return scores.weights(METRICS[metric].weight)


def _samples(scores: Accumulator, metric: str) -> np.ndarray:
    """(N, 1) values of the images, or (N, 256) curves where the metric is read off the mean curve."""
    if scores.averages_images(metric):
        return scores.values(metric)[:, None]
    return np.concatenate(list(scores.curves_of(METRICS[metric].source)))


def _statistic(metric: str, samples: np.ndarray, weights: np.ndarray, *rest: np.ndarray) -> np.ndarray:
    """The set's metric under weights (R, N) of the images -> (R,); `rest` may be further samples and their weights."""
    parts = [_weighted(samples, weights)] + ([_weighted(rest[0], rest[1])] if rest else [])
    return _reduced(metric, _mean(*parts))


def _mean(*parts: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Sums (R, T) and their weights -> means; NaN where no image of a resample has the metric."""
    total, share = (sum((part[i] for part in parts), np.zeros(())) for i in (0, 1))
    return np.divide(total, share, out=np.full(total.shape, np.nan), where=share > 0)


def _reduced(metric: str, means: np.ndarray) -> np.ndarray:
    return means[:, 0] if means.shape[1] == 1 else reduce_curve(means, METRICS[metric].reduce)


def _weighted(samples: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    there = ~np.isnan(samples)
    if there.all():
        total = weights @ samples
        return total, np.broadcast_to(weights.sum(axis=1, keepdims=True), total.shape)
    return weights @ np.where(there, samples, 0), weights @ there


def _weights(number: int, resamples: int, seed: int) -> Iterator[np.ndarray]:
    """How often each image occurs in each resample, (n, N) float64, in parts."""
    rng = np.random.default_rng(seed)
    for start in range(0, resamples, _PART):
        rows = min(_PART, resamples - start)
        drawn = rng.integers(0, number, (rows, number)) + np.arange(rows)[:, None] * number
        yield np.bincount(drawn.ravel(), minlength=rows * number).reshape(rows, number).astype(np.float64)


def _interval(values: np.ndarray) -> Interval:
    values = values[~np.isnan(values)]
    if not values.size:
        return Interval(float("nan"), float("nan"))
    low, high = np.quantile(values, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
    return Interval(float(low), float(high))
