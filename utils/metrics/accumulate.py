"""Put the scores of many images together."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from .conventions import PYSOD, Conventions
from .registry import METRICS, OWN_CURVES, MetricError, check_metrics
from .scoring import ImageScores, curves, reduce_curve

_CHUNK = 512  # images whose curves are in memory at a time


@dataclass(frozen=True)
class Result:
    """Scores of one data set.

    values    metric -> number; NaN when no image has it
    images    how many pairs were scored
    left_out  metric -> how many of them do not count (such as masks without an edge in mBA; see `Metric.left_out`)
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

    def __init__(self, metrics: Sequence[str], conventions: Conventions = PYSOD):
        self.metrics = check_metrics(metrics)
        self.conventions = conventions
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
        if (self.metrics, self.conventions) != (other.metrics, other.conventions):
            raise MetricError(
                f"cannot merge scores of different metrics or conventions: {', '.join(self.metrics)} "
                f"({self.conventions.name}) and {', '.join(other.metrics)} ({other.conventions.name})"
            )
        for name, scores in other._scores.items():
            self.update(name, scores)

    def names(self) -> list[str]:
        """The images, in the order of every other answer."""
        return sorted(self._scores)

    def subset(self, names: Iterable[str]) -> "Accumulator":
        """The scores of some of the images."""
        part = Accumulator(self.metrics, self.conventions)
        for name in names:
            part.update(name, self._scores[name])
        return part

    def scalars(self, source: str) -> np.ndarray:
        """(N,) values of a per-image number."""
        return np.array([self._scores[name].scalars[source] for name in self.names()], np.float64)

    def has_counts(self) -> bool:
        """Whether curves other than BIoU can be asked for."""
        return all(scores.counts is not None for scores in self._scores.values())

    def curves_of(self, name: str) -> Iterator[np.ndarray]:
        """The images' curves in parts of (n, 256)."""
        names = self.names()
        for start in range(0, len(names), _CHUNK):
            part = [self._scores[n] for n in names[start : start + _CHUNK]]
            counts = [scores.counts_of(name) for scores in part]
            yield curves(name, np.stack(counts), self.conventions)

    def weights(self, source: str = "") -> np.ndarray:
        """(N,) how much each image counts in a mean: a per-image number, or 1."""
        return self.scalars(source) if source else np.ones(len(self))

    def curve(self, name: str, weight: str = "") -> np.ndarray:
        """(256,) mean of a curve over the images that have it, which count as `weights` says; NaN where none has it."""
        weights, total, share, start = self.weights(weight), np.zeros(1), 0.0, 0
        for part in self.curves_of(name):
            counting = np.where(np.isnan(part[:, 0]), 0, weights[start : start + len(part)])
            total = total + (np.nan_to_num(part) * counting[:, None]).sum(axis=0)
            share, start = share + float(counting.sum()), start + len(part)
        return total / share if share else np.full(total.shape, np.nan)

    def _lack(self, curve: str) -> int:
        """How many images do not have a curve."""
        return sum(int(np.isnan(part[:, 0]).sum()) for part in self.curves_of(curve)) if curve in OWN_CURVES else 0

    def values(self, metric: str) -> np.ndarray:
        """(N,) values of a metric of each image: for max and avg, of its own curve."""
        definition = METRICS[metric]
        if definition.reduce == "mean":
            return self.scalars(definition.source)
        return np.concatenate([reduce_curve(part, definition.reduce) for part in self.curves_of(definition.source)])

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
            if metric.reduce != "mean" and (metric.source, metric.weight) not in found:
                found[metric.source, metric.weight] = self.curve(metric.source, metric.weight)
            if metric.reduce != "mean" and not self.averages_images(name):
                values[name] = float(reduce_curve(found[metric.source, metric.weight], metric.reduce))
                missing = self._lack(metric.source)
            else:
                values[name], missing = self._mean(name)
            if missing:
                left_out[name] = missing
        return Result(
            values, len(self), left_out, {source: curve for (source, weight), curve in found.items() if not weight}
        )

    def _mean(self, metric: str) -> tuple[float, int]:
        """Mean of the images' own values, NaN where none has one, and how many have none."""
        numbers, weight = self.values(metric), METRICS[metric].weight
        there = ~np.isnan(numbers)
        missing = int(numbers.size - there.sum())
        if not there.any():
            return float("nan"), missing
        weights = self.weights(weight)[there] if weight else None
        return float(np.average(numbers[there], weights=weights)), missing

    def averages_images(self, metric: str) -> bool:
        """Whether the metric of the set is the mean of the images' own values, rather than read off the mean curve."""
        how = METRICS[metric].reduce
        return how == "mean" or (how == "max" and self.conventions.mean_of_maxima)
