"""What a command shows when something that a user can mend goes wrong: one message, no traceback."""

import contextlib
import sys
import warnings
from collections.abc import Iterator, Mapping, Sized
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..utils.system.extras import extras_named
from ..utils.system.failures import EXPECTED, Failures, is_expected

if TYPE_CHECKING:
    from ..utils.config.schema import Config


@dataclass
class ExitCode:
    code: int = 0


class SourceFailedError(RuntimeError):
    """The run whose weights this one would use has failed."""


def check_sources(config: "Config", failed: Mapping[str, str], resume: bool, tests: bool = False) -> None:
    """Raises SourceFailedError where a run needs weights of a training of the same command that failed.

    failed: folder of a training → the run's name. resume: a run goes on from a checkpoint of its own, where there is one.
    tests: it is tested, too.
    """
    from ..engine.config_checks import resumes

    train, test = config.Train, config.Test
    needed = {}
    if train is not None and (folder := str(train.Checkpoint.checkpoint_dir)) in failed:
        raise SourceFailedError(f"it shares the training of {failed[folder]}, which failed")
    if train is not None and not resumes(train, resume):
        needed["it starts from the training of"] = train.FineTune.weights
    if tests and test is not None:
        needed["it tests the training of"] = test.Checkpoint.checkpoint_dir
    for what, weights in needed.items():
        for folder, name in failed.items() if weights else ():
            if Path(weights or "").resolve().is_relative_to(Path(folder).resolve()):
                raise SourceFailedError(f"{what} {name}, which failed")


@contextlib.contextmanager
def reported() -> Iterator[ExitCode]:
    """Print an expected error as `error: …` and set exit code 1; bugs keep their traceback."""
    outcome = ExitCode()
    quiet_pillow()
    try:
        with extras_named():
            yield outcome
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        outcome.code = 130
    except EXPECTED as error:
        if not is_expected(error):
            raise
        print(f"error: {error}", file=sys.stderr)
        outcome.code = 1


def quiet_pillow() -> None:
    """No raw warnings about images without their names: what they say is said by our own readers, or is bounded by them."""
    warnings.filterwarnings("ignore", message="Corrupt EXIF data", category=UserWarning)
    warnings.filterwarnings("ignore", message="Image size .* exceeds limit", category=Warning)


def failures_of(runs: Sized) -> Failures:
    """Where runs are noted that fail. Under torchrun every error ends the command, so that no process waits for another."""
    from ..utils.train import distributed

    return Failures(1 if distributed.launched() else len(runs))
