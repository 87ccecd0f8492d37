"""Score one pair."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from ..system.failures import line_of
from . import regions
from .boundary import band_positives, mean_boundary_accuracy
from .conventions import PYSOD, Conventions
from .haze import haze
from .hce import human_correction_effort
from .more import context, matting, multiscale, objects
from .prepare import Pair, prepare, threshold_counts
from .registry import BAND_CURVES, METRICS, OUTSIDE, OWN_CURVES, MetricError, OutsideMetric, check_metrics, sources
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
    "BER": regions.balanced_error,
    "haze": haze,
    "Cm": context.context_measure,
    "wCm": context.weighted_context_measure,
    "SAD": matting.absolute_error,
    "mattingMSE": matting.squared_error,
    "Grad": matting.gradient_error,
    "Conn": matting.connectivity_error,
}
_OF_COUNTS = {"AUC": regions.area_under_roc, "AP": regions.average_precision}


@dataclass(frozen=True)
class ImageScores:
    """What was measured on one pair.

    scalars  name -> value; NaN where the metric does not exist for this image (mBA on a mask without an edge)
    counts   (2, 256) false and true positives at thresholds 255 … 0, or None when no curve was asked for
    band     the same in the boundary bands (BIoU), or None
    own      name -> curve that was measured as such (OWN_CURVES); NaN where the image does not have it
    """

    scalars: Mapping[str, float]
    counts: np.ndarray | None = None
    band: np.ndarray | None = None
    own: Mapping[str, np.ndarray] = field(default_factory=dict)

    def curve(self, name: str, conventions: Conventions = PYSOD) -> np.ndarray:
        """(256,) values of a curve (Fm, Em, IoU, BIoU, Dice, precision, recall, siFm, siEm) at thresholds 255 … 0.

        MSIoUCurve has (257,), from 256 on.
        """
        return curves(name, self.counts_of(name), conventions)

    def counts_of(self, name: str) -> np.ndarray:
        """(2, 256) counts that a curve is made of, or the curve if it is in OWN_CURVES. MetricError when not measured."""
        of_pixels = self.band if name in BAND_CURVES else self.counts
        counts = self.own.get(name) if name in OWN_CURVES else of_pixels
        if counts is None:
            raise MetricError(f"the counts for curve {name!r} were not measured; ask for a metric that uses it")
        return counts

    def value(self, metric: str, conventions: Conventions = PYSOD) -> float:
        """A metric of this one image: for max and avg, of its own curve."""
        definition = METRICS[metric]
        if definition.reduce == "mean":
            return self.scalars[definition.source]
        return float(reduce_curve(self.curve(definition.source, conventions), definition.reduce))


def score(
    prediction: np.ndarray,
    truth: np.ndarray,
    metrics: Sequence[str],
    conventions: Conventions = PYSOD,
    photo: np.ndarray | None = None,
) -> ImageScores:
    """Measure what `metrics` need on one pair, and nothing else.

    prediction  (H, W): uint8 0..255, uint16, bool, or float in 0..1
    truth       (H, W): uint8, foreground above 128, or bool
    photo       (H, W, 3): uint8 RGB, which wCm needs
    MapError (a ValueError) when the shapes differ or a value is NaN or out of range; MetricError for an unknown metric.
    """
    wanted = sources(check_metrics(metrics))
    return measure(prepare(prediction, truth, conventions.stretch, photo), wanted, conventions)


def _outside(metric: OutsideMetric, pair: Pair) -> float:
    """A metric from outside this package. Raises MetricError that names it where its code fails."""
    try:
        return float(metric.function(pair.values(), pair.mask.copy()))
    except Exception as error:  # whatever code of other people raises
        raise MetricError(f"metric {metric.spelled}: {type(error).__name__}: {error}{line_of(error)}") from error


def measure(
    pair: Pair, wanted: Iterable[str], conventions: Conventions = PYSOD, skeletons: Path | None = None
) -> ImageScores:
    """The scalars and counts named in `wanted` (see `registry.sources`) of a prepared pair.

    `skeletons` is a folder in which HCE keeps the masks' skeletons.
    """
    wanted = frozenset(wanted)
    scalars = {name: float(function(pair)) for name, function in _SCALARS.items() if name in wanted}
    if "HCE" in wanted:
        scalars["HCE"] = human_correction_effort(pair, skeletons)
    for name in sorted(wanted & OUTSIDE.keys()):
        scalars[name] = _outside(OUTSIDE[name], pair)
    adaptive = wanted & _ADAPTIVE.keys()
    if adaptive:
        positives, sizes = regions.adaptive_positives(pair), pair.totals.sum(axis=1)
        for name in sorted(adaptive):
            arguments = (conventions.whole,) if name == "adpEm" else ()
            scalars[name] = float(_ADAPTIVE[name](positives, sizes, *arguments)[0])
    plain = wanted & (_CURVES.keys() - BAND_CURVES | _OF_COUNTS.keys())
    counts = threshold_counts(pair.totals, pair.levels) if plain else None
    scalars |= {
        name: function(counts) for name, function in _OF_COUNTS.items() if counts is not None and name in wanted
    }
    own: dict[str, np.ndarray] = {}
    if wanted & (objects.SCALARS | objects.CURVES):
        found, own = objects.size_invariant(pair, conventions.whole)
        scalars |= found
    if wanted & (multiscale.SCALARS | multiscale.CURVES):
        found, curve = multiscale.multiscale_iou(pair)
        scalars, own = scalars | found, own | curve
    return ImageScores(scalars, counts, band_positives(pair) if wanted & BAND_CURVES else None, own)


def still_wanted(wanted: Iterable[str], kept: ImageScores) -> frozenset[str]:
    """Those of the wanted sources that `kept` does not hold."""
    there = set(kept.scalars)
    if kept.counts is not None:
        there |= _CURVES.keys() - BAND_CURVES
    if kept.band is not None:
        there |= BAND_CURVES
    there |= kept.own.keys()
    return frozenset(wanted) - there


def kept_for_later(scores: ImageScores) -> ImageScores:
    """Without metrics from outside this package, whose code may change."""
    return replace(scores, scalars={name: value for name, value in scores.scalars.items() if name not in OUTSIDE})


def join(first: ImageScores, second: ImageScores) -> ImageScores:
    """What either of two measurements of one pair holds."""
    return ImageScores(
        {**first.scalars, **second.scalars},
        second.counts if first.counts is None else first.counts,
        second.band if first.band is None else first.band,
        {**first.own, **second.own},
    )


def curves(name: str, counts: np.ndarray, conventions: Conventions = PYSOD) -> np.ndarray:
    """Curve `name` from counts (…, 2, 256) -> (…, 256), or from the curve itself if it is in OWN_CURVES."""
    if name in OWN_CURVES:
        return counts
    arguments = (conventions.whole,) if name == "Em" else ()
    return _CURVES[name](counts, counts[..., -1], *arguments)  # at threshold 0 every pixel is positive


def reduce_curve(curve: np.ndarray, how: str) -> np.ndarray:
    """Maximum or mean over the thresholds, (…, 256) -> (…)."""
    return curve.mean(axis=-1) if how == "avg" else curve.max(axis=-1)
