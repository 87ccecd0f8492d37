"""Metrics of salient object detection: fast, equal to pysodmetrics wherever that is finite. No torch in here."""

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
    "Metric",
    "MetricError",
    "Result",
    "check_metrics",
    "score",
]
