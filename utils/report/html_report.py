"""report.html: one file that opens without a network: tables, curves, histograms, and the images, worst first."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..metrics import METRICS, ScorePair, SetScores
from ..system.page_files import read_page
from .figures import has_curves
from .tables import SEEDS, Row, writing
from .thumbnails import thumbnails, worst_first

PAGE = read_page(__package__, "report")  # names reach it as data, and its script shows them as text, never as markup
BUDGET = 24 << 20  # bytes of thumbnails in a report; the numbers of all images are there in any case
_CURVES = ("precision", "recall", "Fm", "Em")
_DIGITS = 5


@dataclass(frozen=True)
class Entry:
    """A method on a data set: its line of the table, its scores and what was scored."""

    row: Row
    scores: SetScores
    pairs: Sequence[ScorePair]


def write_report(
    path: Path | str,
    title: str,
    entries: Sequence[Entry],
    notes: Sequence[str] = (),
    seeds: Sequence[Sequence[str]] = (),
    budget: int = BUDGET,
) -> None:
    """Write the page. Methods on one data set are shown side by side on the images that all of them have.

    seeds: what `seeds.seed_lines` gives; shown beneath the scores.
    ReportError says where and why not.
    """
    path = Path(path)
    sets = list(dict.fromkeys(entry.row.dataset for entry in entries))
    data = {
        "title": title,
        "notes": list(notes),
        "seeds": {"title": SEEDS, "lines": list(map(list, seeds))},
        "metrics": [_metric(name) for name in dict.fromkeys(m for e in entries for m in e.scores.scores.metrics)],
        "sets": [_panel([e for e in entries if e.row.dataset == name], budget // len(sets)) for name in sets],
    }
    text = json.dumps(data, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    page = PAGE.replace("{{title}}", _escape(title)).replace("{{data}}", text)
    with writing(path.parent):
        path.write_text(page, encoding="utf-8")


def _metric(name: str) -> dict:
    metric = METRICS[name]
    return {"name": name, "better": metric.better, "digits": metric.digits, "text": metric.text}


def _panel(entries: Sequence[Entry], budget: int) -> dict:
    """One data set."""
    names = sorted(set.intersection(*(set(entry.scores.scores.names()) for entry in entries)))
    common = [entry.scores.scores.subset(names) for entry in entries]
    order = worst_first(common) if names else []
    pairs = [{pair.name: pair for pair in entry.pairs} for entry in entries]
    images = [tuple(of[names[i]] for of in pairs) for i in order]
    return {
        "name": entries[0].row.dataset,
        "methods": [_method(entry) for entry in entries],
        "images": names,
        "values": [{name: _rounded(values) for name, values in scores.per_image().items()} for scores in common],
        "pictures": {str(i): found for i, found in zip(order, thumbnails(images, budget), strict=False)},
    }


def _method(entry: Entry) -> dict:
    row, scores = entry.row, entry.scores.scores
    return {
        "name": row.method,
        "images": row.images,
        "masks": row.masks,
        "values": {name: _finite(value) for name, value in row.values.items()},
        "intervals": {name: [_finite(i.low), _finite(i.high)] for name, i in row.intervals.items()},
        "curves": {name: _rounded(scores.curve(name)[::-1]) for name in _CURVES} if has_curves(entry.scores) else None,
    }


def _rounded(values: np.ndarray) -> list[float | None]:
    return [_finite(value) for value in np.round(values, _DIGITS).tolist()]


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")
