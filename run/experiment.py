"""Train → test → evaluate, for every run that a command line asks for; ends in one table."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .errors import reported
from .options import Options, build_parser, read_options

if TYPE_CHECKING:
    from ..utils.schema import Config

STEPS = ("train", "test", "eval")


def load(options: Options) -> "list[Config]":
    """Validated configs of all files and grid points. Raises ConfigError with every problem at once."""
    from ..lib import MODELS
    from ..utils.config import load_config

    return load_config(options.config, options.overrides, choices={"Model.name": MODELS})


def main(argv: Sequence[str] | None = None) -> int:
    """The command line of Expr.py; returns the exit code."""
    parser = build_parser(
        "Train, test and evaluate in one command: python Expr.py --config configs/Quickstart.yaml --verbose"
    )
    add = parser.add_argument
    add("--from", dest="start", choices=STEPS, default="train", help="first step; the ones before it are done already")
    add("--overwrite", action="store_true", help="train anew where the run's folder holds checkpoints")
    add("--force", action="store_true", help="with --resume: go on although the training data changed")
    add("--allow-missing", action="store_true", help="score although maps or masks are missing")
    options = read_options(parser, argv)
    with reported() as outcome:
        outcome.code = run_all(load(options), options)
    return outcome.code


def run_all(configs: "list[Config]", options: Options) -> int:
    """Every config through the steps, then the joint table; stops at the first exit code that is not 0."""
    from . import Eval, Test, Train

    first = STEPS.index(options.extra.start)
    for config in configs:
        if first <= STEPS.index("train"):
            code = Train.train(config, options)
            if code:
                return code
        if first <= STEPS.index("test"):
            Test.test(config, options)
    return Eval.evaluate(configs, options)
