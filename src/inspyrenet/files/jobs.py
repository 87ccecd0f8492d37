"""Many images and videos, one after the other: found, planned, cut out, written; one that fails does not stop the rest.

This thread runs the network; some read ahead, others make results of what the network said: edge colors, composing, files.
"""

import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from ..data.images.read import count_pixels
from ..quality.words import described
from ..remover.output_paths import FileJob
from ..utils.system.cores import usable_cores
from .read_ahead import Reading, Room, read_ahead
from .report import FATAL_ERRNOS, Report, add_failure
from .request import Work

if TYPE_CHECKING:
    from tqdm import tqdm

    from ..data.images.decoded import DecodedImage
    from ..interactive.prompt import Prompt
    from ..networks.network import NetworkMaps
    from ..remover.remover import Remover

Say = Callable[[str], None]

READERS = 2
WRITERS = 2, 8  # threads that make and write results, at least and at most


def run_jobs(work: Work, remover: "Remover", bar: bool = False, say: Say | None = None) -> Report:
    """Cut out every image, then every video; reading, the network and making results overlap. say: takes a line for each.

    Never raises for a single one: the report lists what failed and why. Stops where nothing can be written any more.
    Raises JobError where results of an earlier run cannot be brought back from where they were set aside.
    """
    if work.aside:
        work.aside.begin(work.again)
    report = Report(skipped=list(work.skipped), like_results=work.like_results, others=work.others)
    images = [job for job in work.jobs if job.kind == "image"]
    videos = [job for job in work.jobs if job.kind != "image"]
    writable = _cut_images(images, work, remover, report, bar, say) if images else True
    if videos and writable:
        from .videos import cut_videos

        cut_videos(videos, work, remover, report, bar, say)
    report.left = len(work.jobs) - len(report.done) - len(report.failed)
    return report


def _cut_images(
    jobs: Sequence[FileJob], work: Work, remover: "Remover", report: Report, bar: bool, say: Say | None
) -> bool:
    """False where writing is hopeless."""
    from tqdm import tqdm

    threads = min(max(usable_cores(), WRITERS[0]), WRITERS[1])
    levels = work.style.kind == "debug"
    with (
        ThreadPoolExecutor(READERS) as reader,
        ThreadPoolExecutor(threads) as writer,
        tqdm(total=len(jobs), unit="image", disable=not bar, file=sys.stderr) as progress,
    ):
        writing = _Writing(report, progress, say)

        def cut_out(
            group: list[Reading[FileJob]],
        ) -> None:  # a function of its own, so that no name below holds an image
            images = _read_images(group, writing)
            for reading, image, maps, seconds in _predicted(remover, images, levels, work.prompt, writing):
                future = writer.submit(_make_result, remover, image, maps, work, reading.item, seconds, say is not None)
                writing.pending.append(Reading(reading.item, reading.pixels, future))

        for group in read_ahead(jobs, _read, _pixels, reader, writing.room, writing.finish_one, remover.batch_size):
            cut_out(group)
            group.clear()  # large images are gone before the next ones are read
            writing.finish(2 * threads)
            if not writing.possible:
                break
        writing.finish(0)
        return writing.possible


def _read_images(
    group: Sequence[Reading[FileJob]], writing: "_Writing"
) -> "Iterator[tuple[Reading[FileJob], DecodedImage]]":
    """Those that can be read."""
    for reading in group:
        try:
            yield reading, reading.future.result()
        except Exception as error:  # of any class: decoders are other people's code
            writing.fail(reading, error)


def _predicted(
    remover: "Remover",
    images: "Iterable[tuple[Reading[FileJob], DecodedImage]]",
    levels: bool,
    prompt: "Prompt | None",
    writing: "_Writing",
) -> "Iterator[tuple[Reading[FileJob], DecodedImage, NetworkMaps, dict[str, float]]]":
    """What the network says of each, and the seconds that it took; of several at once, or of each alone where that fails."""
    images = list(images)
    groups = [images]
    while groups and (group := groups.pop(0)):
        started = time.perf_counter()
        try:
            found = remover.predict([image for _, image in group], levels, prompt)
        except Exception as error:  # of any class: networks are other people's code
            if len(group) > 1:
                groups = [[one] for one in group]
            else:
                writing.fail(group[0][0], error)
            continue
        seconds = (time.perf_counter() - started) / len(group)
        for (reading, image), maps in zip(group, found, strict=True):
            yield reading, image, maps, {"network": seconds}


def _make_result(
    remover: "Remover",
    image: "DecodedImage",
    maps: "NetworkMaps",
    work: Work,
    job: FileJob,
    seconds: dict[str, float],
    looked: bool,
) -> tuple[dict[str, float], str]:
    """Image and maps → the file; the seconds of all parts, and what is known of the result in words, where somebody looks."""
    from ..remover.writing import places_of, write_result

    result = remover.finish(image, maps, work.style, work.threshold, work.reverse, work.keep_metadata)
    started = time.perf_counter()
    if work.review and result.quality is not None:
        work.review.note(job.target, result.quality)
    write_result(result, job.target, work.format)
    parts = {**seconds, **result.seconds, "writing": time.perf_counter() - started}
    if not looked:
        return parts, ""
    quality = "" if result.quality is None else f"; quality {described(result.quality)}"
    return parts, f"{places_of(result)}{quality}"


def _read(job: FileJob) -> "DecodedImage":
    from ..remover.image_types import read_upright

    return read_upright(job.source)


def _pixels(job: FileJob) -> int:
    return count_pixels(job.source)


class _Writing:
    """Results that are being written, and the room that they take."""

    def __init__(self, report: Report, progress: "tqdm", say: Say | None):
        self.report, self.progress, self.say = report, progress, say
        self.room, self.possible = Room(), True
        self.pending: deque[Reading[FileJob]] = deque()

    def finish(self, allowed: int) -> None:
        """Take in what is done, and wait until at most `allowed` are under way."""
        while self.pending and (len(self.pending) > allowed or self.pending[0].future.done()):
            self.finish_one()

    def finish_one(self) -> None:
        """Wait for the oldest."""
        written = self.pending.popleft()
        error = written.future.exception()
        if error is not None:
            self.possible = self.possible and getattr(error, "errno", None) not in FATAL_ERRNOS
            self.fail(written, error)
            return
        self.report.done.append(written.item)
        self._note(written.item, *written.future.result())
        self._leave(written)

    def fail(self, reading: Reading[FileJob], error: BaseException) -> None:
        """List an image that was not read, cut out or written."""
        add_failure(self.report, reading.item.source, error, self.say)
        self._leave(reading)

    def _leave(self, reading: Reading[FileJob]) -> None:
        self.room.taken -= reading.pixels
        self.progress.update()

    def _note(self, job: FileJob, seconds: dict[str, float], known: str) -> None:
        for part, value in seconds.items():
            self.report.seconds[part] = self.report.seconds.get(part, 0.0) + value
        if self.say:
            times = ", ".join(f"{part} {value:.2f} s" for part, value in seconds.items())
            with self.progress.external_write_mode(file=sys.stderr):
                self.say(f"{job.source} → {job.target}: {times}; {known}")
