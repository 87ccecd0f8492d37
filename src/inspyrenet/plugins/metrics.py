"""Metrics from outside this package, entered into the table of all metrics."""

from collections.abc import Iterable

from ..utils.config.schema import Config
from ..utils.metrics.registry import Metric, OutsideMetric, add_outside
from . import named as names


def register_metrics(configs: Iterable[Config]) -> None:
    """Make the metrics that configs name known under the last part of their names, which heads their column.

    Raises PluginError for a name that leads to nothing, MetricError for one that a metric has already.
    """
    for config in configs:
        for one in names.metrics(config):
            function = one.make()
            told = getattr(function, "function", function)  # of a function with arguments, which has the attributes
            short = one.name.partition(":")[2] or one.name
            text = getattr(told, "text", None) or f"{one.name} {dict(one.arguments) or ''}".strip()
            add_outside(
                OutsideMetric(Metric(short, short, "mean", told.better, text), one.name, function, dict(one.arguments))
            )
