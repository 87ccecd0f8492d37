"""One worker: loads the network once, then turns portions of images into results and rows. The same for every executor."""

import contextlib
import os
import socket
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ..cloud.path import as_path, is_url
from ..files.pipeline import ImagePipeline, Steps
from ..remover.compositing import OutputStyle
from ..utils.system.failures import one_line
from .errors import BatchError
from .fetch import AHEAD, Fetched
from .in_flight import TRIES, InFlight
from .inputs import Item
from .manifest import DONE, FAILED, Row
from .network import Network
from .places import AnyState, local_copy, state_of, write_result

if TYPE_CHECKING:
    from ..data.images.decoded import DecodedImage
    from ..networks.network import NetworkMaps
    from ..remover.remover import Remover

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",  # torch's, and that of graphs
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "OPENCV_FOR_THREADS_NUM",
)
PENDING = 4  # results that may wait for being written
IO_THREADS = 2  # they decode, and make and write results, while the network runs


@dataclass(frozen=True)
class Settings:
    """All that a worker needs to know; goes to other processes and machines.

    threads: of the processor. device: of this worker, in place of the network's. batch_size: images in one pass of the network;
    None: by device.
    in_flight: folder that all workers see. started: ns by the clock of the file system; results from then on are of this run.
    """

    network: Network
    style: OutputStyle
    format: str
    in_flight: str
    started: int
    threshold: float | None = None
    reverse: bool = False
    device: str = "auto"
    edges: str = "auto"
    keep_metadata: bool = False
    threads: int = 1
    batch_size: int | None = None


def load_remover(settings: Settings) -> "Remover":
    """The network, on its device, with its share of the processor's threads."""
    limit_threads(settings.threads)
    from ..remover.remover import Remover

    return Remover.from_options(replace(settings.network.options, device=settings.device), settings.edges)


def limit_threads(number: int) -> None:
    """This process computes with so many threads. No package is loaded for that: those that come later read the variables."""
    for name in THREAD_VARIABLES:
        os.environ[name] = str(number)
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # waiting threads leave the core to readers, writers and others
    torch, cv2 = sys.modules.get("torch"), sys.modules.get("cv2")
    if torch is not None:
        torch.set_num_threads(number)
    if cv2 is not None:
        cv2.setNumThreads(number)


