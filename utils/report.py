"""Tables of scores: on the console, as CSV and as Markdown, with the conventions stated beneath."""

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .metrics import GT_THRESHOLD, METRICS

CONVENTIONS = (
    f"Masks are foreground above {GT_THRESHOLD} of 255 (soft masks are cut there).",
    "Predictions are divided by 255 and stretched to span 0..1, image by image; a constant map is left as it is.",
    "Predictions of another size are resized to the mask, bilinear.",
)


class ReportError(OSError):
    """A report that could not be written."""


@dataclass(frozen=True)
class Row:
    """One line of a table: a method on a data set.

    values   metric -> number, NaN where it does not exist
    images   how many pairs were scored, of `masks` masks
    remarks  what a reader must know about this line
    """

    method: str
    dataset: str
    values: dict[str, float]
    images: int
    masks: int
    remarks: tuple[str, ...] = ()

    def value(self, metric: str) -> float:
        """NaN where this line does not have the metric."""
        return self.values.get(metric, math.nan)

    def cells(self, metrics: Sequence[str]) -> list[str]:
        """The line as text."""
        count = str(self.images) if self.images == self.masks else f"{self.images} of {self.masks}"
        return [self.method, self.dataset, count, *(number(name, self.value(name)) for name in metrics)]


def number(metric: str, value: float) -> str:
    """A value with the digits that its metric is given with; a dash where there is none."""
    return "-" if math.isnan(value) else f"{value:.{METRICS[metric].digits}f}"


def header(metrics: Sequence[str], arrows: bool = False) -> list[str]:
    signs = {"higher": " ↑", "lower": " ↓"} if arrows else {"higher": "", "lower": ""}
    return ["method", "data set", "images", *(name + signs[METRICS[name].better] for name in metrics)]


def text_table(rows: Sequence[Row], metrics: Sequence[str]) -> str:
    """Columns aligned with spaces, for the console."""
    lines = [header(metrics), *(row.cells(metrics) for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    text = [
        "  ".join(_fit(cell, width, i) for i, (cell, width) in enumerate(zip(line, widths, strict=True)))
        for line in lines
    ]
    return "\n".join([text[0], "-" * len(text[0]), *text[1:]])


def _fit(cell: str, width: int, column: int) -> str:
    return cell.ljust(width) if column < 2 else cell.rjust(width)


def markdown(rows: Sequence[Row], metrics: Sequence[str], notes: Sequence[str] = ()) -> str:
    """A Markdown table with the footnotes as a list."""
    lines = [header(metrics, arrows=True), *(row.cells(metrics) for row in rows)]
    body = ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]
    rule = "|---|---|" + "---:|" * (len(metrics) + 1)
    return "\n".join([body[0], rule, *body[1:], "", *(f"* {note}" for note in notes)]) + "\n"


def footnotes(rows: Sequence[Row], metrics: Sequence[str], notes: Sequence[str] = ()) -> list[str]:
    """What belongs beneath a table: remarks on its lines, notes of the configs, conventions, definitions."""
    remarks = [f"{row.method} on {row.dataset}: {remark}" for row in rows for remark in row.remarks]
    definitions = [f"{name}: {METRICS[name].text}; {METRICS[name].better} is better." for name in metrics]
    return [*dict.fromkeys(notes), *remarks, *CONVENTIONS, *definitions]


def write_tables(
    folder: Path | str, rows: Sequence[Row], metrics: Sequence[str], notes: Sequence[str] = ()
) -> list[Path]:
    """Write scores.csv (every digit) and scores.md to the folder; returns the files. ReportError says where and why not."""
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "scores.csv").open("w", newline="", encoding="utf-8") as file:
            table = csv.writer(file)
            table.writerow(["method", "dataset", "images", "masks", *metrics])
            for row in rows:
                values = ("" if math.isnan(row.value(name)) else repr(row.value(name)) for name in metrics)
                table.writerow([row.method, row.dataset, row.images, row.masks, *values])
        (folder / "scores.md").write_text(markdown(rows, metrics, footnotes(rows, metrics, notes)), encoding="utf-8")
    except OSError as error:
        raise ReportError(
            f"cannot write the tables to {folder} ({error.strerror or error}); choose another Eval.result_path"
        ) from error
    return [folder / "scores.csv", folder / "scores.md"]
