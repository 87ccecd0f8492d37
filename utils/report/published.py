"""Figures that other authors published, read from a YAML file: method → source, and data set → metric → value."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..config import yaml_loader
from ..config.names import suggest
from ..config.yaml_loader import Document, Keys, dotted
from ..metrics import METRICS
from .paper import Line

SHIPPED = "published"  # the name of the file beside this one
_PARTS = ("source", "figures")


class CitedError(ValueError):
    """Everything that is wrong with a file of cited figures, one line each."""


def read_cited(file: str) -> list[Line]:
    """The lines of a file; `published` is the shipped one. Raises CitedError with every mistake and its place."""
    shipped = Path(__file__).with_name(f"{SHIPPED}.yaml")
    path = Path(file)
    if not path.is_file() and file.removesuffix(".yaml") == SHIPPED:
        path = shipped
    problems: list[str] = []
    document = yaml_loader.read(path, str(path), problems)
    if not path.is_file():
        problems = [f"{problem}{suggest(file, [SHIPPED])}" for problem in problems]
    if document is not None:
        problems += [
            f"{document.location(keys) or path}: {dotted(keys)}: {text}"
            for keys, text in _mistakes(document)
            if not any(keys[: len(unread)] == unread for unread in document.unread)
        ]
    if document is None or problems:
        raise CitedError("\n".join(problems))
    return [_line(str(method), entry) for method, entry in document.data.items()]


def _line(method: str, entry: dict[str, Any]) -> Line:
    figures = entry["figures"].items()
    scores = {(str(dataset), metric): (float(v),) for dataset, values in figures for metric, v in values.items()}
    return Line(method, scores, " ".join(entry["source"].split()))


def _mistakes(document: Document) -> Iterator[tuple[Keys, str]]:
    for method, entry in document.data.items():
        if not isinstance(entry, dict) or set(entry) != set(_PARTS):
            yield (method,), "must have `source` and `figures`, and nothing else"
            continue
        if not isinstance(entry["source"], str) or not entry["source"].strip():
            yield (method, "source"), "must say where the figures were published"
        if not isinstance(entry["figures"], dict) or not entry["figures"]:
            yield (method, "figures"), "must be data sets with their figures, e.g. ECSSD: {Sm: .949, mae: .023}"
            continue
        for dataset, values in entry["figures"].items():
            yield from _wrong_figures((method, "figures", dataset), values)


def _wrong_figures(keys: Keys, values: Any) -> Iterator[tuple[Keys, str]]:
    if not isinstance(values, dict):
        yield keys, "must be metrics with their values, e.g. {Sm: .949, mae: .023}"
        return
    for metric, value in values.items():
        if metric not in METRICS:
            yield (*keys, metric), f"no metric of this name{suggest(str(metric), METRICS)}"
        elif isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            yield (*keys, metric), f"must be a number, not {value!r}"
