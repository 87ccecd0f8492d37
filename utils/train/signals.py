"""Ctrl-C and SIGTERM as requests that a training loop honors at its next step."""

import os
import signal
from types import FrameType

from ..system.signals import Handler, ignore, ignore_once

INTERRUPT = 1  # Ctrl-C
TERMINATE = 2  # SIGTERM: a cluster's notice

MESSAGES = {
    INTERRUPT: b"\nstopping after this step, then saving (Ctrl-C again stops at once)\n",
    TERMINATE: b"\ntermination was asked for: stopping after this step, then saving\n",
}


class StopRequests(Handler):
    """Context manager: while it is open, the first Ctrl-C or SIGTERM only sets `stop_requested`; a second Ctrl-C interrupts."""

    def __init__(self) -> None:
        super().__init__(self._handle)
        self.stop_requested = 0

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
    ignore(signal.SIGINT)
    ignore_once(signal.SIGTERM)
