"""Ctrl-C and SIGTERM as a request that is honored at the next frame, so that the file can be finished."""

import os
from types import FrameType

from ..utils.system.signals import Handler

MESSAGE = b"\nfinishing the file (Ctrl-C again leaves it at once, and nothing is kept)\n"


class Stop(Handler):
    """Context manager: while it is open, the first signal only sets `wanted`; the second interrupts."""

    def __init__(self) -> None:
        super().__init__(self._handle)
        self.wanted = False

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.wanted:
            raise KeyboardInterrupt
        self.wanted = True
        os.write(2, MESSAGE)
