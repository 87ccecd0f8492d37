"""One video from its source to its file: reading, the network and writing overlap, in memory that its length does not change."""

import functools
import logging
import threading
from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from ..networks.network import NotEnoughMemory
from ..remover.background import resize_to_cover
from ..remover.compositing import OutputStyle
from ..remover.output_paths import partial
from .bounded_queue import BoundedQueue, Closed
from .errors import VideoError, reason_of
from .keys import KeyedNetwork, can_carry
from .source import Picture, Sound, Source
from .steady import SteadyNetwork

if TYPE_CHECKING:
    import numpy as np

    from ..networks.network import Network
    from ..remover.remover import Remover

ROOM = 64 * 2**20  # bytes that may wait between two threads
BATCH = {"cpu": 4}  # pictures that go through the network together
BATCH_GPU = 8
PATIENCE = 0.25  # seconds without a picture, after which it is asked again whether more are wanted
GRACE = 2.0  # seconds that a thread has to end when it is not wanted any more

LOG = logging.getLogger("inspyrenet")


class Writer(Protocol):
    """Where results go, in order. skipped: so many pictures of the source need not come, with the sound between them.

    frames, seconds: what it has. note: how the result differs from what was asked for.
    """

    target: Path
    skipped: int
    frames: int
    seconds: float

    @property
    def note(self) -> str | None: ...

    def picture(self, picture: Picture) -> None: ...

    def sound(self, sound: Sound) -> None: ...

    def finish(self, name: Path) -> None:
        """All is there; the result takes this name."""

    def discard(self) -> None:
        """Leave nothing unfinished behind; after `finish` it does nothing."""


@dataclass(frozen=True)
class FrameOptions:
    """What the pictures become. edges: as for images; None: colors in soft edges are left as they are, which is fast.

    steady: maps hold still, see `steady.py`. quality: "fast", the network sees key frames alone, see `keys.py`; or "best", it sees
    every picture. mask: float32 (H, W) in 0..1, the object of the first picture, which is followed.
    live: somebody watches, so that of a camera only the newest picture waits.
    """

    style: OutputStyle
    threshold: float | None = None
    reverse: bool = False
    edges: str | None = None
    steady: bool = False
    quality: str = "best"
    mask: "np.ndarray | None" = None
    live: bool = False


@dataclass(frozen=True)
class Outcome:
    """What became of a video: the file, its frames and its length; what was wrong with the source, if anything; stopped:
    somebody wanted it to end before; note: how the result differs from what was asked for; dropped: pictures of a camera that
    nobody had time for."""

    path: Path
    frames: int
    seconds: float
    warning: str | None = None
    stopped: bool = False
    note: str | None = None
    dropped: int = 0


def drops_of(outcome: Outcome) -> str:
    """What became of a camera's pictures, in words."""
    taken = outcome.frames + outcome.dropped
    return (
        f"{outcome.dropped} of {taken} pictures were dropped, since the network or the writer was not done with others"
    )


def cut_video(
    source: Source,
    writer: Writer,
    remover: "Remover",
    options: FrameOptions,
    wanted: Callable[[], bool] = lambda: True,
    on_progress: Callable[[int], object] = lambda count: None,
) -> Outcome:
    """Cut out every picture of `source` that the writer does not skip; the source is closed at the end.

    The file takes its own name where all of the source went into it, NAME.partial.SUFFIX where not: because `wanted` (asked before
    each batch, and while nothing comes) said no, the source was damaged, or the network failed. A camera has no end, so its file
    is whole. on_progress: is told how many pictures were done. Raises KeyboardInterrupt where it was stopped before the first
    picture, VideoError where there is not one, OSError where the file cannot be written; then nothing is left behind.
    """
    pipeline = Pipeline(source, writer, 0 if options.live else ROOM)
    try:
        batch = _batch_size(source, remover, options)
        failure = pipeline.run(_network(remover, options), batch, wanted, on_progress)
        warning = failure or source.warning
        stopped = not pipeline.ended and failure is None
        if not writer.frames:
            if stopped:
                raise KeyboardInterrupt
            raise VideoError(f"{source.name}: no frames could be had{f': it {warning}' if warning else ''}")
        whole = not warning and (source.is_camera or not stopped)
        path = writer.target if whole else partial(writer.target)
        writer.finish(path)
        return Outcome(path, writer.frames, writer.seconds, warning, stopped, writer.note, pipeline.dropped)
    finally:
        pipeline.close()


