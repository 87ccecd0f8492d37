"""A queue between two threads, bounded in bytes, that either side can close."""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Closed(Exception):
    """The receiver is gone: nothing more is wanted."""


class BoundedQueue(Generic[T]):
    """From one sender to one receiver. It holds one item at least, and no more than `room` bytes as `weigh` counts them."""

    def __init__(self, room: int, weigh: Callable[[T], int]):
        self.room, self.weigh = room, weigh
        self._items: deque[T] = deque()
        self._weight = 0
        self._ended = self._abandoned = False
        self._error: BaseException | None = None
        self._changed = threading.Condition()

    def put(self, item: T) -> None:
        """Wait for room, then hand the item over. Raises Closed, or the receiver's own error, where it is gone."""
        weight = self.weigh(item)
        with self._changed:
            self._changed.wait_for(lambda: self._abandoned or self._fits(weight))
            self._push(item, weight)

    def offer(self, item: T) -> int:
        """As `put`, but drops what has waited longest instead of waiting; how many items."""
        weight, dropped = self.weigh(item), 0
        with self._changed:
            while not self._abandoned and not self._fits(weight):
                self._weight -= self.weigh(self._items.popleft())
                dropped += 1
            self._push(item, weight)
            return dropped

    def end(self, error: BaseException | None = None) -> None:
        """The sender has no more; with an error, the receiver gets it raised after the last item."""
        with self._changed:
            self._ended, self._error = True, self._error or error
            self._changed.notify_all()

    def abandon(self, error: BaseException | None = None) -> None:
        """The receiver wants no more; what waits here is dropped."""
        with self._changed:
            self._abandoned, self._error = True, error
            self._items.clear()
            self._weight = 0
            self._changed.notify_all()

    @property
    def abandoned(self) -> bool:
        """The receiver wants no more."""
        return self._abandoned

    def __iter__(self) -> Iterator[T]:
        """Items in order, until the sender ends."""
        return (item for item in self.polled(None) if item is not None)

    def polled(self, seconds: float | None) -> Iterator[T | None]:
        """The same, and None whenever nothing has come for so many seconds."""
        while True:
            item = None
            with self._changed:
                if self._changed.wait_for(lambda: self._items or self._ended or self._abandoned, seconds):
                    if not self._items:
                        if self._error is not None:
                            raise self._error
                        return
                    item = self._items.popleft()
                    self._weight -= self.weigh(item)
                    self._changed.notify_all()
            yield item

    def raise_error(self) -> None:
        """Raise what the receiver failed with, if it did."""
        if self._abandoned and self._error is not None:
            raise self._error

    def _fits(self, weight: int) -> bool:
        return not self._items or self._weight + weight <= self.room

    def _push(self, item: T, weight: int) -> None:
        if self._abandoned:
            raise self._error or Closed
        self._items.append(item)
        self._weight += weight
        self._changed.notify_all()
