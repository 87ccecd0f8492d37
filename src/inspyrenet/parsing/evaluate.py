"""Scores the label maps of runs: mIoU, accuracies and the IoU of every class, and writes their tables."""

import csv
import logging
import math
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..data.images.label_maps import label_problem, read_label_map
from ..data.whole_file import whole_file
from ..engine import build
from ..engine.eval_sets import check_finished, find_sets, limit_of
from ..engine.evaluate import DEFAULTS, NothingScored, Options, check_tables, image_root, joint_folder, owners
from ..utils.config.load import ConfigError, filled_in
from ..utils.config.schema import Config
from ..utils.metrics import DatasetPairs, MetricError, match_folders
from ..utils.metrics.files import ScorePair
from ..utils.report.owner import write_owner
from ..utils.report.seeds import SEED, counted, failed_seeds, mean_and_deviation
from ..utils.system.failures import Failures
from .confusion import METRICS, ConfusionMatrix, SceneScores

log = logging.getLogger(__name__)

_THREADS = 4  # Pillow decodes without holding Python's lock


@dataclass(frozen=True)
class SceneRow:
    """One line of a table: a run on a data set, and what was counted there."""

    config: Config
    matched: DatasetPairs
    matrix: ConfusionMatrix

    @property
    def dataset(self) -> str:
        return self.matched.dataset

    @property
    def images(self) -> str:
        """How many were scored; `2 of 8` where others have no prediction."""
        count, masks = self.matrix.scores().images, self.matched.masks
        return str(count) if count == masks else f"{count} of {masks}"

    @property
    def remarks(self) -> list[str]:
        """What a reader must know about this line."""
        found = []
        if self.matched.without_prediction:
            found.append(f"{self.images} label maps have a prediction; the others do not count")
        if self.matched.without_truth:
            found.append(f"{len(self.matched.without_truth)} predictions have no label map")
        return [f"{self.config.name} on {self.dataset}: {remark}" for remark in found]

    @property
    def scores(self) -> SceneScores:
        return self.matrix.scores()

    @property
    def names(self) -> list[str]:
        """One name for every class: the config's, else its number."""
        given = build.section(self.config, "Model").class_names
        return list(given) or [str(number) for number in range(self.matrix.classes)]


def score_scenes(configs: Sequence[Config], options: Options = DEFAULTS, failures: Failures | None = None) -> str:
    """Score each run, write its tables to <result_path>/<name>/, and return the tables of all as text.

    Several runs also write <result_path>/joint/. Raises ConfigError for a report, which there is none of; for a single run
    PairingError for missing maps, MetricError for maps that cannot be scored; NothingScored where all of several fail, which
    else are noted in `failures`; and what `check_tables` raises.
    """
    if options.report:
        raise ConfigError(["--report: is for saliency; scene parsing writes scenes.md and classes.csv"])
    check_tables(configs, options)
    failures = Failures(len(configs)) if failures is None else failures
    rows: list[SceneRow] = []
    for config in configs:
        if config.name in failures:
            continue
        with failures.noted(config.name):
            own = [_score(config, matched) for matched in _match(config, options.allow_missing)]
            _write(Path(config.Eval.result_path) / config.name, own, {})
            _write_matrices(Path(config.Eval.result_path) / config.name, own)
            rows += own
    if not rows:
        raise NothingScored(
            "no run could be scored:\n" + "\n".join(f"  {name}: {why}" for name, why in failures.items())
        )
    if len(configs) > 1 and options.joint:
        _write(joint_folder(configs), rows, failures)
    for folder, made in owners(configs, options).items():
        if not made.keys() & failures.keys() or len(made) > 1:  # a run that failed has no tables of its own
            write_owner(folder, made)
    return _text(rows, failures)


FOOTNOTE = (
    "From one confusion matrix over each set, without ignored pixels. A class that is neither in the labels nor predicted has no "
    "IoU and is left out of the mean."
)


def _match(config: Config, allow_missing: bool) -> list[DatasetPairs]:
    section, test = config.Eval, config.Test
    if section.gt_root is None or test is None:
        raise ConfigError(
            [f"{config.name}: Eval.gt_root: scene parsing is scored with a config that has a section Test"]
        )
    predictions = filled_in(section.pred_root, "Eval.pred_root")
    check_finished(Path(predictions), section.datasets, allow_missing)
    if test.Dataset.limit is None or test.Dataset.painted:
        return match_folders(
            find_sets(predictions, section.gt_root, section.datasets, image_root(config)), allow_missing
        )
    limit = limit_of(test.Dataset)  # Test made only some maps
    folders = find_sets(predictions, section.gt_root, limit.sets(section.datasets), image_root(config))
    return limit.applied(match_folders(folders, allow_missing=True), allow_missing)


def _score(config: Config, matched: DatasetPairs) -> SceneRow:
    """Counts all pairs of a set. Raises MetricError that names a file with values that are no classes, or of another size."""
    classes, ignored = build.section(config, "Model").classes, build.section(config, "Test").Dataset.ignore_label
    if classes is None:
        raise ConfigError([f"{config.name}: Model.classes: is not set, as for the other runs; score them apart"])
    matrix = ConfusionMatrix(classes, ignored)

    def read(pair: ScorePair) -> tuple[np.ndarray, np.ndarray]:
        return _read(pair, classes, ignored)

    with ThreadPoolExecutor(_THREADS) as pool:
        for predicted, labels in pool.map(read, matched.pairs):
            matrix.update(predicted, labels)
    return SceneRow(config, matched, matrix)