class Pipeline:
    """Three threads: reader, network (the caller's), writer. room: bytes that may wait between two, one picture at least."""

    def __init__(self, source: Source, writer: Writer, room: int):
        self.source, self.writer = source, writer
        self.ended = False  # the source was read to its end
        self.dropped = 0
        self._incoming: BoundedQueue[Picture | Sound] = BoundedQueue(room, _weight)
        self._outgoing: BoundedQueue[Picture | Sound] = BoundedQueue(room, _weight)
        self._reading, self._writing = (
            threading.Thread(target=part, daemon=True) for part in (self._read, self._write)
        )

    def run(
        self, network: Callable, batch: int, wanted: Callable[[], bool], on_progress: Callable[[int], object]
    ) -> str | None:
        """Everything through, or until `wanted` says no; what the network failed with, if it did."""
        self._reading.start()
        self._writing.start()
        try:
            failure = self._compute(network, batch, wanted, on_progress)
            self._incoming.abandon()
            self._outgoing.end()
            self._writing.join()
        except BaseException as error:
            self._incoming.abandon()
            self._outgoing.abandon()
            if isinstance(error, Exception):
                self._writing.join()
            raise
        finally:  # after an interrupt: a read may not return while nothing comes, nor a write while nothing is taken
            self._reading.join(GRACE)
            self._writing.join(GRACE)
        self._outgoing.raise_error()
        return failure

    def close(self) -> None:
        """Leave nothing open or unfinished behind, except what a thread still works with after an interrupt."""
        if not self._writing.is_alive():
            self.writer.discard()
            if not self._reading.is_alive():
                self.source.close()  # after the writer, which decodes sound with it

    def _compute(
        self, network: Callable, batch: int, wanted: Callable[[], bool], on_progress: Callable[[int], object]
    ) -> str | None:
        for group in self._groups(batch):
            if not wanted():
                return None
            if not group:
                continue
            pictures = [item for item in group if isinstance(item, Picture)]
            try:
                results = iter(network([picture.array for picture in pictures]))
            except Exception as error:  # of any class: what was made so far is kept
                LOG.debug("the network failed", exc_info=True)
                return f"could not be taken further ({reason_of(error)})"
            for item in group:
                if isinstance(item, Picture):
                    item = replace(item, array=next(results))
                self._outgoing.put(item)
            on_progress(len(pictures))
        self.ended = True
        return None

    def _groups(self, batch: int) -> Iterator[list[Picture | Sound]]:
        """A batch of pictures, with the sound between them; fewer where they are large, or where there is much sound. Empty while
        nothing comes."""
        group: list[Picture | Sound] = []
        count, weight, most = 0, 0, batch
        for item in self._incoming.polled(PATIENCE):
            if item is None:
                yield []
                continue
            group.append(item)
            weight += _weight(item)
            if isinstance(item, Picture):
                count, most = count + 1, min(batch, max(1, ROOM // item.array.nbytes))
            if count >= most or weight > ROOM:
                yield group
                group, count, weight = [], 0, 0
        if group:
            yield group

    def _read(self) -> None:
        left = self.writer.skipped
        try:
            for item in self.source:
                if self._incoming.abandoned:
                    return
                if left:
                    left -= isinstance(item, Picture)
                elif self.source.is_camera:
                    self.dropped += self._incoming.offer(item)
                else:
                    self._incoming.put(item)
            self._incoming.end()
        except Closed:
            return
        except Exception as error:
            self._incoming.end(error)

    def _write(self) -> None:
        try:
            for item in self._outgoing:
                if isinstance(item, Picture):
                    self.writer.picture(item)
                else:
                    self.writer.sound(item)
        except Exception as error:
            self._outgoing.abandon(error)


def _weight(item: Picture | Sound) -> int:
    return item.array.nbytes if isinstance(item, Picture) else item.nbytes


def _batch_size(source: Source, remover: "Remover", options: FrameOptions) -> int:
    """One at a time from a camera, whose pictures come slowly, and where patches are merged, which takes much memory."""
    if source.is_camera or remover.network.merging:
        return 1
    if _by_keys(remover.network, options):
        return BATCH_GPU  # of few of them the network makes maps
    return BATCH.get(remover.device.partition(":")[0], BATCH_GPU)


def _through_time(network: "Network", options: FrameOptions) -> "Network":
    """The network as it sees one picture after the other. Raises RemoverError where it cannot follow a mask."""
    if _by_keys(network, options):
        return KeyedNetwork(network, options.mask)
    return SteadyNetwork(network) if options.steady else network


def _by_keys(network: "Network", options: FrameOptions) -> bool:
    """Whether the network sees key frames alone."""
    fast = options.steady and options.quality == "fast" and can_carry(network.preprocess)
    return fast or options.mask is not None


def _network(remover: "Remover", options: FrameOptions) -> Callable[[list["np.ndarray"]], list["np.ndarray"]]:
    """Pictures → results, smaller batches where the memory does not hold one."""
    remover = copy(remover)  # shares the network
    remover.quality = None  # nobody is told it of a frame
    remover.network = _through_time(remover.network, options)
    if options.edges is None:
        remover.edges = "none"
    fitted, most = _fitting(options.style), BATCH_GPU
    if isinstance(remover.network, KeyedNetwork):
        most //= 2  # it sees one after the other: so the first half is composed beside the second

    def cut(pictures: list["np.ndarray"]) -> list["np.ndarray"]:
        nonlocal most
        sizes = {picture.shape[:2] for picture in pictures}
        style = fitted(*sizes) if len(sizes) == 1 else options.style
        while True:
            network = remover.network
            before = copy(network) if isinstance(network, SteadyNetwork) else network
            try:
                return remover.process_batch(pictures, style, options.threshold, options.reverse, most)
            except (NotEnoughMemory, MemoryError):
                remover.network = before  # it may have seen some of them, and sees them again
                most = min(most, len(pictures)) // 2
                if not most:
                    raise

    return cut


def _fitting(style: OutputStyle) -> Callable[[tuple[int, int]], OutputStyle]:
    """Of pictures of a size: the style with its background at this size, which is scaled once, not for each picture."""
    original = style.picture
    if original is None:
        return lambda size: style
    return functools.lru_cache(maxsize=1)(lambda size: replace(style, picture=resize_to_cover(original, size)))