class Worker:
    """Callable: items → rows, one for each; fewer where nothing can be written any more. Nothing that is wrong with one
    image is raised.

    name: stays the same when a worker that died is started again. Raises BatchError where loading the network killed it
    before, again and again, and whatever Remover raises.
    """

    def __init__(self, settings: Settings, name: str, load: Callable[[Settings], "Remover"] = load_remover):
        self.settings = settings
        self.label = f"{socket.gethostname()}:{os.getpid()}"
        self.in_flight = InFlight(as_path(settings.in_flight), self.label)
        key = f"start {name}"
        if self.in_flight.enter(key) >= TRIES:
            raise BatchError(
                f"a worker died {TRIES} times while it loaded the network: too little memory for so many workers?"
            )
        self.remover = load(settings)
        self.in_flight.leave(key)
        self.batch_size = settings.batch_size or self.remover.batch_size
        self.readers, self.writers = ThreadPoolExecutor(IO_THREADS), ThreadPoolExecutor(IO_THREADS)
        self.fetchers = ThreadPoolExecutor(AHEAD)

    def __call__(self, items: Sequence[Item]) -> list[Row]:
        """Do these images. Where a worker died of the same chunk before, what it finished is kept, the rest goes one by one."""
        key = f"task {items[0].path} {len(items)}"
        deaths = self.in_flight.enter(key, [item.path for item in items])
        rows = [row for row in map(self._kept, items) if row] if deaths else []
        there = {row.path for row in rows}
        left = [item for item in items if item.path not in there]
        quick = [item for item in left if not (deaths or item.suspect)]
        rows += self._cut_all(quick)
        for item in left:
            if (deaths or item.suspect) and not any(row.fatal for row in rows):
                rows += self._cut_carefully(item)
        for row in rows:
            row.attempts, row.worker = deaths + 1, self.label
        self.in_flight.leave(key)
        return rows

    def _kept(self, item: Item) -> Row | None:
        """A row for a result that another worker finished before it died."""
        try:
            state = state_of(item.output)
        except OSError:
            return None
        if not state.st_size or state.st_mtime_ns < self.settings.started:
            return None
        row = _new_row(item, DONE)
        row.message, row.bytes, row.finished = (
            "made by a worker that died later",
            state.st_size,
            state.st_mtime_ns / 1e9,
        )
        try:
            from ..data.images.read import upright_size

            with local_copy(item.path) as file:
                row.height, row.width = upright_size(file)
        except (ValueError, OSError):
            row.message += "; the image is gone since"
        return row

    def _cut_carefully(self, item: Item) -> list[Row]:
        """Alone, with a mark: an image that kills one worker after the other is given up."""
        key = f"image {item.path}"
        if self.in_flight.enter(key, [item.path]) >= TRIES:
            row = _new_row(item, FAILED)
            row.message = f"workers died {TRIES} times while they had this image: too large for the memory?"
            return [row]  # the mark stays until the end of the run
        rows = self._cut_all([item])
        self.in_flight.leave(key)
        return rows

    # -- the usual way ----------------------------------------------------------------------------------------------

    def _cut_all(self, items: Sequence[Item]) -> list[Row]:
        """Reading, network and writing overlap. Where nothing can be written any more, the rest has no rows."""
        rows = [Row(item.path, item.output, DONE, shard=item.shard) for item in items]
        fetched = Fetched(items, self.fetchers)
        levels = self.settings.style.kind == "debug"
        steps = Steps(
            count_pixels=partial(_pixels, fetched),
            read=partial(_read, fetched),
            predict=lambda images: self.remover.predict(images, levels),
            make=self._make,
            done=_finish,
            failed=_fail,
        )
        writable = ImagePipeline(steps, self.readers, self.writers, self.batch_size, PENDING).run(rows)
        tried = [row for row in rows if row.finished]
        for row in tried:
            row.fatal = not writable and row.status == FAILED
        return tried

    def _make(self, row: Row, image: "DecodedImage", maps: "NetworkMaps", seconds: float) -> float:
        """Make the result and its file; the seconds of the network and of this."""
        settings = self.settings
        started = time.perf_counter() - seconds
        result = self.remover.finish(
            image, maps, settings.style, settings.threshold, settings.reverse, settings.keep_metadata
        )
        row.bytes = write_result(result, as_path(row.output), settings.format)
        row.bbox, row.quality = result.bbox, result.quality
        row.objects = [one.bbox for one in result.objects if one.bbox is not None] or None
        return time.perf_counter() - started


def _new_row(item: Item, status: str) -> Row:
    """A row with what the file system says about the image; a store says it with the content."""
    row = Row(item.path, item.output, status, shard=item.shard, finished=time.time())
    if not is_url(item.path):
        _note_file(row)
    return row


def _note_file(row: Row) -> None:
    with contextlib.suppress(OSError):  # reading it says what is wrong
        _note(row, Path(row.path).stat())


def _note(row: Row, state: AnyState) -> None:
    row.source_bytes, row.source_mtime_ns = state.st_size, state.st_mtime_ns


def _read(fetched: Fetched, row: Row) -> "DecodedImage":
    """The image; its state from before it was read, its size and the seconds go into the row."""
    from ..remover.image_types import read_upright

    started = time.perf_counter()
    source: Path | bytes = Path(row.path)
    if is_url(row.path):
        state, source = fetched.take(row.path)
        _note(row, state)
    else:
        _note_file(row)
    image = read_upright(source)
    row.height, row.width = image.array.shape[:2]
    row.seconds = time.perf_counter() - started
    return image


def _pixels(fetched: Fetched, row: Row) -> int:
    from ..data.images.read import count_pixels

    return fetched.pixels(row.path) if is_url(row.path) else count_pixels(row.path)


def _finish(row: Row, seconds: float) -> None:
    row.seconds = (row.seconds or 0.0) + seconds
    row.finished = time.time()


def _fail(row: Row, error: BaseException) -> None:
    row.status, row.message, row.bytes = (
        FAILED,
        one_line(error).removeprefix(f"{row.path}: ").removeprefix("image bytes: "),
        None,
    )
    row.finished = time.time()
