"""How much of something may be in use at once; whoever finds no room waits for a turn."""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator


class Room:
    """A semaphore of amounts, first come, first served. Belongs to one event loop. Each amount is at most `size`."""

    def __init__(self, size: int):
        self._left = size
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @contextlib.asynccontextmanager
    async def hold(self, amount: int) -> AsyncIterator[None]:
        """Inside, that much is taken."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        entry = (amount, turn)
        self._waiting.append(entry)
        self._serve()
        try:
            await turn
            yield
        finally:
            if entry in self._waiting:  # cancelled before its turn
                self._waiting.remove(entry)
            else:
                self._left += amount
            self._serve()

    def _serve(self) -> None:
        while self._waiting and self._waiting[0][0] <= self._left:
            amount, turn = self._waiting.popleft()
            self._left -= amount
            if not turn.cancelled():  # else it gives the amount back at once
                turn.set_result(None)
