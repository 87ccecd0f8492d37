"""The table that a paper prints: one line per method, one group of columns per data set; LaTeX, Markdown and CSV.

Published figures of other methods stand above, marked with a dagger, and their sources beneath. The best number of a column
is bold and the second underlined, by the digits that are shown; equal numbers share their place.
"""

import csv
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..metrics import METRICS
from .seeds import SEED
from .tables import PAPER, SEEDS, Row, escape, first_two, writing

DAGGER = "†"
CITED = "as published; their authors may have scored with other conventions"
_SYMBOLS = {  # how papers write a metric; others stand with their name
    "Sm": r"$S_m$",
    "mae": "MAE",
    **{f"{kind}Fm": rf"$F_\beta^{{\mathrm{{{kind}}}}}$" for kind in ("max", "avg", "adp")},
    "wFm": r"$F_\beta^\omega$",
    **{f"{kind}Em": rf"$E_\xi^{{\mathrm{{{kind}}}}}$" for kind in ("max", "avg", "adp")},
}
_ARROWS = {"higher": r"$\uparrow$", "lower": r"$\downarrow$"}

Column = tuple[str, str]  # data set, metric


@dataclass(frozen=True)
class Line:
    """A method.

    scores  column → its value, or its values over seeds; NaN does not count
    source  where they were published; empty where they were measured here
    seeds   "3", or "2 of 3" where one failed; empty without several seeds
    partial "X: 2 of 6 images" for each data set that was scored in part; the least over seeds
    """

    method: str
    scores: Mapping[Column, tuple[float, ...]]
    source: str = ""
    seeds: str = ""
    partial: tuple[str, ...] = ()

    def mean(self, column: Column) -> float:
        """NaN where there is no value."""
        there = self._there(column)
        return statistics.fmean(there) if there else math.nan

    def deviation(self, column: Column) -> float:
        """The sample standard deviation; NaN of fewer than two values."""
        there = self._there(column)
        return statistics.stdev(there) if len(there) > 1 else math.nan

    def _there(self, column: Column) -> list[float]:
        return [value for value in self.scores.get(column, ()) if not math.isnan(value)]


def measured(rows: Sequence[Row], metrics: Sequence[str]) -> list[Line]:
    """The rows of a table as lines, in their order; runs that differ in their seed only are one line."""
    methods: dict[str, list[Row]] = {}
    for row in rows:
        methods.setdefault(SEED.sub("", row.method), []).append(row)
    return [_line(method, members, metrics) for method, members in methods.items()]


def _line(method: str, rows: Sequence[Row], metrics: Sequence[str]) -> Line:
    runs = {row.method for row in rows}
    scored = runs - {row.method for row in rows if row.failure}
    said = str(len(runs)) if scored == runs else f"{len(scored)} of {len(runs)}"
    sets = dict.fromkeys(row.dataset for row in rows if not row.failure)
    columns = [(dataset, metric) for dataset in sets for metric in metrics]
    scores = {(d, m): tuple(row.value(m) for row in rows if row.dataset == d) for d, m in columns}
    least = {d: min((row for row in rows if row.dataset == d), key=lambda row: row.images) for d in sets}
    partial = [f"{d}: {row.images} of {row.masks} images" for d, row in least.items() if row.images != row.masks]
    return Line(method, scores, seeds=said if len(runs) > 1 else "", partial=tuple(partial))


@dataclass(frozen=True)
class Table:
    """Lines in the order in which they are printed, and the columns that they have."""

    lines: Sequence[Line]
    sets: Sequence[str]
    metrics: Sequence[str]

    @property
    def columns(self) -> list[Column]:
        return [(dataset, metric) for dataset in self.sets for metric in self.metrics]

    @property
    def sources(self) -> list[str]:
        """What stands behind the dagger: methods and where their figures were published."""
        by_source: dict[str, list[str]] = {}
        for line in self.lines:
            if line.source:
                by_source.setdefault(line.source, []).append(line.method)
        return [f"{', '.join(methods)}: {source}" for source, methods in by_source.items()]

    @property
    def over_seeds(self) -> str:
        """`Mean ± … over seeds (a: 3, b: 2 of 3)`; empty where no method has several."""
        counts = ", ".join(f"{line.method}: {line.seeds}" for line in self.lines if line.seeds)
        return f"{SEEDS} ({counts})." if counts else ""

    @property
    def in_part(self) -> str:
        """`Scored in part: a on X: 2 of 6 images.`; empty where every method was scored on all images."""
        parts = [f"{line.method} on {text}" for line in self.lines for text in line.partial]
        return f"Scored in part, and not to be compared: {'; '.join(parts)}." if parts else ""

    def places(self) -> dict[tuple[int, Column], int]:
        """(line, column) → 1 for the best and 2 for the second best."""
        found: dict[tuple[int, Column], int] = {}
        for column in self.columns:
            numbers = {i: _number(column[1], line.mean(column)) for i, line in enumerate(self.lines)}
            shown = {i: text for i, text in numbers.items() if text}
            found |= {(i, column): place for i, place in first_two(shown, column[1]).items()}
        return found


def paper_table(lines: Sequence[Line], cited: Sequence[Line], metrics: Sequence[str]) -> Table:
    """Measured lines beneath those cited lines that have a figure in one of their columns."""
    sets = tuple(dict.fromkeys(dataset for line in lines for dataset, _ in line.scores))
    shown = [line for line in cited if any(d in sets and m in metrics for d, m in line.scores)]
    return Table([*shown, *lines], sets, metrics)


