"""Requests that come at the same time go through the network together.

One thread runs the networks and takes whatever waits: there is no delay to collect a batch, while one is computed the next gathers.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..data.images.decoded import DecodedImage
from ..interactive.prompt import Prompt
from ..remover.errors import NothingFound
from .query import RequestParams
from .settings import Limits

if TYPE_CHECKING:
    from ..remover.image_types import Result
    from ..remover.remover import Remover

LOG = logging.getLogger("inspyrenet")


class Closed(RuntimeError):
    """The server is stopping."""


@dataclass(eq=False)
class QueuedJob:
    """An image that waits for the network. `future` gets the result, or the error; cancelled before its turn, it costs nothing."""

    image: DecodedImage
    params: RequestParams
    prompt: Prompt | None = None  # it goes through the network alone
    future: "Future[Result]" = field(default_factory=Future)
    waited: float = 0.0  # seconds, until its batch began
    arrived: float = field(default_factory=time.monotonic)


class Batcher:
    """Queue and thread between requests and networks. Close it to finish what waits and end the thread."""

    def __init__(self, removers: "Mapping[str, Remover]", limits: Limits):
        self.removers, self.limits = removers, limits
        self.images = self.batches = 0  # done so far
        self.seconds_per_image = 0.0  # of late
        self._waiting: deque[QueuedJob] = deque()
        self._changed = threading.Condition()
        self._closing = False
        self._begun: float | None = None  # when the batch that is being computed began
        self._thread = threading.Thread(target=self._work, name="batcher", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Jobs that no batch has taken yet."""
        return len(self._waiting)

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    @property
    def computing(self) -> float:
        """Seconds since the batch began that is being computed; 0 where none is."""
        begun = self._begun
        return 0.0 if begun is None else time.monotonic() - begun

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

    # -- the thread -------------------------------------------------------------------------------------------------

    def _work(self) -> None:
        while (batch := self._take()) is not None:
            self._begun = started = time.monotonic()
            for job in batch:
                job.waited = started - job.arrived
            self._compute(batch)
            self._begun = None
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
                        pixels += _pixels(job)
                self._waiting = left
            return batch

    def _fits(self, job: QueuedJob, batch: list[QueuedJob], pixels: int) -> bool:
        room = len(batch) < self.limits.batch and pixels + _pixels(job) <= self.limits.pixels
        return room and job.params == batch[0].params and job.prompt is None and batch[0].prompt is None

    def _compute(self, jobs: Sequence[QueuedJob]) -> None:
        """Through the network together; where that fails one by one, so that an image fails by itself alone."""
        params = jobs[0].params
        remover, wish = self.removers[params.mode], (params.style, params.threshold, params.reverse)
        try:
            if jobs[0].prompt is not None:
                results = [remover.cut(jobs[0].image, *wish, params.keep_metadata, jobs[0].prompt)]
            else:
                images = [job.image for job in jobs]
                results = remover.process_batch(images, *wish, len(jobs), params.keep_metadata)
        except Exception as error:
            if len(jobs) == 1:
                jobs[0].future.set_exception(error)
                return
            LOG.warning("a batch of %d failed (%s); its images are tried one by one", len(jobs), error)
            for job in jobs:
                self._compute([job])
            return
        for job, result in zip(jobs, results, strict=True):
            if result is None:
                job.future.set_exception(NothingFound())
            else:
                job.future.set_result(result)

    def _count(self, images: int, seconds: float) -> None:
        self.images += images
        self.batches += 1
        each = seconds / images
        self.seconds_per_image = each if self.batches == 1 else 0.8 * self.seconds_per_image + 0.2 * each


def _pixels(job: QueuedJob) -> int:
    height, width, _ = job.image.array.shape
    return height * width
