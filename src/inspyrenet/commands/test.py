"""Predict the test sets: python run/Test.py --config configs/InSPyReNet_SwinB.yaml --verbose"""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from .options import build_parser, read_options
from .sweep import remember_failure

if TYPE_CHECKING:
    from ..engine.options import Options
    from ..utils.config.schema import Config


def main(argv: Sequence[str] | None = None) -> int:
    """Predict every run that the command line names; returns the exit code."""
    from .errors import failures_of, reported

    options = read_options(build_parser(__doc__), argv)
    with reported() as outcome:
        from .configs import load

        configs = load(options, ["test"])
        failures = failures_of(configs)
        for config in configs:
            with failures.noted(config.name):
                test(config, options)
        outcome.code = failures.exit_code
    return outcome.code


def test(config: "Config", options: "Options") -> None:
    """One run: its maps to Eval.pred_root/<set>/, one line at the end; a failure that was kept of it is forgotten."""
    from pathlib import Path

    from ..engine import predicted
    from ..engine import test as testing
    from ..utils.config.load import filled_in, resolved_text
    from ..utils.system.device import describe_device, resolve_device
    from ..utils.system.logging import run_log
    from ..utils.train import distributed

    device = resolve_device(options.device, distributed.local_rank())
    with (
        distributed.session(device),
        run_log(
            Path(filled_in(config.Eval.pred_root, "Eval.pred_root")),
            "test",
            config_text=resolved_text(config),
            device=describe_device(device),
            verbose=options.verbose,
            to_file=distributed.is_main(),
        ) as log,
    ):
        origin = predicted.origin_of(config) if distributed.is_main() else {}
        problem = None
        try:
            if config.Model is not None and config.Model.classes is not None:
                from ..parsing.test import predict_scenes

                summary = predict_scenes(config, device, log, bar=options.verbose)
            else:
                summary = testing.predict_sets(config, device, log, bar=options.verbose, debug=options.debug)
        except testing.PredictionError as error:  # on every process: none fails before the others have left the session
            problem = error
            if distributed.is_main():
                predicted.end(config)
        if distributed.is_main() and problem is None:
            predicted.end(config, origin)
            remember_failure(config, None)  # a point of a grid that failed before has its maps now
            print(summary, file=sys.stderr)
    if problem is not None:
        raise problem
