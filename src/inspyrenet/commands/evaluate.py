"""Score maps: python run/Eval.py --config configs/InSPyReNet_SwinB.yaml --verbose

Without a config: python run/Eval.py --pred-root DIR --gt-root DIR
Two methods on the same images: python run/Eval.py --compare DIR_A DIR_B --gt-root DIR
"""

# Scoring processes import this file anew: what is imported here must be light.
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from .options import build_parser, read_options

if TYPE_CHECKING:
    import argparse
    import logging
    from contextlib import AbstractContextManager

    from ..engine import evaluate as scoring
    from ..engine.options import Options
    from ..utils.config.schema import Config
    from ..utils.system.failures import Failures


def main(argv: Sequence[str] | None = None) -> int:
    """Score every run that the command line names; returns the exit code."""
    from .errors import reported

    parser = build_parser(__doc__, config_required=False)
    _add_options(parser)
    options = read_options(parser, argv)
    extra = options.extra
    if extra.metrics:
        options = replace(options, overrides=(*options.overrides, f"Eval.metrics=[{extra.metrics}]"))
    if extra.compare and extra.pred_root:
        parser.error("--compare takes the two folders of maps itself: leave --pred-root out")
    if not options.config and not (extra.gt_root and (extra.pred_root or extra.compare)):
        parser.error("say what to score: --config FILE, or --pred-root DIR --gt-root DIR")
    with reported() as outcome:
        outcome.code = _compare(options) if extra.compare else evaluate(_configs(options, extra.pred_root), options)
    return outcome.code


def _add_options(parser: "argparse.ArgumentParser") -> None:
    from ..utils.metrics.registry import GROUPS, METRICS

    add = parser.add_argument
    choices = f"{', '.join(METRICS)}; groups: {', '.join(GROUPS)}"
    add("--metrics", metavar="NAMES", help=f"columns of the table instead of Eval.metrics, as Sm,matting: {choices}")
    add("--pred-root", metavar="DIR", help="maps: DIR/<set>/name.png, or DIR/name.png for a single set")
    add("--gt-root", metavar="DIR", help="masks: DIR/<set>/masks/name.png or gt, or DIR/name.png for a single set")
    add("--allow-missing", action="store_true", help="score although maps or masks are missing, and say how many")
    add("--report", action="store_true", help="also write report.html: curves, histograms, and the images, worst first")
    add("--fresh", action="store_true", help="score anew what was scored before")
    add("--overwrite", action="store_true", help="replace tables of another run")
    add(
        "--compare",
        nargs=2,
        metavar=("A", "B"),
        help="two folders of maps of the same images: which is better, how surely",
    )


def _configs(options: "Options", pred_root: str | None) -> "list[Config]":
    """The configs with the roots of the command line, or one made of these roots alone."""
    from ..engine.evaluate import folders_config, with_roots

    gt_root = options.extra.gt_root
    if pred_root is not None and not options.config:
        return [folders_config(pred_root, gt_root, options.overrides)]
    from ..utils.config.load import ConfigError, load_config

    configs = load_config(options.config, options.overrides)
    if pred_root is not None and len(configs) > 1:
        raise ConfigError(
            [
                f"{pred_root} holds the maps of one run, but {len(configs)} runs are named: score them with a command each"
            ]
        )
    return [with_roots(config, pred_root, gt_root) for config in configs]


def evaluate(configs: "Sequence[Config]", options: "Options", failures: "Failures | None" = None) -> int:
    """Score the maps of these runs, print one table, write results/<name>/ for each; returns the exit code.

    failures: runs that have failed before; they are listed in the table. The exit code is 1 where one of several failed.
    Where all of several failed, the joint tables say so, and NothingScored is raised.
    """
    from pathlib import Path

    from ..engine.evaluate import JOINT, NothingScored, score_runs
    from ..utils.report.tables import write_failures
    from ..utils.system.failures import Failures

    failures = Failures(len(configs)) if failures is None else failures
    how = scoring_options(options)
    try:
        with _log(options):
            if any(config.Model is not None and config.Model.classes is not None for config in configs):
                from ..parsing.evaluate import score_scenes

                table = score_scenes(configs, how, failures)
            else:
                table = score_runs(configs, how, failures)
    except NothingScored:
        if how.joint:
            write_failures(Path(configs[0].Eval.result_path) / JOINT, failures)
        raise
    print(table)
    return failures.exit_code


def _compare(options: "Options") -> int:
    from ..engine.compare import compare_runs

    configs = [config for root in options.extra.compare for config in _configs(options, root)]
    with _log(options):
        text = compare_runs(configs, scoring_options(options))
    print(text)
    return 0


def scoring_options(options: "Options") -> "scoring.Options":
    """What the command line says about scoring."""
    from ..engine.evaluate import Options as Scoring

    extra = vars(options.extra)
    chosen = {name: bool(extra.get(name)) for name in ("allow_missing", "report", "fresh", "overwrite")}
    return Scoring(
        verbose=options.verbose,
        debug=options.debug,
        goes_on=options.resume,
        first_step=extra.get("start") or "eval",
        joint=not extra.get("shard"),
        **chosen,
    )


def _log(options: "Options") -> "AbstractContextManager[logging.Logger]":
    from ..utils.system.logging import run_log

    return run_log("", "eval", verbose=options.verbose, to_file=False)
