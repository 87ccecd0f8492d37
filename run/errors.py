"""What a command shows when something that a user can mend goes wrong: one message, no traceback."""

import contextlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass

EXPECTED = (ValueError, OSError, RuntimeError, ImportError)  # all errors of this project derive from these


@dataclass
class ExitCode:
    code: int = 0


@contextlib.contextmanager
def reported() -> Iterator[ExitCode]:
    """Print an expected error as `error: …` and set exit code 1; bugs keep their traceback.

    Errors of this project carry a message that stands for itself. Of other origins only those of the operating system do.
    """
    outcome = ExitCode()
    try:
        yield outcome
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        outcome.code = 130
    except EXPECTED as error:
        if not (type(error).__module__.startswith("inspyrenet") or isinstance(error, OSError)):
            raise
        print(f"error: {error}", file=sys.stderr)
        outcome.code = 1
