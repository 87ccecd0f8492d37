"""Images read while others are cut out and written: as many as there is room for, counted in pixels."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

ROOM = 64_000_000  # pixels under way; with their results about 0.5 GB

Item = TypeVar("Item")


class Room:
    """Pixels of the images under way, from before they are read until their results are written.

    One image always fits, whatever its size, but then it is alone.
    """

    def __init__(self, pixels: int = ROOM):
        self.pixels, self.taken = pixels, 0

    def fits(self, pixels: int) -> bool:
        """Whether an image of so many pixels may come in now."""
        return not self.taken or self.taken + pixels <= self.pixels


@dataclass(frozen=True)
class Reading(Generic[Item]):
    """An item that is being read, and its pixels, which whoever gets it takes off `Room.taken` when they are gone."""

    item: Item
    pixels: int
    future: "Future[Any]"


def read_ahead(
    items: Iterable[Item],
    read: Callable[[Item], Any],
    count_pixels: Callable[[Item], int],
    pool: Executor,
    room: Room,
    make_room: Callable[[], object],
    group: int = 1,
) -> Iterator[list[Reading[Item]]]:
    """Groups of up to `group` items that are being read; the next group is read while one is worked on.

    make_room: waits until a result is written. It is called where nothing is being read and the next item does not fit.
    """
    left: deque[Item] = deque(items)
    waiting: deque[list[Reading[Item]]] = deque()

    def start() -> list[Reading[Item]]:  # a function of its own, so that no name here holds an image
        started: list[Reading[Item]] = []
        while left and len(started) < group and room.fits(pixels := count_pixels(left[0])):
            room.taken += pixels
            item = left.popleft()
            started.append(Reading(item, pixels, pool.submit(read, item)))
        return started

    while left or waiting:
        while left and len(waiting) < 2:
            waiting.append(start())
            if not waiting[-1]:
                waiting.pop()
                break
        if waiting:
            yield waiting.popleft()
        else:
            make_room()
