"""Metrics of salient object detection: fast, equal to pysodmetrics wherever that is finite. No torch in here."""

from .evaluate import SetScores, evaluate_folder
from .files import MatchedSet, PairingError, ScorePair, match_folders
from .prepare import GT_THRESHOLD, MapError
from .registry import DEFAULT_METRICS, METRICS, Metric, MetricError, check_metrics
from .score import Accumulator, ImageScores, Result, score

__all__ = [
    "DEFAULT_METRICS",
    "GT_THRESHOLD",
    "METRICS",
    "Accumulator",
    "ImageScores",
    "MapError",
    "MatchedSet",
    "Metric",
    "MetricError",
    "PairingError",
    "Result",
    "ScorePair",
    "SetScores",
    "check_metrics",
    "evaluate_folder",
    "match_folders",
    "score",
]
