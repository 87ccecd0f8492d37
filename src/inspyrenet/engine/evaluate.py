"""Scores the maps of runs and writes their tables and reports."""

import logging
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ..data.images.masks import Coding
from ..plugins.datasets import scored_sets
from ..plugins.metrics import register_metrics
from ..utils.config.load import ConfigError, filled_in, load_config
from ..utils.config.schema import Config, DatasetSection
from ..utils.metrics import (
    METRICS,
    Conventions,
    DatasetPairs,
    Interval,
    SetScores,
    check_metrics,
    evaluate_folder,
    find_conventions,
    intervals,
    match_folders,
)
from ..utils.report.figures import MethodScores, write_curves, write_per_image
from ..utils.report.html_report import Entry, write_report
from ..utils.report.owner import check_owner, traits, write_owner
from ..utils.report.paper import Line, measured, paper_table, write_paper
from ..utils.report.published import read_cited
from ..utils.report.seeds import seed_lines, seed_table
from ..utils.report.tables import Row, footnotes, text_table, write_tables
from ..utils.report.worst import worst_names, write_worst
from ..utils.system.failures import Failures
from .eval_sets import check_finished, find_sets, limit_of, with_readers

log = logging.getLogger(__name__)

WORST = 8  # pairs in the picture that --debug writes for each data set
WORST_BY = "mae"
JOINT = "joint"  # folder below result_path for the table of several runs


@dataclass(frozen=True)
class Options:
    """How to score, beside what the configs say.

    allow_missing  score what there is
    verbose        show progress
    debug          write pictures of the worst pairs
    report         write report.html
    fresh          do not use scores that were kept from before
    overwrite      replace the tables of other runs
    goes_on        runs of the names that have tables are resumed
    first_step     what the command does itself: from train, from test, or eval alone
    joint          write the table of several runs
    """

    allow_missing: bool = False
    verbose: bool = False
    debug: bool = False
    report: bool = False
    fresh: bool = False
    overwrite: bool = False
    goes_on: bool = False
    first_step: str = "eval"
    joint: bool = True


DEFAULTS = Options()


@dataclass(frozen=True)
class Scored:
    """One run: what was matched and what it scored, set by set."""

    config: Config
    sets: tuple[tuple[DatasetPairs, SetScores], ...]

    @property
    def metrics(self) -> tuple[str, ...]:
        return check_metrics(self.config.Eval.metrics)

    @property
    def conventions(self) -> Conventions:
        return find_conventions(self.config.Eval.conventions)

    @property
    def folder(self) -> Path:
        return Path(self.config.Eval.result_path) / self.config.name

    @property
    def notes(self) -> list[str]:
        own = [f"{self.config.name}: {self.config.note}"] if self.config.note else []
        return own + [note for matched, _ in self.sets for note in _coding_notes(matched)]

    @property
    def methods(self) -> list[MethodScores]:
        return [MethodScores(self.config.name, scores) for _, scores in self.sets]

    @property
    def entries(self) -> list[Entry]:
        return [Entry(row, scores, matched.pairs) for row, (matched, scores) in zip(self.rows, self.sets, strict=True)]

    @cached_property
    def rows(self) -> list[Row]:
        return [_row(self.config.name, matched, scores) for matched, scores in self.sets]


