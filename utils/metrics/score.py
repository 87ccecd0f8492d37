"""Score one pair, and collect the scores of a data set."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from . import regions
from .boundary import band_positives, mean_boundary_accuracy
from .prepare import Pair, prepare, threshold_counts
from .registry import BAND_CURVES, METRICS, MetricError, check_metrics, sources
from .structure import s_measure
from .weighted import weighted_f

_CURVES = {
    "Fm": regions.f_measure,
    "Em": regions.e_measure,
    "IoU": regions.iou,
    "BIoU": regions.iou,
    "Dice": regions.dice,
    "precision": regions.precision,
    "recall": regions.recall,
}

_ADAPTIVE = {"adpFm": regions.f_measure, "adpEm": regions.e_measure, "adpIoU": regions.iou, "adpDice": regions.dice}

_SCALARS = {
    "Sm": s_measure,
    "mae": lambda pair: regions.mean_error(pair, 1),
    "mse": lambda pair: regions.mean_error(pair, 2),
    "wFm": weighted_f,
    "mBA": mean_boundary_accuracy,
}

_CHUNK = 512  # images whose curves are in memory at a time


@dataclass(frozen=True)
class ImageScores:
    """What was measured on one pair.

    scalars  name -> value; NaN where the metric does not exist for this image (mBA on a mask without an edge)
    counts   (2, 256) false and true positives at thresholds 255 … 0, or None when no curve was asked for
    band     the same in the boundary bands (BIoU), or None
    """

    scalars: Mapping[str, float]
    counts: np.ndarray | None = None
    band: np.ndarray | None = None

    def curve(self, name: str) -> np.ndarray:
        """(256,) values of a curve (Fm, Em, IoU, BIoU, Dice, precision, recall) at thresholds 255 … 0."""
        counts = self.band if name in BAND_CURVES else self.counts
        if counts is None:
            raise MetricError(f"the counts for curve {name!r} were not measured; ask for a metric that uses it")
        return curves(name, counts)

    def value(self, metric: str) -> float:
        """A metric of this one image: for max and avg, of its own curve."""
        definition = METRICS[metric]
        if definition.reduce == "mean":
            return self.scalars[definition.source]
        return _reduce(self.curve(definition.source), definition.reduce)


def score(prediction: np.ndarray, truth: np.ndarray, metrics: Sequence[str]) -> ImageScores:
    """Measure what `metrics` need on one pair, and nothing else.

    prediction  (H, W): uint8 0..255, uint16, bool, or float in 0..1; it is stretched to span 0..1
    truth       (H, W): uint8, foreground above 128, or bool
    MapError (a ValueError) when the shapes differ or a value is NaN or out of range; MetricError for an unknown metric.
    """
    wanted = sources(check_metrics(metrics))
    return measure(prepare(prediction, truth), wanted)


def measure(pair: Pair, wanted: Iterable[str]) -> ImageScores:
    """The scalars and counts named in `wanted` (see `registry.sources`) of a prepared pair."""
    wanted = frozenset(wanted)
    scalars = {name: float(function(pair)) for name, function in _SCALARS.items() if name in wanted}
    adaptive = wanted & _ADAPTIVE.keys()
    if adaptive:
        positives, sizes = regions.adaptive_positives(pair), pair.totals.sum(axis=1)
        scalars |= {name: float(_ADAPTIVE[name](positives, sizes)[0]) for name in _ADAPTIVE if name in adaptive}
    plain = wanted & (_CURVES.keys() - BAND_CURVES)
    return ImageScores(
        scalars,
        threshold_counts(pair.totals, pair.levels) if plain else None,
        band_positives(pair) if wanted & BAND_CURVES else None,
    )


def curves(name: str, counts: np.ndarray) -> np.ndarray:
    """Curve `name` from counts (…, 2, 256) -> (…, 256)."""
    return _CURVES[name](counts, counts[..., -1])  # at threshold 0 every pixel is positive


def _reduce(curve: np.ndarray, how: str) -> float:
    return float(curve.mean() if how == "avg" else curve.max() if how == "max" else curve.min())


@dataclass(frozen=True)
class Result:
    """Scores of one data set.

    values    metric -> number; NaN when no image has it
    images    how many pairs were scored
    left_out  metric -> how many of them do not count (masks without an edge in mBA)
    curves    name -> (256,) mean curve at thresholds 255 … 0
    """

    values: dict[str, float]
    images: int
    left_out: dict[str, int] = field(default_factory=dict)
    curves: dict[str, np.ndarray] = field(default_factory=dict)


class Accumulator:
    """Scores of many images, 2–4 kB each. The result does not depend on the order in which they came.

    >>> total = Accumulator(["mae", "maxFm"])
    >>> total.update("first", score(prediction, truth, total.metrics))
    >>> total.result().values["mae"]
    """

    def __init__(self, metrics: Sequence[str]):
        self.metrics = check_metrics(metrics)
        self._scores: dict[str, ImageScores] = {}

    def __len__(self) -> int:
        return len(self._scores)

    def update(self, name: str, scores: ImageScores) -> None:
        """Add one image. MetricError when this name was added before."""
        if name in self._scores:
            raise MetricError(f"image {name!r} was scored twice")
        self._scores[name] = scores

    def merge(self, other: "Accumulator") -> None:
        """Add the images of another accumulator with the same metrics."""
        if self.metrics != other.metrics:
            raise MetricError(f"cannot merge scores of different metrics: {self.metrics} and {other.metrics}")
        for name, scores in other._scores.items():
            self.update(name, scores)

    def names(self) -> list[str]:
        """The images, in the order of every other answer."""
        return sorted(self._scores)

    def scalars(self, source: str) -> np.ndarray:
        """(N,) values of a per-image number."""
        return np.array([self._scores[name].scalars[source] for name in self.names()], np.float64)

    def counts(self, band: bool = False) -> np.ndarray:
        """(N, 2, 256) counts of all images."""
        return np.stack([self._scores[n].band if band else self._scores[n].counts for n in self.names()])

    def curve(self, name: str) -> np.ndarray:
        """(256,) mean over the images of a curve."""
        names = self.names()
        total = np.zeros(256)
        for start in range(0, len(names), _CHUNK):
            part = [self._scores[n] for n in names[start : start + _CHUNK]]
            total += curves(name, np.stack([s.band if name in BAND_CURVES else s.counts for s in part])).sum(axis=0)
        return total / len(names)

    def values(self, metric: str) -> np.ndarray:
        """(N,) values of a metric of each image: for max and avg, of its own curve."""
        return np.array([self._scores[name].value(metric) for name in self.names()], np.float64)

    def per_image(self) -> dict[str, np.ndarray]:
        """metric -> (N,) values, as `values` gives them."""
        return {metric: self.values(metric) for metric in self.metrics}

    def result(self) -> Result:
        """Means over the images. MetricError when there is none."""
        if not self._scores:
            raise MetricError("no image was scored")
        values, left_out, found = {}, {}, {}
        for name in self.metrics:
            metric = METRICS[name]
            if metric.reduce == "mean":
                numbers = self.scalars(metric.source)
                there = numbers[~np.isnan(numbers)]
                values[name] = float(there.mean()) if there.size else float("nan")
                if there.size < numbers.size:
                    left_out[name] = int(numbers.size - there.size)
                continue
            if metric.source not in found:
                found[metric.source] = self.curve(metric.source)
            values[name] = _reduce(found[metric.source], metric.reduce)
        return Result(values, len(self), left_out, found)
