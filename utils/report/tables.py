"""Tables of scores: on the console, as CSV, Markdown and LaTeX, with the conventions stated beneath."""

import csv
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ..metrics import GROUPS, GT_THRESHOLD, METRICS, PYSOD, Conventions, Interval

PAPER = ("paper.csv", "paper.md", "paper.tex")
OF_SCORES = ("seeds.csv", "per_image.csv", "per_image.parquet", "curves.csv", "report.html", *PAPER)  # beside tables
SEEDS = "Mean ± sample standard deviation over seeds"


class ReportError(OSError):
    """A report that could not be written."""


@dataclass(frozen=True)
class Row:
    """One line of a table: a method on a data set.

    values     metric -> number, NaN where it does not exist
    images     how many pairs were scored, of `masks` masks
    remarks    what a reader must know about this line
    intervals  metric -> 95 % interval
    failure    why there are no numbers: the run failed
    """

    method: str
    dataset: str
    values: Mapping[str, float]
    images: int
    masks: int
    remarks: tuple[str, ...] = ()
    intervals: Mapping[str, Interval] = field(default_factory=dict)
    failure: str = ""

    @classmethod
    def failed(cls, method: str, reason: str) -> "Row":
        """The line of a run that gave no maps, on no data set."""
        return cls(method, "-", {}, 0, 0, failure=reason)

    def value(self, metric: str) -> float:
        """NaN where this line does not have the metric."""
        return self.values.get(metric, math.nan)

    def cells(self, metrics: Sequence[str]) -> list[str]:
        """The line as text."""
        count = str(self.images) if self.images == self.masks else f"{self.images} of {self.masks}"
        count = "failed" if self.failure else count
        return [self.method, self.dataset, count, *(number(name, self.value(name)) for name in metrics)]


def number(metric: str, value: float) -> str:
    """A value with the digits that its metric is given with; a dash where there is none."""
    return "-" if math.isnan(value) else f"{value:.{METRICS[metric].digits}f}"


def interval(metric: str, value: Interval | None) -> str:
    """`low … high`; a dash where there is none."""
    if value is None or math.isnan(value.low):
        return "-"
    return f"{number(metric, value.low)} … {number(metric, value.high)}"


def ranks(rows: Sequence[Row], metric: str) -> dict[int, int]:
    """Line -> 1 or 2 for the best and second best method on each data set, by the digits that are shown.

    Data sets on which only one method was scored have no ranks; equal numbers share theirs.
    """
    found: dict[int, int] = {}
    for dataset in dict.fromkeys(row.dataset for row in rows):
        shown = {i: number(metric, row.value(metric)) for i, row in enumerate(rows) if row.dataset == dataset}
        found |= first_two({i: text for i, text in shown.items() if text != "-"}, metric)
    return found


def first_two(shown: Mapping[int, str], metric: str) -> dict[int, int]:
    """Line -> 1 or 2 for the best and second best of these numbers; none where one line stands alone."""
    values = {i: float(text) for i, text in shown.items()}
    order = sorted(set(values.values()), reverse=METRICS[metric].better == "higher")
    return {i: order.index(value) + 1 for i, value in values.items() if value in order[:2] and len(values) > 1}


def header(metrics: Sequence[str], signs: Mapping[str, str] | None = None) -> list[str]:
    """Column titles; `signs` maps "higher" and "lower" to what is put behind a metric's name."""
    return ["method", "data set", "images", *(name + (signs or {}).get(METRICS[name].better, "") for name in metrics)]


def text_table(rows: Sequence[Row], metrics: Sequence[str]) -> str:
    """Columns aligned with spaces, for the console."""
    return aligned([header(metrics), *(row.cells(metrics) for row in rows)], left=2)


