"""Scores the maps of runs and writes their tables."""

import logging
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..utils.config import ConfigError, load_config
from ..utils.metrics import MatchedSet, SetScores, check_metrics, evaluate_folder, match_folders
from ..utils.report import Row, footnotes, text_table, write_tables
from ..utils.report_worst import worst_names, write_worst
from ..utils.schema import Config

log = logging.getLogger(__name__)

WORST = 8  # pairs in the picture that --debug writes for each data set
WORST_BY = "mae"
JOINT = "joint"  # folder below result_path for the table of several runs


@dataclass(frozen=True)
class Scored:
    """One run: what was matched and what it scored, set by set."""

    config: Config
    sets: tuple[tuple[MatchedSet, SetScores], ...]

    @property
    def metrics(self) -> tuple[str, ...]:
        return check_metrics(self.config.Eval.metrics)

    @property
    def notes(self) -> list[str]:
        return [f"{self.config.name}: {self.config.note}"] if self.config.note else []

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


def score_runs(
    configs: Sequence[Config], allow_missing: bool = False, verbose: bool = False, debug: bool = False
) -> str:
    """Score each run, write its tables to <result_path>/<name>/, and return one table with its footnotes.

    Several runs also write <result_path>/joint/. `verbose` shows progress; `debug` writes pictures of the worst pairs.
    Raises PairingError for missing maps or masks, MetricError for maps that cannot be scored, ReportError where a
    table cannot be written. Nothing is scored before all runs have been matched.
    """
    matched = [_match(config, allow_missing) for config in configs]
    done = []
    for config, sets in zip(configs, matched, strict=True):
        scored = _score(config, sets, verbose)
        folder = Path(config.Eval.result_path) / config.name
        write_tables(folder, scored.rows(), scored.metrics, scored.notes)
        if debug:
            _write_worst(scored, folder)
        log.info("tables in %s", folder)
        done.append(scored)
    rows = [row for scored in done for row in scored.rows()]
    metrics = check_metrics(name for scored in done for name in scored.metrics)
    notes = [note for scored in done for note in scored.notes]
    if len(done) > 1:
        write_tables(Path(configs[0].Eval.result_path) / JOINT, rows, metrics, notes)
    return "\n".join([text_table(rows, metrics), "", *footnotes(rows, metrics, notes)])


def _match(config: Config, allow_missing: bool) -> list[MatchedSet]:
    section = config.Eval
    if section.gt_root is None:
        raise ConfigError([f"{config.name}: Eval.gt_root: say where the masks are (there is no Test section to tell)"])
    check_metrics(section.metrics)
    images = config.Test.Dataset if config.Test is not None else None
    limited = images is not None and images.limit is not None and images.type != "Synthetic"  # Test made only some maps
    return match_folders(section.pred_root, section.gt_root, section.datasets, allow_missing or limited)


def _score(config: Config, sets: Sequence[MatchedSet], verbose: bool) -> Scored:
    pairs = [pair for matched in sets for pair in matched.pairs]
    started = time.monotonic()
    table = evaluate_folder(pairs, config.Eval.metrics, config.Eval.num_workers, bar=verbose)
    seconds = time.monotonic() - started
    log.info("%s: %d pairs scored in %.1f s, %.0f a second", config.name, len(pairs), seconds, len(pairs) / seconds)
    return Scored(config, tuple((matched, table[matched.dataset]) for matched in sets))


def _row(method: str, matched: MatchedSet, scores: SetScores) -> Row:
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
        remarks.append(f"{metric} leaves out {count} masks that are empty or full")
    return Row(method, matched.dataset, result.values, result.images, matched.masks, tuple(remarks))


def _write_worst(scored: Scored, folder: Path) -> None:
    metric = WORST_BY if WORST_BY in scored.metrics else scored.metrics[0]
    for matched, scores in scored.sets:
        names, values = scores.scores.names(), scores.scores.values(metric)
        worst = worst_names(names, values, metric, WORST)
        pairs, of = {pair.name: pair for pair in matched.pairs}, dict(zip(names, values, strict=True))
        captions = [
            f"{name}   {metric} {of[name]:.4f}   image, mask, prediction, error (red: too much)" for name in worst
        ]
        write_worst(folder / f"worst_{matched.dataset.replace('/', '_')}.png", [pairs[n] for n in worst], captions)
