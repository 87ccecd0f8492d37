"""The comparison of two methods as text and files."""

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..metrics import METRICS, Comparison
from .tables import aligned, number, writing

Compared = tuple[int, Sequence[Comparison]]  # how many images both methods have of a set, and what was found on them

_HEAD = ("metric", "A", "B", "A - B", "95 % interval", "p", "A better", "B better", "equal")
LISTED_BY = ("wFm", "Sm", "mae")  # metrics by whose difference images are listed, in order of preference

METHOD = (
    "Interval: percentile bootstrap over the images, the same resamples for both methods.",
    "p: two-sided permutation test that exchanges the two methods image by image.",
    "A better, B better, equal: numbers of images; for max and avg metrics by the image's own curve.",
    "p is not corrected for the number of metrics and data sets that are looked at.",
)


def listed(comparisons: Sequence[Comparison]) -> Comparison:
    """The comparison whose images are listed."""
    by_name = {c.metric: c for c in comparisons}
    return next((by_name[name] for name in LISTED_BY if name in by_name), comparisons[0])


def compare_text(first: str, second: str, table: Mapping[str, Compared], notes: Sequence[str] = ()) -> str:
    """For the console: one table per data set, the images that differ most, and the notes."""
    parts = [f"A: {first}\nB: {second}"]
    for dataset, (count, comparisons) in table.items():
        parts.append(f"{dataset}, {count} images")
        parts.append(aligned([_HEAD, *map(_cells, comparisons)]))
        parts.append("\n".join(_largest(listed(comparisons))))
    return "\n\n".join([*parts, "\n".join((*METHOD, *notes))])


def write_comparison(
    folder: Path | str, first: str, second: str, table: Mapping[str, Compared], notes: Sequence[str] = ()
) -> None:
    """Write compare.md, compare.csv (every digit) and largest.csv. ReportError says where and why not."""
    with writing(folder) as folder:
        (folder / "compare.md").write_text(_markdown(first, second, table, notes), encoding="utf-8")
        with (folder / "compare.csv").open("w", newline="", encoding="utf-8") as file:
            lines = csv.writer(file)
            lines.writerow(
                ["dataset", "metric", "a", "b", "difference", "low", "high", "p", "a_better", "b_better", "equal"]
            )
            for dataset, (_, comparisons) in table.items():
                for c in comparisons:
                    values = (c.first, c.second, c.difference, c.interval.low, c.interval.high, c.p)
                    counts = (c.wins, c.losses, c.ties)
                    lines.writerow([dataset, c.metric, *("" if math.isnan(v) else repr(v) for v in values), *counts])
        with (folder / "largest.csv").open("w", newline="", encoding="utf-8") as file:
            lines = csv.writer(file)
            lines.writerow(["dataset", "metric", "image", "a", "b"])
            for dataset, (_, comparisons) in table.items():
                lines.writerows([dataset, c.metric, *entry] for c in comparisons for entry in c.largest)


def _markdown(first: str, second: str, table: Mapping[str, Compared], notes: Sequence[str]) -> str:
    parts = [f"A: {first}, B: {second}"]
    for dataset, (count, comparisons) in table.items():
        rows = ["| " + " | ".join(line) + " |" for line in (_HEAD, *map(_cells, comparisons))]
        parts.append(f"## {dataset} ({count} images)")
        parts.append("\n".join([rows[0], "|---|" + "---:|" * (len(_HEAD) - 1), *rows[1:]]))
        title, *lines = _largest(listed(comparisons))
        parts.append("\n".join([title, "", *(f"* {line.strip()}" for line in lines)]))
    return "\n\n".join([*parts, "\n".join(f"* {note}" for note in (*METHOD, *notes))]) + "\n"


def _cells(c: Comparison) -> list[str]:
    digits = METRICS[c.metric].digits
    return [
        c.metric,
        number(c.metric, c.first),
        number(c.metric, c.second),
        f"{c.difference:+.{digits}f}",
        f"{c.interval.low:+.{digits}f} … {c.interval.high:+.{digits}f}",
        f"{c.p:.4f}",
        *map(str, (c.wins, c.losses, c.ties)),
    ]


def _largest(c: Comparison) -> list[str]:
    return [f"Images that differ most by {c.metric}:"] + [
        f"  {name}  A {number(c.metric, a)}  B {number(c.metric, b)}" for name, a, b in c.largest
    ]