def aligned(lines: Sequence[Sequence[str]], left: int = 1) -> str:
    """Cells in columns, a rule beneath the first line; the first `left` columns are flush left, the others right."""
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    text = [
        "  ".join(
            cell.ljust(w) if i < left else cell.rjust(w) for i, (cell, w) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    ]
    return "\n".join([text[0], "-" * len(text[0]), *text[1:]])


def remarks(rows: Sequence[Row]) -> list[str]:
    """What a reader must know about these lines."""
    return [f"{row.method} on {row.dataset}: {remark}" for row in rows for remark in row.remarks]


def footnotes(
    rows: Sequence[Row], metrics: Sequence[str], notes: Sequence[str] = (), conventions: Conventions = PYSOD
) -> list[str]:
    """What belongs beneath a table, a line each: notes of the configs, remarks on its lines, conventions, definitions."""
    failures = [f"{row.method} failed: {row.failure}" for row in rows if row.failure]
    definitions = [f"{name}: {METRICS[name].text}; {METRICS[name].better} is better." for name in metrics]
    lines = [
        *failures,
        *dict.fromkeys(notes),
        *remarks(rows),
        f"Conventions: {conventions.name}.",
        *_cut_masks(metrics),
        "Predictions of another size are resized to the mask, bilinear.",
        *conventions.notes(),
        *definitions,
    ]
    return [" ".join(line.split()) for line in lines]  # what people write in YAML may have several


def _cut_masks(metrics: Sequence[str]) -> list[str]:
    """What is done about soft masks, where a metric takes hard ones."""
    soft = [name for name in metrics if name in GROUPS["matting"]]
    if metrics and len(soft) == len(metrics):
        return []
    but = f"; {', '.join(soft)} take{'s' * (len(soft) == 1)} masks as they are" if soft else ""
    return [f"Masks are foreground above {GT_THRESHOLD} of 255 (soft masks are cut there){but}."]


# -- files --------------------------------------------------------------------------------------------------------


def markdown(
    rows: Sequence[Row], metrics: Sequence[str], notes: Sequence[str] = (), seeds: Sequence[Sequence[str]] = ()
) -> str:
    """A Markdown table, best in bold where methods compete; `seeds` and intervals if there are any; the notes as a list."""
    parts = [_markdown_table(header(metrics, {"higher": " ↑", "lower": " ↓"}), _marked(rows, metrics, "**{}**", "{}"))]
    if seeds:
        parts += [f"{SEEDS}:", _markdown_table(seeds[0], seeds[1:])]
    if any(row.intervals for row in rows):
        cells = [
            [*row.cells(())[:2], str(row.images), *(interval(m, row.intervals.get(m)) for m in metrics)]
            for row in rows
            if not row.failure
        ]
        parts += ["95 % bootstrap intervals:", _markdown_table(header(metrics), cells)]
    return "\n\n".join([*parts, "\n".join(f"* {note}" for note in notes)]).rstrip() + "\n"


def _markdown_table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    body = ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in (head, *lines)]
    return "\n".join([body[0], "|---|---|" + "---:|" * (len(head) - 2), *body[1:]])


def latex(
    rows: Sequence[Row], metrics: Sequence[str], notes: Sequence[str] = (), seeds: Sequence[Sequence[str]] = ()
) -> str:
    r"""A booktabs table, best in bold and second underlined on each data set; `seeds` as a second one; the notes as comments."""
    titles = header(metrics, {"higher": r" $\uparrow$", "lower": r" $\downarrow$"})
    lines = _marked(rows, metrics, r"\textbf{{{}}}", r"\underline{{{}}}", escape)
    body = []
    for i, line in enumerate(lines):
        if i and rows[i].dataset != rows[i - 1].dataset:
            body.append(r"\midrule")
        body.append(" & ".join(line) + r" \\")
    parts = [*(f"% {note}" for note in notes), r"% needs \usepackage{booktabs}", *_tabular(titles, body)]
    if seeds:
        spreads = [" & ".join(escape(cell).replace("±", r"$\pm$") for cell in line) + r" \\" for line in seeds[1:]]
        parts += ["", f"% {SEEDS}", *_tabular([escape(title) for title in seeds[0]], spreads)]
    return "\n".join([*parts, ""])