def folders_config(pred_root: str, gt_root: str, overrides: Sequence[str] = ()) -> Config:
    """A config that says where maps and masks lie and nothing else; `Eval.…` words change the rest.

    It is named after the folder of the maps, and so is the folder of its tables.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"{Path(pred_root).resolve().name}.yaml"
        file.write_text("Eval: {}\n", encoding="utf-8")
        (config,) = load_config(file, overrides)
    return with_roots(config, pred_root, gt_root)


def with_roots(config: Config, pred_root: str | None, gt_root: str | None) -> Config:
    """The config with other folders of maps and masks, where given."""
    changes = {"pred_root": pred_root, "gt_root": gt_root}
    section = config.Eval.model_copy(update={key: value for key, value in changes.items() if value})
    return config.model_copy(update={"Eval": section})


class NothingScored(RuntimeError):
    """Every run failed."""


def check_tables(configs: Sequence[Config], options: Options) -> None:
    """What can be known of the tables before anything is computed.

    Raises ConfigError for runs whose scores cannot stand in one table, CitedError for figures that cannot be read, and
    TablesExistError where tables would replace those of another run.
    """
    if len({config.Eval.conventions for config in configs}) > 1:
        raise ConfigError(["Eval.conventions: one table needs one kind; score the runs apart"])
    _cited(configs)
    if options.overwrite:
        return
    for folder, runs in owners(configs, options).items():
        check_owner(folder, runs, options.goes_on)


def owners(configs: Sequence[Config], options: Options) -> dict[Path, dict[str, dict[str, Any]]]:
    """Folder of tables → the runs in them, as results folders remember them."""
    runs = {config.name: traits(config, options.first_step) for config in configs}
    folders = {Path(config.Eval.result_path) / config.name: {config.name: runs[config.name]} for config in configs}
    return folders | ({joint_folder(configs): runs} if len(configs) > 1 and options.joint else {})


def joint_folder(configs: Sequence[Config]) -> Path:
    """Where the table of several runs goes."""
    return Path(configs[0].Eval.result_path) / JOINT


def _cited(configs: Sequence[Config]) -> list[Line]:
    files = dict.fromkeys(config.Eval.cited for config in configs if config.Eval.cited)
    return [line for file in files for line in read_cited(file)]


def score_runs(configs: Sequence[Config], options: Options = DEFAULTS, failures: Failures | None = None) -> str:
    """Score each run, write its tables to <result_path>/<name>/, and return one table with its footnotes.

    Several runs also write <result_path>/joint/; one that fails is a line of that table, beside those that `failures` has
    already, and is added to them. Raises for a single run PairingError for missing maps or masks, MetricError for maps that
    cannot be scored, ReportError where a table cannot be written; NothingScored where all of several fail; and what
    `check_tables` raises. Nothing is scored before all runs have been matched.
    """
    check_tables(configs, options)
    register_metrics(configs)
    failures = Failures(len(configs)) if failures is None else failures
    runs = score_all([config for config in configs if config.name not in failures], options, failures)
    if not runs:
        raise NothingScored(
            "no run could be scored:\n" + "\n".join(f"  {name}: {why}" for name, why in failures.items())
        )
    for run in runs:
        _write(run.folder, [run], options)
        if options.debug:
            _write_worst(run)
    failed = [Row.failed(config.name, failures[config.name]) for config in configs if config.name in failures]
    if len(configs) > 1 and options.joint:
        _write(joint_folder(configs), runs, options, failed)
    for folder, made in owners(configs, options).items():
        if not made.keys() & failures.keys() or len(made) > 1:  # a run that failed has no tables of its own
            write_owner(folder, made)
    rows = [*(row for run in runs for row in run.rows), *failed]
    metrics = check_metrics(name for run in runs for name in run.metrics)
    notes = [note for run in runs for note in run.notes]
    seeds = seed_table(rows, metrics)
    tables = [text_table(rows, metrics), *(["", seeds] if seeds else [])]
    return "\n".join([*tables, "", *footnotes(rows, metrics, notes, runs[0].conventions)])


def score_all(configs: Sequence[Config], options: Options, failures: Failures) -> list[Scored]:
    """Match all runs, then score one after the other; without those that are noted in `failures`."""
    codings: dict[tuple[Path, ...], Coding] = {}
    matched, scored = [], []
    for config in configs:
        with failures.noted(config.name):
            matched.append((config, with_readers(_match(config, options.allow_missing), codings)))
    for config, sets in matched:
        with failures.noted(config.name):
            scored.append(_score(config, sets, options))
    return scored


def _match(config: Config, allow_missing: bool) -> list[DatasetPairs]:
    section = config.Eval
    if section.gt_root is None:
        raise ConfigError([f"{config.name}: Eval.gt_root: say where the masks are (there is no Test section to tell)"])
    check_metrics(section.metrics)
    images = config.Test.Dataset if config.Test is not None else None
    if images is None or images.limit is None or images.painted:
        return _matched(config, section.gt_root, section.datasets, images, allow_missing)
    limit = limit_of(images)  # Test made only some maps
    found = _matched(config, section.gt_root, limit.sets(section.datasets), images, allow_missing=True)
    return limit.applied(found, allow_missing)


def _matched(
    config: Config,
    gt_root: str,
    datasets: Sequence[str] | None,
    images: DatasetSection | None,
    allow_missing: bool,
) -> list[DatasetPairs]:
    """All maps of these sets with their masks. images: of Test."""
    predictions = filled_in(config.Eval.pred_root, "Eval.pred_root")
    check_finished(Path(predictions), datasets, allow_missing)
    if images is not None and (gt_root, config.Eval.datasets) == (images.root, images.sets):
        own = scored_sets(images, Path(predictions), allow_missing)
        if own is not None:
            return own
    return match_folders(find_sets(predictions, gt_root, datasets, image_root(config)), allow_missing)


def image_root(config: Config) -> str | None:
    """Where the images of the scored masks are, if they are apart from them."""
    images = config.Test.Dataset if config.Test is not None else None
    return images.root if images is not None and images.mask_root == config.Eval.gt_root else None


def _score(config: Config, sets: Sequence[DatasetPairs], options: Options) -> Scored:
    pairs = [pair for matched in sets for pair in matched.pairs]
    section = config.Eval
    run = Scored(config, ())
    started = time.monotonic()
    kept = run.folder / "scores.sqlite"
    if options.fresh:
        kept.unlink(missing_ok=True)
    table = evaluate_folder(
        pairs,
        section.metrics,
        section.num_workers,
        bar=options.verbose or None,
        conventions=run.conventions,
        cache=kept,
        skeletons=Path(section.result_path) / "skeletons",
    )
    seconds = time.monotonic() - started
    reused = sum(scores.reused for scores in table.values())
    log.info("%s: %d pairs in %.1f s, %d of them scored before", config.name, len(pairs), seconds, reused)
    return Scored(config, tuple((matched, table[matched.dataset]) for matched in sets))


def _coding_notes(matched: DatasetPairs) -> list[str]:
    """What is to be known of the masks of a set, where they are not of 0 and 255 or all empty."""
    coding = matched.pairs[0].reader
    if not isinstance(coding, Coding):
        return []
    notes = [f"The masks of {matched.dataset} were read as masks {coding.text}."] if coding.text != Coding.text else []
    if coding.empty:
        notes.append(f"{coding.empty:,} of the {coding.count:,} masks of {matched.dataset} are empty.")
    if coding.without_objects:
        notes.append(f"No mask of {matched.dataset} has an object: F, IoU and Dice cannot be above 0.")
    return notes


def _row(method: str, matched: DatasetPairs, scores: SetScores) -> Row:
    result = scores.result()
    remarks = []
    if matched.without_prediction:
        remarks.append(f"{result.images} of {matched.masks} masks have a prediction; the others do not count")
    if matched.without_truth:
        remarks.append(f"{len(matched.without_truth)} predictions have no mask")
    if scores.resized:
        remarks.append(f"{len(scores.resized)} predictions had another size than their mask and were resized")
        log.warning("%s on %s: %s, e.g. %s", method, matched.dataset, remarks[-1], scores.resized[0])
    for metric, count in result.left_out.items():
        remarks.append(f"{metric} leaves out {count} masks {METRICS[metric].left_out}")
    found: dict[str, Interval] = intervals(scores.scores)
    return Row(method, matched.dataset, result.values, result.images, matched.masks, tuple(remarks), found)


# -- files --------------------------------------------------------------------------------------------------------


def _write(folder: Path, runs: Sequence[Scored], options: Options, failed: Sequence[Row] = ()) -> None:
    rows = [*(row for run in runs for row in run.rows), *failed]
    metrics = check_metrics(name for run in runs for name in run.metrics)
    notes = footnotes(rows, metrics, [note for run in runs for note in run.notes], runs[0].conventions)
    methods = [entry for run in runs for entry in run.methods]
    seeds = seed_lines(rows, metrics)
    before = _scores_in(folder)
    write_tables(folder, rows, metrics, notes, seeds)
    cited = _cited([run.config for run in runs])
    write_paper(folder, paper_table(measured(rows, metrics), cited, metrics), notes)
    write_per_image(folder, methods)
    write_curves(folder, methods)
    if options.report:
        title = ", ".join(run.config.name for run in runs)
        write_report(folder / "report.html", title, [entry for run in runs for entry in run.entries], notes, seeds)
    elif _scores_in(folder) != before:
        (folder / "report.html").unlink(missing_ok=True)  # of other scores
    log.info("tables in %s", folder)


def _scores_in(folder: Path) -> bytes | None:
    path = folder / "scores.csv"
    return path.read_bytes() if path.is_file() else None


def _write_worst(run: Scored) -> None:
    for other in run.folder.glob("worst_*.png"):  # of sets that may no longer be scored
        other.unlink()
    metric = WORST_BY if WORST_BY in run.metrics else run.metrics[0]
    for matched, scores in run.sets:
        names, values = scores.scores.names(), scores.scores.values(metric)
        worst = worst_names(names, values, metric, WORST)
        pairs, of = {pair.name: pair for pair in matched.pairs}, dict(zip(names, values, strict=True))
        captions = [f"{name}   {metric} {of[name]:.4f}   image, mask, map, error (red: too much)" for name in worst]
        write_worst(run.folder / f"worst_{matched.dataset.replace('/', '_')}.png", [pairs[n] for n in worst], captions)
