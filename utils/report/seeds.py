"""Runs that differ in their seed only, as one line: mean ± standard deviation."""

import math
import re
import statistics
from collections import Counter
from collections.abc import Iterable, Sequence

from ..metrics import METRICS
from .tables import Row, aligned, header

SEED = re.compile(r"_seed-\d+")  # what a grid over seeds puts into the names of its runs


def seed_table(rows: Sequence[Row], metrics: Sequence[str]) -> str | None:
    """`seed_lines` for the console; None where no run has several seeds."""
    lines = seed_lines(rows, metrics)
    return aligned(lines, left=2) if lines else None


def seed_lines(rows: Sequence[Row], metrics: Sequence[str]) -> list[list[str]]:
    """Titles, and for each run with several seeds mean ± sample standard deviation; empty where no run has several.

    Seeds that failed do not count, and those that were scored on a part of the images do; the line says so.
    """
    groups: dict[tuple[str, str], list[Row]] = {}
    failed = failed_seeds(row.method for row in rows if row.failure)
    for row in rows:
        if not row.failure:
            groups.setdefault((SEED.sub("", row.method), row.dataset), []).append(row)
    lines = []
    for (method, dataset), members in groups.items():
        count, said = counted(len(members), failed[method])
        in_part = sum(row.images != row.masks for row in members)
        said += f", {in_part} in part" if in_part else ""
        spreads = [spread(name, [row.value(name) for row in members]) for name in metrics]
        lines += [[method, dataset, said, *spreads]] if count > 1 else []
    return [["method", "data set", "seeds", *header(metrics)[3:]], *lines] if lines else []


def failed_seeds(names: Iterable[str]) -> Counter[str]:
    """How many of the runs that failed, given by their names, belong to each method."""
    return Counter(SEED.sub("", name) for name in names)


def counted(scored: int, failed: int) -> tuple[int, str]:
    """(how many seeds there are, what a table says of it): "3", or "2 of 3" where one failed."""
    return scored + failed, f"{scored} of {scored + failed}" if failed else str(scored)


def spread(metric: str, values: Sequence[float]) -> str:
    """`mean ± deviation` with the metric's digits, the mean alone of one value; values that do not exist do not count."""
    return mean_and_deviation(values, METRICS[metric].digits)


def mean_and_deviation(values: Sequence[float], digits: int) -> str:
    """The same with so many digits."""
    there = [value for value in values if not math.isnan(value)]
    if not there:
        return "-"
    deviation = f" ± {statistics.stdev(there):.{digits}f}" if len(there) > 1 else ""
    return f"{statistics.fmean(there):.{digits}f}{deviation}"
