"""Train a network: python run/Train.py --config configs/InSPyReNet_SwinB.yaml --verbose"""

try:
    from inspyrenet.run.options import build_parser, check_clone, read_options
except ModuleNotFoundError as error:
    if (error.name or "").split(".")[0] != "inspyrenet":
        raise
    raise SystemExit(f"{error}: run ./install.sh first, then use .venv/bin/python") from None

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inspyrenet.run.options import Options
    from inspyrenet.utils.schema import Config


def main(argv: Sequence[str] | None = None) -> int:
    """Train every run that the command line names; returns the exit code."""
    from inspyrenet.run.errors import reported

    parser = build_parser(__doc__)
    parser.add_argument("--overwrite", action="store_true", help="start over where the run's folder holds checkpoints")
    parser.add_argument("--force", action="store_true", help="with --resume: go on although the training data changed")
    options = read_options(parser, argv)
    with reported() as outcome:
        from inspyrenet.run.experiment import load

        for config in load(options):
            outcome.code = train(config, options)
            if outcome.code:
                break
    return outcome.code


def train(config: "Config", options: "Options") -> int:
    """One run: build, train, and say where the weights are; returns the exit code."""
    from inspyrenet.run import training
    from inspyrenet.run.options import describe_device, resolve_device
    from inspyrenet.utils import distributed
    from inspyrenet.utils.config import resolved_text, save_resolved
    from inspyrenet.utils.logging import run_log
    from inspyrenet.utils.precision import flush_denormals

    flush_denormals()
    device = resolve_device(options.device, distributed.local_rank())
    with distributed.session(device):
        folder = Path(training.checkpoint_dir(config))
        with run_log(
            folder,
            "train",
            config_text=resolved_text(config),
            device=describe_device(device),
            verbose=options.verbose,
            to_file=distributed.is_main(),
        ) as log:
            trainer = training.build_trainer(config, options, device, log)
            trainer.on_start = lambda: save_resolved(config, folder / "config.yaml")  # once the folder is this run's
            if options.resume:
                trainer.resume(force=options.extra.force)
            outcome = trainer.fit()
    if distributed.is_main():
        print(f"{config.name}: {outcome.message}", file=sys.stderr)
    return outcome.exit_code


if __name__ == "__main__":
    check_clone(__file__)
    sys.exit(main())
