"""What each image scored, and the curves of each data set, as files for other programs."""

import csv
import importlib.util
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..metrics import SetScores
from .tables import writing

CURVES = ("precision", "recall", "Fm", "Em", "IoU")


@dataclass(frozen=True)
class MethodScores:
    """A method on a data set."""

    method: str
    scores: SetScores


def write_per_image(folder: Path | str, table: Sequence[MethodScores]) -> list[Path]:
    """Write per_image.csv, and per_image.parquet where pyarrow is installed; returns the files.

    One line per image; a max or avg metric is that of the image's own curve. ReportError says where and why not.
    """
    metrics = list(dict.fromkeys(name for entry in table for name in entry.scores.scores.metrics))
    columns: dict[str, list] = {"method": [], "dataset": [], "image": [], **{name: [] for name in metrics}}
    for entry in table:
        scores = entry.scores.scores
        names, values = scores.names(), scores.per_image()
        columns["method"] += [entry.method] * len(names)
        columns["dataset"] += [entry.scores.dataset] * len(names)
        columns["image"] += names
        for name in metrics:
            columns[name] += values[name].tolist() if name in values else [math.nan] * len(names)
    with writing(folder) as folder:
        files = [folder / "per_image.csv"]
        with files[0].open("w", newline="", encoding="utf-8") as file:
            lines = csv.writer(file)
            lines.writerow(columns)
            lines.writerows([_cell(value) for value in line] for line in zip(*columns.values(), strict=True))
        (folder / "per_image.parquet").unlink(missing_ok=True)  # of an earlier command
        if importlib.util.find_spec("pyarrow"):
            files.append(folder / "per_image.parquet")
            _write_parquet(files[-1], columns)
    return files


def write_curves(folder: Path | str, table: Sequence[MethodScores]) -> Path | None:
    """Write curves.csv: mean precision, recall, F, E and IoU at thresholds 0 … 255; None where none was measured."""
    found = [entry for entry in table if has_curves(entry.scores)]
    if not found:
        (Path(folder) / "curves.csv").unlink(missing_ok=True)  # of an earlier command
        return None
    with writing(folder) as folder, (folder / "curves.csv").open("w", newline="", encoding="utf-8") as file:
        lines = csv.writer(file)
        lines.writerow(["method", "dataset", "threshold", *CURVES])
        for entry in found:
            values = np.stack([entry.scores.scores.curve(name)[::-1] for name in CURVES], axis=1)
            for threshold, line in enumerate(values.tolist()):
                lines.writerow([entry.method, entry.scores.dataset, threshold, *map(repr, line)])
    return folder / "curves.csv"


def has_curves(scores: SetScores) -> bool:
    """Whether pixels were counted at 256 thresholds, which not every choice of metrics needs."""
    return scores.scores.has_counts()


def _cell(value: str | float) -> str:
    if isinstance(value, str):
        return value
    return "" if math.isnan(value) else repr(value)


def _write_parquet(path: Path, columns: dict[str, list]) -> None:
    import pyarrow
    import pyarrow.parquet

    pyarrow.parquet.write_table(pyarrow.table(columns), path)