def _read(pair: ScorePair, classes: int, ignored: int) -> tuple[np.ndarray, np.ndarray]:
    """(predicted classes, labels), of one size and without other values."""
    if not (isinstance(pair.prediction, Path) and isinstance(pair.truth, Path)):
        raise TypeError("label maps are scored from files")
    predicted, labels = read_label_map(pair.prediction), read_label_map(pair.truth)
    if predicted.shape != labels.shape:
        (height, width), (rows, columns) = predicted.shape, labels.shape
        raise MetricError(f"{pair.prediction}: is {width}x{height} but its label map {pair.truth} is {columns}x{rows}")
    counted = np.where(labels == ignored, 0, predicted)  # elsewhere a prediction may hold anything
    problem = label_problem(pair.truth, labels, classes, ignored) or label_problem(
        pair.prediction, counted, classes, None
    )
    if problem:
        raise MetricError(problem)
    return predicted, labels


# -- tables -------------------------------------------------------------------------------------------------------


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.4f}"


def _markdown(lines: Sequence[Sequence[str]]) -> str:
    """Aligned cells between bars, the first line being the head."""
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    texts = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in lines
    ]
    return "\n".join([texts[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *texts[1:]])


def _summary(rows: Sequence[SceneRow]) -> str:
    return _markdown([("method", "dataset", "images", *METRICS), *(_cells(row) for row in rows)])


def _cells(row: SceneRow) -> tuple[str, ...]:
    values = row.scores.values()
    return (row.config.name, row.dataset, row.images, *(_number(values[name]) for name in METRICS))


def _seeds(rows: Sequence[SceneRow], failures: Mapping[str, str]) -> list[str]:
    """Runs that differ in their seed only, as mean ± standard deviation; empty where no run has several seeds.

    Seeds that failed do not count, which the line says.
    """
    failed = failed_seeds(failures)
    groups: dict[tuple[str, str], list[dict[str, float]]] = {}
    for row in rows:
        groups.setdefault((SEED.sub("", row.config.name), row.dataset), []).append(row.scores.values())
    lines = []
    for (method, dataset), runs in groups.items():
        count, said = counted(len(runs), failed[method])
        spreads = (mean_and_deviation([run[name] for run in runs], 4) for name in METRICS)
        lines += [(method, dataset, said, *spreads)] if count > 1 else []
    return ["", _markdown([("method", "dataset", "seeds", *METRICS), *lines])] if lines else []


def _text(rows: Sequence[SceneRow], failures: Mapping[str, str]) -> str:
    failed = [f"{name}: failed: {why}" for name, why in failures.items()]
    notes = dict.fromkeys(f"{row.config.name}: {row.config.note}" for row in rows if row.config.note)
    remarks = [remark for row in rows for remark in row.remarks]
    beneath = [*failed, *notes, *remarks, FOOTNOTE]
    return "\n".join([_summary(rows), *_seeds(rows, failures), "", *map(_by_class, rows), *beneath])


def _by_class(row: SceneRow) -> str:
    lines = [
        (name, _number(iou), _number(accuracy), f"{share:.2%}")
        for name, iou, accuracy, share in zip(
            row.names,
            row.scores.iou,
            row.scores.accuracy,
            row.scores.pixels / max(1, row.scores.pixels.sum()),
            strict=True,
        )
    ]
    return f"{row.config.name} on {row.dataset}\n{_markdown([('class', 'IoU', 'accuracy', 'pixels'), *lines])}\n"


def _write(folder: Path, rows: Sequence[SceneRow], failures: Mapping[str, str]) -> None:
    """scenes.csv, classes.csv and scenes.md, all digits kept."""
    head = ("method", "dataset", "images", "masks", *METRICS)
    scores = [
        (row.config.name, row.dataset, row.scores.images, row.matched.masks, *row.scores.values().values())
        for row in rows
    ]
    _write_csv(folder / "scenes.csv", [head, *scores])
    classes = [
        (row.config.name, row.dataset, *line)
        for row in rows
        for line in zip(row.names, row.scores.iou, row.scores.accuracy, row.scores.pixels, strict=True)
    ]
    _write_csv(folder / "classes.csv", [("method", "dataset", "class", "IoU", "accuracy", "pixels"), *classes])
    with whole_file(folder / "scenes.md") as partial:
        partial.write_text(_text(rows, failures) + "\n", encoding="utf-8")
    log.info("tables in %s", folder)


def _write_matrices(folder: Path, rows: Sequence[SceneRow]) -> None:
    """The confusion matrix of a run on every set."""
    for other in folder.glob("confusion_*.csv"):  # of sets that may no longer be scored
        other.unlink()
    for row in rows:
        counts = [(name, *line) for name, line in zip(row.names, row.matrix.counts.tolist(), strict=True)]
        _write_csv(folder / f"confusion_{row.dataset.replace('/', '_')}.csv", [("label", *row.names), *counts])


def _write_csv(path: Path, lines: Sequence[Sequence[object]]) -> None:
    with whole_file(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(lines)
