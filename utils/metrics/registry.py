"""Every metric that a table may show: its name, which way is better, what it is made of and how it is defined.

A metric is either a number per image (`source` names it in `ImageScores.scalars`) whose mean over the data set is shown,
or a number read off a curve over 256 thresholds (`source` names the curve): `max` and `avg` reduce the mean curve.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal


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


_F = "F-measure, beta^2 = 0.3"
_E = "E-measure (enhanced alignment)"
_IOU = "intersection over union"
_BIOU = "boundary IoU, band of 2 % of the image diagonal inside the mask, prediction band taken on the gray map"
_DICE = "Dice coefficient 2TP / (2TP + FP + FN)"
_ADAPTIVE = "at the adaptive threshold min(2 * mean of the map, 1)"
_MAX = "largest over 256 thresholds"
_AVG = "mean over 256 thresholds"

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
)

METRICS: dict[str, Metric] = {metric.name: metric for metric in _TABLE}
_SPELLINGS = {name.lower(): name for name in METRICS}
DEFAULT_METRICS = ("Sm", "mae", "adpEm", "maxEm", "avgEm", "adpFm", "maxFm", "avgFm", "wFm", "mBA")

# curves that come from the counts of right and wrong pixels in the mask's band instead of in the whole image
BAND_CURVES = frozenset({"BIoU"})


class MetricError(ValueError):
    """Metrics that do not exist, or scores that cannot be put together."""


def check_metrics(names: Iterable[str]) -> tuple[str, ...]:
    """The names as METRICS has them (`hce` is HCE), without repeats. MetricError lists the choices when a name is unknown."""
    wanted = tuple(dict.fromkeys(_SPELLINGS.get(name.lower(), name) for name in names))
    unknown = [name for name in wanted if name not in METRICS]
    if unknown:
        raise MetricError(f"unknown metric {', '.join(map(repr, unknown))}; choose from {', '.join(METRICS)}")
    if not wanted:
        raise MetricError(f"no metric asked for; choose from {', '.join(METRICS)}")
    return wanted


def sources(names: Sequence[str]) -> frozenset[str]:
    """What has to be measured on every image for these metrics: names of scalars and of curves."""
    return frozenset(METRICS[name].source for name in names)
