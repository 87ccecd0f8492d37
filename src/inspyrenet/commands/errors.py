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

    Expected is what this package raises in its own words, and what the operating system refuses. A ValueError that comes
    out of a library is a bug of ours.
    """
    outcome = ExitCode()
    try:
        yield outcome
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        outcome.code = 130
    except EXPECTED as error:
        if not is_expected(error):
            raise
        print(f"error: {error}", file=sys.stderr)
        outcome.code = 1


def is_expected(error: BaseException) -> bool:
    """Whether the message alone tells what a user needs: see `reported`."""
    foreseen = isinstance(error, OSError) or _is_ours(error)
    return isinstance(error, EXPECTED) and foreseen and not _is_broken_import(error)


def _is_ours(error: BaseException) -> bool:
    """Whether the error's class is ours, or the line that raised it."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    raised_in = place.tb_frame.f_globals.get("__name__", "") if place is not None else ""
    return any(name.split(".")[0] == "inspyrenet" for name in (type(error).__module__, raised_in))


def _is_broken_import(error: BaseException) -> bool:
    """Whether a part of this package itself is absent, which no user can mend."""
    return isinstance(error, ImportError) and (error.name or "").startswith("inspyrenet")
