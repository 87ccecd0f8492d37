"""Train → test → evaluate, for every run that a command line asks for; ends in one table."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ..engine.options import Options
from .configs import load
from .errors import check_sources, failures_of, reported
from .options import build_parser, read_options
from .sweep import known_failures, remember_failure, shard, share

if TYPE_CHECKING:
    from ..utils.config.schema import Config

STEPS = ("train", "test", "eval")
TERMINATED = 128 + 15  # a shell's exit code for SIGTERM: there is no table


def main(argv: Sequence[str] | None = None) -> int:
    """The command line of Expr.py; returns the exit code."""
    parser = build_parser(
        "Train, test and evaluate in one command: python Expr.py --config configs/Quickstart.yaml --verbose"
    )
    add = parser.add_argument
    add("--from", dest="start", choices=STEPS, default="train", help="first step; the ones before it are done already")
    add(
        "--overwrite",
        action="store_true",
        help="train anew where the run's folder holds checkpoints, replace its tables",
    )
    add("--force", action="store_true", help="with --resume: go on although the training data changed")
    add("--allow-missing", action="store_true", help="score although maps or masks are missing")
    add("--seeds", type=int, metavar="N", help="every run with seeds 0 … N-1; the table ends in mean ± deviation")
    add("--report", action="store_true", help="also write report.html: curves, histograms, and the images, worst first")
    add(
        "--shard",
        type=shard,
        metavar="I/N",
        help="this machine's share of the grid: every N-th training from the I-th on",
    )
    add("--join", action="store_true", help="the table of a grid that ran in shards: train and predict nothing")
    options = read_options(parser, argv)
    if options.extra.join:
        if options.extra.shard:
            parser.error("--join is for all shards: leave --shard out")
        options.extra.start = "eval"
    if options.extra.seeds is not None and options.extra.seeds < 1:
        parser.error(f"--seeds {options.extra.seeds}: at least 1")
    if options.extra.seeds:
        seeds = ",".join(map(str, range(options.extra.seeds)))
        options = replace(options, overrides=(*options.overrides, f"seed={seeds}"))
    with reported() as outcome:
        outcome.code = run_all(load(options, STEPS[STEPS.index(options.extra.start) :]), options)
    return outcome.code


def run_all(configs: "list[Config]", options: Options) -> int:
    """Every config through the steps, then the joint table; returns the exit code.

    A run that fails is a line of the table, and the others go on; one that is asked to stop ends them all. A shard runs its
    share, and leaves the joint table to the call that joins them.
    """
    from ..engine.evaluate import check_tables
    from ..utils.train import distributed
    from . import evaluate, train

    failures = failures_of(configs)
    configs = share(configs, options.extra.shard)
    scores = distributed.launched_rank() == 0  # under torchrun one process writes the tables
    if scores or options.extra.start != "eval":  # a fast one may have written them before another looks
        check_tables(configs, evaluate.scoring_options(options))
    first = STEPS.index(options.extra.start)
    if first == STEPS.index("eval"):
        failures.update(known_failures(configs, options.extra.allow_missing))
    failed: dict[str, str] = {}  # folder of a training → the run that failed
    trained, predicted = set(), set()  # points of a grid may share their weights, or their maps too
    for config in configs:
        folder = str(config.Train.Checkpoint.checkpoint_dir) if config.Train else ""
        without_map: list[str] = []
        with failures.noted(config.name):
            check_sources(config, failed, options.resume, tests=True)
            if first <= STEPS.index("train") and folder not in trained:
                with train.failing(config, failed):
                    outcome = train.train(config, options)
                if outcome.stopped:
                    return outcome.exit_code or TERMINATED
                trained.add(folder)
            maps = (config.Eval.pred_root, config.Test.model_dump_json() if config.Test else "")
            if first <= STEPS.index("test") and maps not in predicted:
                _test(config, options, without_map)
                predicted.add(maps)
        if first < STEPS.index("eval"):
            remember_failure(config, *([without_map[0], True] if without_map else [failures.get(config.name)]))
    return evaluate.evaluate(configs, options, failures) if scores else 0


def _test(config: "Config", options: Options, without_map: list[str]) -> None:
    """Predict. What is wrong with images that have no map is added to `without_map`; the others may be scored."""
    from ..engine.predicted import is_predicted
    from ..engine.test import PredictionError
    from . import test

    if options.resume and not options.debug and is_predicted(config):
        print(f"{config.name}: all maps are in {config.Eval.pred_root} already", file=sys.stderr)
        return
    try:
        test.test(config, options)
    except PredictionError as error:
        without_map.append(str(error))
        if not options.extra.allow_missing:
            raise
        print(f"{config.name}: {error}\nthe others are scored, since --allow-missing is given", file=sys.stderr)
