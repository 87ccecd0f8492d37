"""Work of many items, each for itself: one that fails is noted with its reason, and the others go on."""

import contextlib
import gc
import sys
import traceback
from collections.abc import Iterator
from types import TracebackType

from .extras import extras_named

EXPECTED = (ValueError, OSError, RuntimeError, ImportError)  # all errors of this project derive from these


def is_expected(error: BaseException) -> bool:
    """Whether a user can mend it: what this package raises in its own words, and what the operating system refuses.

    A ValueError that comes out of a library is a bug of ours, and so is a part of this package that is absent.
    """
    if isinstance(error, ImportError) and (error.name or "").startswith("inspyrenet"):
        return False
    return isinstance(error, OSError) or (isinstance(error, EXPECTED) and _is_ours(error))


def _is_ours(error: BaseException) -> bool:
    """Whether the error's class is ours, or the line that raised it."""
    place = _innermost(error)
    raised_in = place.tb_frame.f_globals.get("__name__", "") if place is not None else ""
    return any(name.split(".")[0] == "inspyrenet" for name in (type(error).__module__, raised_in))


def line_of(error: BaseException) -> str:
    """Where it was raised, ` (file:line)`; empty where that is not known."""
    place = _innermost(error)
    return "" if place is None else f" ({place.tb_frame.f_code.co_filename}:{place.tb_lineno})"


def _innermost(error: BaseException) -> TracebackType | None:
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    return place


def one_line(error: BaseException) -> str:
    """An error's message without line breaks; with its class where the message is not made for users."""
    text = str(error)
    if isinstance(error, OSError) and error.strerror:  # without the number; a file that is not in the words comes first
        named = error.filename is not None and str(error.filename) not in error.strerror
        text = f"{error.filename}: {error.strerror}" if named else error.strerror
    text = " ".join(text.split())
    if is_expected(error):
        return text or type(error).__name__
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


class Failures(dict[str, str]):
    """Name of an item → why it failed, in one line.

    of: how many items there are. The only one's error is raised as it is.
    """

    def __init__(self, of: int) -> None:
        super().__init__()
        self.of = of

    @contextlib.contextmanager
    def noted(self, name: str) -> Iterator[None]:
        """Note an error instead of raising it, and say so on stderr; of what cannot be expected with its traceback."""
        try:
            with extras_named():
                yield
        except Exception as error:
            if self.of == 1:
                raise
            self[name] = one_line(error)
            if not is_expected(error):
                traceback.print_exception(error)
            print(f"{name}: failed: {self[name]}", file=sys.stderr)
        if name in self:
            gc.collect()  # a network and its gradients, before the next item needs the memory

    @property
    def exit_code(self) -> int:
        """1 where an item failed, else 0."""
        return int(bool(self))
