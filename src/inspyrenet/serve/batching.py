"""Requests that come at the same time go through the network together.

One thread runs the networks and takes whatever waits (there is no delay to collect a batch: while one is computed, the next
gathers); two more decode and encode. At most two batches of images are decoded at any time, whatever waits.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO

from ..data.images.decoded import DecodedImage, read_decoded
from ..data.images.encode import encode
from .query import RequestParams
from .settings import Limits

if TYPE_CHECKING:
    from ..remover.image_types import Result
    from ..remover.remover import Remover

LOG = logging.getLogger("inspyrenet")
CODERS = 2


class Closed(RuntimeError):
    """The server is stopping."""


@dataclass(eq=False)
class QueuedJob:
    """One image on its way. `future` gets the result's bytes, or the error; cancelled before its turn, it costs nothing."""

    file: BinaryIO
    pixels: int
    params: RequestParams
    format: str
    future: "Future[bytes]" = field(default_factory=Future)
    waited: float = 0.0  # seconds, until its batch began
    arrived: float = field(default_factory=time.monotonic)


class Batcher:
    """Queue and threads between requests and networks. Close it to finish what waits and end the threads."""

    def __init__(self, removers: "Mapping[str, Remover]", limits: Limits):
        self.removers, self.limits = removers, limits
        self.images = self.batches = 0  # done so far
        self.seconds_per_image = 0.0  # of late
        self._waiting: deque[QueuedJob] = deque()
        self._changed = threading.Condition()
        self._closing = False
        self._coders = ThreadPoolExecutor(CODERS, "coder")
        self._thread = threading.Thread(target=self._work, name="batcher", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Jobs that no batch has taken yet."""
        return len(self._waiting)

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def submit(self, job: QueuedJob) -> None:
        """Put a job in the queue. Raises Closed."""
        with self._changed:
            if self._closing:
                raise Closed("the server is stopping")
            self._waiting.append(job)
            self._changed.notify()

    def cancel(self, job: QueuedJob) -> None:
        """Make room at once where a client does not wait any more; a job that is being computed goes on."""
        if job.future.cancel():
            with self._changed:
                if job in self._waiting:
                    self._waiting.remove(job)

    def close(self) -> None:
        """Finish everything that waits, then end."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join()
        self._coders.shutdown()

    # -- the thread -------------------------------------------------------------------------------------------------

    def _work(self) -> None:
        encoding: list[Future] = []
        while (batch := self._take()) is not None:
            started = time.monotonic()
            for job in batch:
                job.waited = started - job.arrived
            images = self._coders.map(_read, batch)
            pairs = [(job, image) for job, image in zip(batch, images, strict=True) if image is not None]
            results = self._compute(pairs)
            wait(encoding)  # of the batch before
            encoding = [self._coders.submit(_write, job, result) for job, result in results]
            self._count(len(batch), time.monotonic() - started)

    def _take(self) -> list[QueuedJob] | None:
        """The oldest job and those with the same parameters that fit with it; None at the end."""
        with self._changed:
            batch: list[QueuedJob] = []
            while not batch:
                self._changed.wait_for(lambda: self._waiting or self._closing)
                if not self._waiting:
                    return None
                left: deque[QueuedJob] = deque()
                pixels = 0
                for job in self._waiting:
                    if batch and not self._fits(job, batch, pixels):
                        left.append(job)
                    elif job.future.set_running_or_notify_cancel():
                        batch.append(job)
                        pixels += job.pixels
                self._waiting = left
            return batch

    def _fits(self, job: QueuedJob, batch: list[QueuedJob], pixels: int) -> bool:
        room = len(batch) < self.limits.batch and pixels + job.pixels <= self.limits.pixels
        return room and job.params == batch[0].params

    def _compute(self, pairs: "Sequence[tuple[QueuedJob, DecodedImage]]") -> "list[tuple[QueuedJob, Result]]":
        """Through the network together; where that fails one by one, so that an image fails by itself alone."""
        if not pairs:
            return []
        jobs, images = zip(*pairs, strict=True)
        params = jobs[0].params
        try:
            results = self.removers[params.mode].process_batch(
                images, params.style, params.threshold, params.reverse, len(images), params.keep_metadata
            )
        except Exception as error:
            if len(pairs) > 1:
                LOG.warning("a batch of %d failed (%s); its images are tried one by one", len(pairs), error)
                return [done for pair in pairs for done in self._compute([pair])]
            jobs[0].future.set_exception(error)
            return []
        return list(zip(jobs, results, strict=True))

    def _count(self, images: int, seconds: float) -> None:
        self.images += images
        self.batches += 1
        each = seconds / images
        self.seconds_per_image = each if self.batches == 1 else 0.8 * self.seconds_per_image + 0.2 * each


def _read(job: QueuedJob) -> DecodedImage | None:
    """The image, or None where the job has ended with an error."""
    try:
        return read_decoded(job.file.read())
    except Exception as error:
        job.future.set_exception(error)
        return None


def _write(job: QueuedJob, result: "Result") -> None:
    try:
        job.future.set_result(encode(result.array, job.format, result.metadata))
    except Exception as error:
        job.future.set_exception(error)
