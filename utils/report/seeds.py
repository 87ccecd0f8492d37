"""Runs that differ in their seed only, as one line: mean ± standard deviation."""

import math
import re
import statistics
from collections.abc import Sequence

from ..metrics import METRICS
from .tables import Row, aligned, header

SEED = re.compile(r"_seed-\d+")  # what a grid over seeds puts into the names of its runs


def seed_table(rows: Sequence[Row], metrics: Sequence[str]) -> str | None:
    """A table of mean ± sample standard deviation over the seeds of each run; None where no run has several."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((SEED.sub("", row.method), row.dataset), []).append(row)
    several = {key: members for key, members in groups.items() if len(members) > 1}
    if not several:
        return None
    lines = [
        [method, dataset, str(len(members)), *(spread(name, [row.value(name) for row in members]) for name in metrics)]
        for (method, dataset), members in several.items()
    ]
    return aligned([["method", "data set", "seeds", *header(metrics)[3:]], *lines], left=2)


def spread(metric: str, values: Sequence[float]) -> str:
    """`mean ± deviation` with the metric's digits; values that do not exist do not count."""
    there = [value for value in values if not math.isnan(value)]
    if not there:
        return "-"
    digits = METRICS[metric].digits
    deviation = statistics.stdev(there) if len(there) > 1 else 0.0
    return f"{statistics.fmean(there):.{digits}f} ± {deviation:.{digits}f}"
