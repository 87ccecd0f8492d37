"""Train a network: python run/Train.py --config configs/InSPyReNet_SwinB.yaml --verbose"""

import contextlib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .options import build_parser, read_options

if TYPE_CHECKING:
    from ..engine.options import Options
    from ..utils.config.schema import Config
    from ..utils.train.types import Outcome


def main(argv: Sequence[str] | None = None) -> int:
    """Train every run that the command line names; returns the exit code."""
    from .errors import check_sources, failures_of, reported

    parser = build_parser(__doc__)
    parser.add_argument("--overwrite", action="store_true", help="start over where the run's folder holds checkpoints")
    parser.add_argument("--force", action="store_true", help="with --resume: go on although the training data changed")
    options = read_options(parser, argv)
    with reported() as outcome:
        from .configs import load

        configs = load(options, ["train"])
        failures = failures_of(configs)
        failed: dict[str, str] = {}
        for config in configs:
            with failures.noted(config.name):
                check_sources(config, failed, options.resume)
                with failing(config, failed):
                    ended = train(config, options)
                if ended.stopped:  # by a person or the system: the runs after it are not wanted either
                    return ended.exit_code
        outcome.code = failures.exit_code
    return outcome.code


@contextlib.contextmanager
def failing(config: "Config", failed: dict[str, str]) -> Iterator[None]:
    """Keep the folder of a training that fails; one that was not begun, since there is one already, has not failed."""
    from ..utils.train.state import ResumeError

    try:
        yield
    except ResumeError:
        raise
    except Exception:
        if config.Train is not None:
            failed[str(config.Train.Checkpoint.checkpoint_dir)] = config.name
        raise


def train(config: "Config", options: "Options") -> "Outcome":
    """One run: build, train, say where the weights are, and return how it ended."""
    from ..engine import train as training
    from ..utils.config.load import resolved_text, save_resolved
    from ..utils.system.allocator import TRAINING, freed_memory_kept
    from ..utils.system.device import describe_device, resolve_device
    from ..utils.system.logging import run_log
    from ..utils.system.precision import flush_denormals
    from ..utils.train import distributed

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
            with freed_memory_kept(TRAINING):
                outcome = trainer.fit()
        if distributed.is_main():  # asked here, since every process is the main one after the session
            print(f"{config.name}: {outcome.message}", file=sys.stderr)
    return outcome
