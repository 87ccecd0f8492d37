"""Ctrl-C and SIGTERM as a request that is honored at the next frame, so that the file can be finished."""

import os
import signal
import threading
from types import FrameType, TracebackType

MESSAGE = b"\nfinishing the file (Ctrl-C again leaves it at once, and nothing is kept)\n"


class Stop:
    """Context manager: while it is open, the first signal only sets `wanted`; the second interrupts.

    Outside the main thread signals cannot be caught, and nothing changes.
    """

    def __init__(self) -> None:
        self.wanted = False
        self._before: dict[int, object] = {}

    def __enter__(self) -> "Stop":
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.wanted:
            raise KeyboardInterrupt
        self.wanted = True
        os.write(2, MESSAGE)
