"""Every metric that a table may show: its name, which way is better, what it is made of and how it is defined.

A metric is either a number per image (`source` names it in `ImageScores.scalars`) whose mean over the data set is shown,
or a number read off a curve over 256 thresholds (`source` names the curve): `max` and `avg` reduce the mean curve.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from ..config.names import suggest


@dataclass(frozen=True)
class Metric:
    """One column of the table."""

    name: str
    source: str
    reduce: Literal["mean", "max", "avg"]
    better: Literal["higher", "lower"]
    text: str  # one line that is printed beneath the table
    digits: int = 4
    left_out: str = "that are empty or full"  # which masks have no value
    weight: str = ""  # scalar by which images are weighted in the mean over the data set; "": all alike
    needs_photo: bool = False


_F = "F-measure, beta^2 = 0.3"
_E = "E-measure (enhanced alignment)"
_IOU = "intersection over union"
_BIOU = "boundary IoU, band of 2 % of the image diagonal inside the mask, prediction band taken on the gray map"
_DICE = "Dice coefficient 2TP / (2TP + FP + FN)"
_ADAPTIVE = "at the adaptive threshold min(2 * mean of the map, 1)"
_MAX = "largest over 256 thresholds"
_AVG = "mean over 256 thresholds"

_OBJECTS = "of each object in its bounding box"
_PER_IMAGE = f"{_OBJECTS}, mean over an image's objects, then over the images"
_PER_SET = f"{_OBJECTS}, mean over the objects of all images"
_MSIOU = "multiscale IoU: area under the curve of the shares of the mask's edge cells of 1 … 512 pixels that are found"
_CONTEXT = "context-measure: F-measure of how much mask is around the map's pixels and map around the mask's"
_SOFT = "map and mask as stored, neither thresholded nor stretched"
_NO_EDGE = "without an edge"
_SLANTED = "whose pixels lie on one slanted line"

_TABLE = (
    Metric("Sm", "Sm", "mean", "higher", "S-measure (structure), alpha = 0.5"),
    Metric("mae", "mae", "mean", "lower", "mean absolute error against the thresholded mask"),
    Metric("mse", "mse", "mean", "lower", "mean squared error against the thresholded mask", 5),
    Metric("adpEm", "adpEm", "mean", "higher", f"{_E}; {_ADAPTIVE}"),
    Metric("maxEm", "Em", "max", "higher", f"{_E}; {_MAX}"),
    Metric("avgEm", "Em", "avg", "higher", f"{_E}; {_AVG}"),
    Metric("adpFm", "adpFm", "mean", "higher", f"{_F}; {_ADAPTIVE}"),
    Metric("maxFm", "Fm", "max", "higher", f"{_F}; {_MAX}"),
    Metric("avgFm", "Fm", "avg", "higher", f"{_F}; {_AVG}"),
    Metric(
        "wFm", "wFm", "mean", "higher", "weighted F-measure, beta^2 = 1, Gaussian 7x7 with sigma 5; 0 on an empty mask"
    ),
    Metric(
        "mBA",
        "mBA",
        "mean",
        "higher",
        "mean boundary accuracy: share of right pixels (prediction > 128) in five bands around the mask's edge; "
        "masks without an edge are left out and counted",
    ),
    Metric("maxIoU", "IoU", "max", "higher", f"{_IOU}; {_MAX}"),
    Metric("avgIoU", "IoU", "avg", "higher", f"{_IOU}; {_AVG}"),
    Metric("maxBIoU", "BIoU", "max", "higher", f"{_BIOU}; {_MAX}"),
    Metric("avgBIoU", "BIoU", "avg", "higher", f"{_BIOU}; {_AVG}"),
    Metric("adpIoU", "adpIoU", "mean", "higher", f"{_IOU}; {_ADAPTIVE}"),
    Metric("maxDice", "Dice", "max", "higher", f"{_DICE}; {_MAX}"),
    Metric("avgDice", "Dice", "avg", "higher", f"{_DICE}; {_AVG}"),
    Metric("adpDice", "adpDice", "mean", "higher", f"{_DICE}; {_ADAPTIVE}"),
    Metric("BER", "BER", "mean", "lower", "balanced error rate 1 - (TPR + TNR) / 2 at map > 0.5"),
    Metric(
        "AUC",
        "AUC",
        "mean",
        "higher",
        "area under the ROC curve of each image, trapezoids between 256 thresholds; empty and full masks are left out",
    ),
    Metric(
        "AP",
        "AP",
        "mean",
        "higher",
        "average precision of each image, sum of precision times gain in recall over 256 thresholds; "
        "empty masks are left out",
    ),
    Metric(
        "HCE", "HCE", "mean", "lower", "human correction effort at map > 0.5, relaxed by 5 pixels, polygons within 2", 1
    ),
    Metric(
        "haze",
        "haze",
        "mean",
        "lower",
        "share of pixels with .05 < map < .95 (as saved, not stretched) more than 7 pixels away from the mask's edge, at "
        "a longer side of 400 pixels; masks without such a pixel are left out and counted",
        left_out="without a pixel that is more than 7 pixels away from their edge",
    ),
    Metric("MSIoU", "MSIoU", "mean", "higher", f"{_MSIOU}; at map > 0.5", left_out=_NO_EDGE),
    Metric("adpMSIoU", "adpMSIoU", "mean", "higher", f"{_MSIOU}; {_ADAPTIVE}", left_out=_NO_EDGE),
    Metric("maxMSIoU", "MSIoUCurve", "max", "higher", f"{_MSIOU}; largest over 257 thresholds", left_out=_NO_EDGE),
    Metric("avgMSIoU", "MSIoUCurve", "avg", "higher", f"{_MSIOU}; mean over 257 thresholds", left_out=_NO_EDGE),
    Metric("Cm", "Cm", "mean", "higher", f"{_CONTEXT}, beta^2 = 1, alpha = 6; 0 on an empty mask", left_out=_SLANTED),
    Metric(
        "wCm",
        "wCm",
        "mean",
        "higher",
        f"{_CONTEXT}, beta^2 = 1.2, alpha = 6, mask pixels weighted by their camouflage in the photograph; "
        "0 on an empty mask",
        left_out=_SLANTED,
        needs_photo=True,
    ),
    Metric(
        "siMae",
        "siMae",
        "mean",
        "lower",
        "size-invariant mean absolute error: mean of each object's in its bounding box and of the background's, which is "
        "weighted by its area relative to the boxes'",
    ),
    Metric("siAdpFm", "siAdpFm", "mean", "higher", f"size-invariant {_F}, {_PER_IMAGE}; {_ADAPTIVE}"),
    Metric("siMaxFm", "siFm", "max", "higher", f"size-invariant {_F}, {_PER_IMAGE}; {_MAX}"),
    Metric("siAvgFm", "siFm", "avg", "higher", f"size-invariant {_F}, {_PER_IMAGE}; {_AVG}"),
    Metric("siAdpEm", "siAdpEm", "mean", "higher", f"size-invariant {_E}, {_PER_IMAGE}; {_ADAPTIVE}"),
    Metric("siMaxEm", "siEm", "max", "higher", f"size-invariant {_E}, {_PER_IMAGE}; {_MAX}"),
    Metric("siAvgEm", "siEm", "avg", "higher", f"size-invariant {_E}, {_PER_IMAGE}; {_AVG}"),
    Metric("siMaxFmSet", "siFm", "max", "higher", f"size-invariant {_F}, {_PER_SET}; {_MAX}", weight="siObjects"),
    Metric("siAvgFmSet", "siFm", "avg", "higher", f"size-invariant {_F}, {_PER_SET}; {_AVG}", weight="siObjects"),
    Metric("siMaxEmSet", "siEm", "max", "higher", f"size-invariant {_E}, {_PER_SET}; {_MAX}", weight="siObjects"),
    Metric("siAvgEmSet", "siEm", "avg", "higher", f"size-invariant {_E}, {_PER_SET}; {_AVG}", weight="siObjects"),
    Metric("SAD", "SAD", "mean", "lower", f"sum of absolute differences / 1000; {_SOFT}", 3),
    Metric("mattingMSE", "mattingMSE", "mean", "lower", f"mean squared difference; {_SOFT}", 5),
    Metric(
        "Grad",
        "Grad",
        "mean",
        "lower",
        f"gradient error / 1000: squared differences of gradients by Gaussian derivatives, sigma 1.4; {_SOFT}",
        3,
    ),
    Metric("Conn", "Conn", "mean", "lower", f"connectivity error / 1000, steps of 0.1, slack 0.15; {_SOFT}", 3),
)

METRICS: dict[str, Metric] = {metric.name: metric for metric in _TABLE}
_SPELLINGS = {name.lower(): name for name in METRICS}
DEFAULT_METRICS = ("Sm", "mae", "adpEm", "maxEm", "avgEm", "adpFm", "maxFm", "avgFm", "wFm", "mBA")

# names that stand for several metrics; "all" leaves out what needs more than a map and a mask
GROUPS: dict[str, tuple[str, ...]] = {
    "default": DEFAULT_METRICS,
    "all": tuple(name for name, metric in METRICS.items() if not metric.needs_photo),
    "multiscale": ("MSIoU", "adpMSIoU", "maxMSIoU", "avgMSIoU"),
    "context": ("Cm", "wCm"),
    "size_invariant": tuple(name for name in METRICS if name.startswith("si")),
    "matting": ("SAD", "mattingMSE", "Grad", "Conn"),
}

# curves that come from the counts of right and wrong pixels in the mask's band instead of in the whole image
BAND_CURVES = frozenset({"BIoU"})
# curves that are measured as such: no counts tell them
OWN_CURVES = frozenset({"MSIoUCurve", "siFm", "siEm"})


@dataclass(frozen=True)
class OutsideMetric:
    """A metric from outside this package: function(map float64 (H, W) in 0..1, mask bool (H, W)) → number, NaN for none.

    spelled: its name in configs. arguments: with which the function was made.
    """

    metric: Metric
    spelled: str
    function: Callable[[np.ndarray, np.ndarray], float]
    arguments: Mapping[str, Any]


OUTSIDE: dict[str, OutsideMetric] = {}


class MetricError(ValueError):
    """Metrics that do not exist, or scores that cannot be put together."""


def add_outside(new: OutsideMetric) -> None:
    """Make a metric known. MetricError where one of that name is there, or this one with other arguments."""
    name = new.metric.name
    there = OUTSIDE.get(name)
    if name.lower() in _SPELLINGS and there is None:
        raise MetricError(
            f"{new.spelled}: there is a metric {_SPELLINGS[name.lower()]} already: give yours another name"
        )
    if there is not None and (there.spelled, there.arguments) != (new.spelled, new.arguments):
        raise MetricError(
            f"{new.spelled}: {name} is also {there.spelled} with {dict(there.arguments)}: score them apart"
        )
    OUTSIDE[name], METRICS[name] = new, new.metric
    _SPELLINGS.update({name.lower(): name, new.spelled.lower(): name})


def check_metrics(names: Iterable[str]) -> tuple[str, ...]:
    """The names as METRICS has them (`hce` is HCE), those of GROUPS in full, without repeats.

    MetricError says what was probably meant by a name that is unknown, else lists the choices.
    """
    choices = f"choose from {', '.join(METRICS)}, or the groups {', '.join(GROUPS)}"
    spelled = (GROUPS.get(name.lower(), (_SPELLINGS.get(name.lower(), name),)) for name in names)
    wanted = tuple(dict.fromkeys(name for group in spelled for name in group))
    unknown = [name for name in wanted if name not in METRICS]
    if unknown:
        near = suggest(unknown[0], [*METRICS, *GROUPS]) if len(unknown) == 1 else ""
        raise MetricError(f"unknown metric {', '.join(map(repr, unknown))}{near or f'; {choices}'}")
    if not wanted:
        raise MetricError(f"no metric asked for; {choices}")
    return wanted


def sources(names: Sequence[str]) -> frozenset[str]:
    """What has to be measured on every image for these metrics: names of scalars and of curves."""
    metrics = [METRICS[name] for name in names]
    return frozenset(metric.source for metric in metrics) | {metric.weight for metric in metrics if metric.weight}


def need_photo(names: Iterable[str]) -> bool:
    """Whether one of these metrics, or of these sources, looks at the photograph."""
    return any(name in METRICS and METRICS[name].needs_photo for name in names)
