"""Predict the test sets: python run/Test.py --config configs/InSPyReNet_SwinB.yaml --verbose"""

try:
    from inspyrenet.run.options import build_parser, check_clone, read_options
except ModuleNotFoundError as error:
    if (error.name or "").split(".")[0] != "inspyrenet":
        raise
    raise SystemExit(f"{error}: run ./install.sh first, then use .venv/bin/python") from None

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inspyrenet.run.options import Options
    from inspyrenet.utils.schema import Config


def main(argv: Sequence[str] | None = None) -> int:
    """Predict every run that the command line names; returns the exit code."""
    from inspyrenet.run.errors import reported

    options = read_options(build_parser(__doc__), argv)
    with reported() as outcome:
        from inspyrenet.run.experiment import load

        for config in load(options):
            test(config, options)
    return outcome.code


def test(config: "Config", options: "Options") -> None:
    """One run: its maps to Eval.pred_root/<set>/, one line at the end."""
    from pathlib import Path

    from inspyrenet.run import testing
    from inspyrenet.run.options import describe_device, resolve_device
    from inspyrenet.utils import distributed
    from inspyrenet.utils.config import resolved_text
    from inspyrenet.utils.logging import run_log

    device = resolve_device(options.device, distributed.local_rank())
    with (
        distributed.session(device),
        run_log(
            Path(config.Eval.pred_root),
            "test",
            config_text=resolved_text(config),
            device=describe_device(device),
            verbose=options.verbose,
            to_file=distributed.is_main(),
        ) as log,
    ):
        summary = testing.predict_sets(config, device, log, bar=options.verbose, debug=options.debug)
        if distributed.is_main():
            print(summary, file=sys.stderr)


if __name__ == "__main__":
    check_clone(__file__)
    sys.exit(main())