def write_paper(folder: Path | str, table: Table, notes: Sequence[str] = ()) -> None:
    """Write paper.csv (every digit), paper.md and paper.tex. ReportError says where and why not."""
    in_csv, in_markdown, in_latex = PAPER
    with writing(folder) as folder:
        with (folder / in_csv).open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(csv_lines(table))
        (folder / in_markdown).write_text(markdown(table, notes), encoding="utf-8")
        (folder / in_latex).write_text(latex(table, notes), encoding="utf-8")


def csv_lines(table: Table) -> list[list[str]]:
    """A title and a line per method; columns of deviations where there are any, nothing where a value lacks."""
    spread = [c for c in table.columns if any(not math.isnan(line.deviation(c)) for line in table.lines)]
    titles = [title for c in table.columns for title in _csv_titles(c, c in spread)]
    in_part = ["in part"] if table.in_part else []
    body = []
    for line in table.lines:
        values = [v for c in table.columns for v in (line.mean(c), *([line.deviation(c)] if c in spread else []))]
        numbers = ["" if math.isnan(v) else repr(v) for v in values]
        body.append([line.method, line.source, line.seeds, *numbers, *("; ".join(line.partial) for _ in in_part)])
    return [["method", "source", "seeds", *titles, *in_part], *body]


def _csv_titles(column: Column, has_deviation: bool) -> list[str]:
    title = " ".join(column)
    return [title, f"{title} deviation"] if has_deviation else [title]


def markdown(table: Table, notes: Sequence[str] = ()) -> str:
    """Best in bold and second underlined, sources and notes as a list."""
    titles = [f"{d} {m} {'↑' if METRICS[m].better == 'higher' else '↓'}" for d, m in table.columns]
    cells = _cells(table, ("**{}**", "<u>{}</u>"), " ± ", "-")
    names = [f"{line.method} {DAGGER}" if line.source else line.method for line in table.lines]
    lines = [["method", *titles], *([name, *line] for name, line in zip(names, cells, strict=True))]
    rows = ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]
    sources = [f"{DAGGER} {source} ({CITED})." for source in table.sources]
    beneath = [f"* {text}" for text in (*sources, table.over_seeds, table.in_part, *notes) if text]
    return "\n".join([rows[0], "|---|" + "---:|" * len(titles), *rows[1:], "", *beneath]).rstrip() + "\n"


def latex(table: Table, notes: Sequence[str] = ()) -> str:
    r"""A booktabs table to be \input, its sources beneath it, the notes as comments."""
    cells = _cells(table, (r"\textbf{{{}}}", r"\underline{{{}}}"), r" $\pm$ ", "--")
    names = [escape(line.method) + (r"$^\dagger$" if line.source else "") for line in table.lines]
    lines = [" & ".join([name, *line]) + r" \\" for name, line in zip(names, cells, strict=True)]
    cited = sum(bool(line.source) for line in table.lines)
    body = [*lines[:cited], *([r"\midrule"] if 0 < cited < len(lines) else []), *lines[cited:]]
    beneath = [rf"$^\dagger$ {escape(source)} ({CITED})." for source in table.sources]
    beneath += [escape(table.over_seeds).replace("±", r"$\pm$")] if table.over_seeds else []
    beneath += [escape(table.in_part)] if table.in_part else []
    return "\n".join(
        [
            *(f"% {note}" for note in notes),
            r"% needs \usepackage{booktabs}",
            rf"\begin{{tabular}}{{l{'r' * len(table.columns)}}}",
            r"\toprule",
            *_latex_head(table),
            r"\midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}",
            *(rf"\par\smallskip{{\footnotesize {text}\par}}" for text in beneath),
            "",
        ]
    )


def _latex_head(table: Table) -> list[str]:
    """Data sets over their groups of columns, rules beneath them, and the metrics."""
    width = len(table.metrics)
    groups = [rf"\multicolumn{{{width}}}{{c}}{{{escape(dataset)}}}" for dataset in table.sets]
    starts = [2 + i * width for i in range(len(table.sets))]
    rules = " ".join(rf"\cmidrule(lr){{{start}-{start + width - 1}}}" for start in starts)
    titles = [f"{_SYMBOLS.get(m, escape(m))} {_ARROWS[METRICS[m].better]}" for _, m in table.columns]
    return [" & ".join(["", *groups]) + r" \\", *([rules] if rules else []), " & ".join(["Method", *titles]) + r" \\"]


def _cells(table: Table, marks: tuple[str, str], plus_minus: str, lacking: str) -> list[list[str]]:
    """The numbers of each line as text; `marks` are the patterns of the best and the second best."""
    patterns = {key: marks[place - 1] for key, place in table.places().items()}

    def cell(i: int, line: Line, column: Column) -> str:
        text = _number(column[1], line.mean(column)) or lacking
        spread = _number(column[1], line.deviation(column))
        return patterns.get((i, column), "{}").format(text) + (f"{plus_minus}{spread}" if spread else "")

    return [[cell(i, line, column) for column in table.columns] for i, line in enumerate(table.lines)]


def _number(metric: str, value: float) -> str:
    """With one digit less than in the table of scores, as papers print them; empty where there is none."""
    digits = METRICS[metric].digits
    return "" if math.isnan(value) else f"{value:.{digits - 1 if digits > 3 else digits}f}"
