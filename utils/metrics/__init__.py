"""Metrics of salient object detection: fast, equal to pysodmetrics wherever that is finite. No torch in here."""

from .accumulate import Accumulator, Result
from .bootstrap import Comparison, Interval, compare, intervals
from .conventions import CONVENTIONS, PYSOD, Conventions, find_conventions
from .evaluate import SetScores, evaluate_folder
from .files import DatasetPairs, PairingError, ScorePair, SetFolders, match_folders
from .prepare import GT_THRESHOLD, MapError
from .registry import DEFAULT_METRICS, GROUPS, METRICS, Metric, MetricError, check_metrics, need_photo
from .score import ImageScores, score

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
