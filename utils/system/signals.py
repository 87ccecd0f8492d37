"""The handlers of Ctrl-C (SIGINT) and SIGTERM, which schedulers send. Only the main thread of a process can catch signals."""

import signal
import threading
from collections.abc import Callable, Sequence
from types import FrameType, TracebackType
from typing import Any, Self

STOPPING = (signal.SIGINT, signal.SIGTERM)


class Handler:
    """Context manager: while it is open, these signals call `handle`; afterwards what was there before.

    Outside the main thread nothing changes.
    """

    def __init__(self, handle: Callable[[int, FrameType | None], object], numbers: Sequence[int] = STOPPING):
        self._own_handle, self._numbers = handle, numbers
        self._before: dict[int, Callable[[int, FrameType | None], Any] | int | None] = {}

    def __enter__(self) -> Self:
        if _can_catch():
            self._before = {number: signal.signal(number, self._own_handle) for number in self._numbers}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}


def ignore(number: int) -> None:
    """From now on: a terminal's Ctrl-C reaches every process of a command, and one of them answers it."""
    if _can_catch():
        signal.signal(number, signal.SIG_IGN)


def ignore_once(number: int) -> None:
    """The first such signal has no effect, the second its usual one."""
    signal.signal(number, lambda *_: signal.signal(number, signal.SIG_DFL))


def _can_catch() -> bool:
    return threading.current_thread() is threading.main_thread()
