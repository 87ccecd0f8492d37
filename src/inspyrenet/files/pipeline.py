"""Images from reading to results: some threads read ahead, this one runs the network, others make the results."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic

from .read_ahead import Item, Reading, Room, read_ahead
from .report import FATAL_ERRNOS

if TYPE_CHECKING:
    from ..data.images.decoded import DecodedImage
    from ..networks.network import NetworkMaps


@dataclass(frozen=True)
class Steps(Generic[Item]):
    """What is done with each image; readers call `read`, writers `make`, and the thread of the network everything else.

    make: takes the seconds that the network spent on the image. done: takes what `make` returned. Each image ends in `done`
    or `failed`. Nothing that is raised for one image stops the others.
    """

    count_pixels: Callable[[Item], int]
    read: Callable[[Item], "DecodedImage"]
    predict: "Callable[[list[DecodedImage]], Sequence[NetworkMaps]]"
    make: "Callable[[Item, DecodedImage, NetworkMaps, float], Any]"
    done: Callable[[Item, Any], None]
    failed: Callable[[Item, BaseException], None]


class ImagePipeline(Generic[Item]):
    """Takes items through `Steps`.

    group: how many images the network sees at once. waiting: how many results may wait to be made.
    """

    def __init__(self, steps: Steps[Item], readers: Executor, writers: Executor, group: int, waiting: int):
        self.steps, self.readers, self.writers = steps, readers, writers
        self.group, self.waiting = group, waiting
        self.room, self.writable = Room(), True
        self.pending: deque[Reading[Item]] = deque()  # results that are being made

    def run(self, items: Iterable[Item]) -> bool:
        """False where nothing can be written any more: the rest was not tried."""
        steps = self.steps
        for group in read_ahead(
            items, steps.read, steps.count_pixels, self.readers, self.room, self._finish_one, self.group
        ):
            self._cut_out(group)
            group.clear()  # large images are gone before the next ones are read
            self._finish(self.waiting)
            if not self.writable:
                break
        self._finish(0)
        return self.writable

    def _cut_out(self, group: Sequence[Reading[Item]]) -> None:  # by itself, so that no name of `run` holds an image
        for reading, image, maps, seconds in self._predicted(list(self._images(group))):
            future = self.writers.submit(self.steps.make, reading.item, image, maps, seconds)
            self.pending.append(Reading(reading.item, reading.pixels, future))

    def _images(self, group: Sequence[Reading[Item]]) -> "Iterator[tuple[Reading[Item], DecodedImage]]":
        """Those that can be read."""
        for reading in group:
            try:
                yield reading, reading.future.result()
            except Exception as error:  # of any class: decoders are other people's code
                self._fail(reading, error)

    def _predicted(
        self, images: "list[tuple[Reading[Item], DecodedImage]]"
    ) -> "Iterator[tuple[Reading[Item], DecodedImage, NetworkMaps, float]]":
        """What the network says of each, and its seconds; of several at once, or of each alone where that fails."""
        groups = [images]
        while groups and (group := groups.pop(0)):
            started = time.perf_counter()
            try:
                found = self.steps.predict([image for _, image in group])
            except Exception as error:  # of any class: networks are other people's code
                if len(group) > 1:
                    groups = [[one] for one in group]
                else:
                    self._fail(group[0][0], error)
                continue
            seconds = (time.perf_counter() - started) / len(group)
            for (reading, image), maps in zip(group, found, strict=True):
                yield reading, image, maps, seconds

    def _finish(self, allowed: int) -> None:
        """Take in results that are made, and wait until at most `allowed` are under way."""
        while self.pending and (len(self.pending) > allowed or self.pending[0].future.done()):
            self._finish_one()

    def _finish_one(self) -> None:
        """Wait for the oldest."""
        made = self.pending.popleft()
        error = made.future.exception()
        if error is not None:
            self.writable = self.writable and getattr(error, "errno", None) not in FATAL_ERRNOS
            self._fail(made, error)
            return
        self.steps.done(made.item, made.future.result())
        self.room.taken -= made.pixels

    def _fail(self, reading: Reading[Item], error: BaseException) -> None:
        self.steps.failed(reading.item, error)
        self.room.taken -= reading.pixels
