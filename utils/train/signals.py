"""Ctrl-C and SIGTERM as requests that a training loop honors at its next step."""

import os
import signal
import threading
from types import FrameType, TracebackType

INTERRUPT = 1  # Ctrl-C
TERMINATE = 2  # SIGTERM: a cluster's notice

MESSAGES = {
    INTERRUPT: b"\nstopping after this step, then saving (Ctrl-C again stops at once)\n",
    TERMINATE: b"\ntermination was asked for: stopping after this step, then saving\n",
}


class StopRequests:
    """Context manager: while it is open, the first Ctrl-C or SIGTERM only sets `stop_requested`; a second Ctrl-C interrupts.

    Outside the main thread signals cannot be caught, and nothing changes.
    """

    def __init__(self) -> None:
        self.stop_requested = 0
        self._before: dict[int, object] = {}

    def __enter__(self) -> "StopRequests":
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
        requested = INTERRUPT if number == signal.SIGINT else TERMINATE
        if requested == self.stop_requested == INTERRUPT:
            raise KeyboardInterrupt
        self.stop_requested = max(self.stop_requested, requested)
        os.write(2, MESSAGES[requested])


def spare_worker() -> None:
    """For data workers: a signal to the whole process group must reach the loop, not kill its workers mid-batch.

    Ctrl-C and the first SIGTERM are ignored; the second SIGTERM ends the worker. Workers end with their parent anyway.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda number, frame: signal.signal(signal.SIGTERM, signal.SIG_DFL))