def _tabular(titles: Sequence[str], body: Sequence[str]) -> list[str]:
    return [
        rf"\begin{{tabular}}{{ll{'r' * (len(titles) - 2)}}}",
        r"\toprule",
        " & ".join(titles) + r" \\",
        r"\midrule",
        *body,
        r"\bottomrule",
        r"\end{tabular}",
    ]


def escape(text: str) -> str:
    """A name as LaTeX prints it."""
    special = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    return "".join(special.get(c, f"\\{c}" if c in "&%$#_{}" else c) for c in text)


def _marked(
    rows: Sequence[Row], metrics: Sequence[str], best: str, second: str, escape: Callable[[str], str] = str
) -> list[list[str]]:
    """Cells with the best and second best number put into these patterns."""
    lines = [[escape(cell) for cell in row.cells(metrics)] for row in rows]
    for column, metric in enumerate(metrics, start=3):
        for i, rank in ranks(rows, metric).items():
            lines[i][column] = (best if rank == 1 else second).format(lines[i][column])
    return lines


def write_tables(
    folder: Path | str,
    rows: Sequence[Row],
    metrics: Sequence[str],
    notes: Sequence[str] = (),
    seeds: Sequence[Sequence[str]] = (),
) -> list[Path]:
    """Write scores.csv (every digit, intervals too), scores.md and scores.tex; returns the files.

    seeds: what `seeds.seed_lines` gives, for the last two and for seeds.csv.
    ReportError says where and why not.
    """
    rows = list(rows)
    by_set = sorted(rows, key=lambda row: [r.dataset for r in rows].index(row.dataset))
    texts = {"scores.md": markdown(rows, metrics, notes, seeds), "scores.tex": latex(by_set, metrics, notes, seeds)}
    with writing(folder) as folder:
        with (folder / "scores.csv").open("w", newline="", encoding="utf-8") as file:
            table = csv.writer(file)
            with_bounds = any(row.intervals for row in rows)
            bounds = [f"{name}_{side}" for name in metrics for side in ("low", "high")] if with_bounds else []
            failures = ["failure"] if any(row.failure for row in rows) else []
            table.writerow(["method", "dataset", "images", "masks", *metrics, *bounds, *failures])
            for row in rows:
                table.writerow([*_csv_line(row, metrics, with_bounds), *(row.failure for _ in failures)])
        (folder / "seeds.csv").unlink(missing_ok=True)  # of an earlier command
        if seeds:
            with (folder / "seeds.csv").open("w", newline="", encoding="utf-8") as file:
                csv.writer(file).writerows(seeds)
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")
    return [folder / name for name in ("scores.csv", *texts)]


def write_failures(folder: Path | str, failures: Mapping[str, str]) -> None:
    """The tables of runs (name -> reason) that all failed, in place of everything that earlier runs left in the folder.

    ReportError says where and why not.
    """
    rows = [Row.failed(name, reason) for name, reason in failures.items()]
    write_tables(folder, rows, (), [f"{row.method} failed: {row.failure}" for row in rows])
    with writing(folder) as folder:
        for name in OF_SCORES:
            (folder / name).unlink(missing_ok=True)


def _csv_line(row: Row, metrics: Sequence[str], with_bounds: bool) -> list[str | int]:
    values = [row.value(name) for name in metrics]
    if with_bounds:
        missing = Interval(math.nan, math.nan)
        found = [row.intervals.get(name, missing) for name in metrics]
        values += [bound for i in found for bound in (i.low, i.high)]
    return [row.method, row.dataset, row.images, row.masks, *("" if math.isnan(v) else repr(v) for v in values)]


@contextmanager
def writing(folder: Path | str) -> Iterator[Path]:
    """Make the folder; inside, an OSError becomes a ReportError that names it and says what to do."""
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
    except ReportError:
        raise
    except OSError as error:
        reason = error.strerror or error
        raise ReportError(f"cannot write to {folder} ({reason}); choose another Eval.result_path") from error
