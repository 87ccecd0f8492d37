"""Score predictions: python run/Eval.py --config configs/InSPyReNet_SwinB.yaml --verbose

Without a config: python run/Eval.py --pred-root DIR --gt-root DIR
"""

try:
    from inspyrenet.run.options import build_parser, check_clone, read_options
except ModuleNotFoundError as error:
    if (error.name or "").split(".")[0] != "inspyrenet":
        raise
    raise SystemExit(f"{error}: run ./install.sh first, then use .venv/bin/python") from None

# Scoring processes import this file anew: what is imported here must be light.
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    from inspyrenet.run.options import Options
    from inspyrenet.utils.schema import Config


def main(argv: Sequence[str] | None = None) -> int:
    """Score every run that the command line names; returns the exit code."""
    from inspyrenet.run.errors import reported

    parser = build_parser(__doc__, config_required=False)
    _add_options(parser)
    options = read_options(parser, argv)
    extra = options.extra
    if not options.config and not (extra.pred_root and extra.gt_root):
        parser.error("say what to score: --config FILE, or --pred-root DIR --gt-root DIR")
    with reported() as outcome:
        outcome.code = evaluate(_configs(options), options)
    return outcome.code


def _add_options(parser: "argparse.ArgumentParser") -> None:
    add = parser.add_argument
    add("--pred-root", metavar="DIR", help="maps: DIR/<set>/name.png, or DIR/name.png for a single set")
    add("--gt-root", metavar="DIR", help="masks: DIR/<set>/masks/name.png or gt, or DIR/name.png for a single set")
    add("--allow-missing", action="store_true", help="score although maps or masks are missing, and say how many")


def _configs(options: "Options") -> "list[Config]":
    """The configs with the roots of the command line, or one made of these roots alone."""
    from inspyrenet.run.scoring import folders_config, with_roots

    extra = options.extra
    if not options.config:
        return [folders_config(extra.pred_root, extra.gt_root, options.overrides)]
    from inspyrenet.utils.config import load_config

    return [
        with_roots(config, extra.pred_root, extra.gt_root) for config in load_config(options.config, options.overrides)
    ]


def evaluate(configs: "Sequence[Config]", options: "Options") -> int:
    """Score the maps of these runs, print one table, write results/<name>/ for each; returns the exit code."""
    from inspyrenet.run.scoring import score_runs

    print(score_runs(configs, options.extra.allow_missing, verbose=options.verbose, debug=options.debug))
    return 0


if __name__ == "__main__":
    check_clone(__file__)
    sys.exit(main())
