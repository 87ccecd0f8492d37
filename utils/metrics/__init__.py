"""Metrics of salient object detection: fast, equal to pysodmetrics wherever that is finite. No torch in here.

Importing this package is cheap: the names of metrics (`registry.py`) are listed where OpenCV is not installed, too.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .accumulate import Accumulator, Result
    from .bootstrap import Comparison, Interval, compare, intervals
    from .conventions import CONVENTIONS, PYSOD, Conventions, find_conventions
    from .evaluate import SetScores, evaluate_folder
    from .files import DatasetPairs, PairingError, ScorePair, SetFolders, match_folders
    from .prepare import GT_THRESHOLD, MapError
    from .registry import DEFAULT_METRICS, GROUPS, METRICS, Metric, MetricError, check_metrics, need_photo
    from .scoring import ImageScores, score

_HOME = {
    "Accumulator": ".accumulate",
    "CONVENTIONS": ".conventions",
    "Comparison": ".bootstrap",
    "Conventions": ".conventions",
    "DEFAULT_METRICS": ".registry",
    "DatasetPairs": ".files",
    "GROUPS": ".registry",
    "GT_THRESHOLD": ".prepare",
    "ImageScores": ".scoring",
    "Interval": ".bootstrap",
    "METRICS": ".registry",
    "MapError": ".prepare",
    "Metric": ".registry",
    "MetricError": ".registry",
    "PYSOD": ".conventions",
    "PairingError": ".files",
    "Result": ".accumulate",
    "ScorePair": ".files",
    "SetFolders": ".files",
    "SetScores": ".evaluate",
    "check_metrics": ".registry",
    "compare": ".bootstrap",
    "evaluate_folder": ".evaluate",
    "find_conventions": ".conventions",
    "intervals": ".bootstrap",
    "match_folders": ".files",
    "need_photo": ".registry",
    "score": ".scoring",
}

__all__ = [
    "CONVENTIONS",
    "DEFAULT_METRICS",
    "GROUPS",
    "GT_THRESHOLD",
    "METRICS",
    "PYSOD",
    "Accumulator",
    "Comparison",
    "Conventions",
    "DatasetPairs",
    "ImageScores",
    "Interval",
    "MapError",
    "Metric",
    "MetricError",
    "PairingError",
    "Result",
    "ScorePair",
    "SetFolders",
    "SetScores",
    "check_metrics",
    "compare",
    "evaluate_folder",
    "find_conventions",
    "intervals",
    "match_folders",
    "need_photo",
    "score",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME[name], __name__), name)
