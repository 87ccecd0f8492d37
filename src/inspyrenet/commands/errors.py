"""What a command shows when something that a user can mend goes wrong: one message, no traceback."""

import contextlib
import sys
import warnings
from collections.abc import Iterator, Sized
from dataclasses import dataclass

from ..utils.system.extras import extras_named
from ..utils.system.failures import EXPECTED, Failures, is_expected


@dataclass
class ExitCode:
    code: int = 0


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
