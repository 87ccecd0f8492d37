"""Many images and videos, one after the other: found, planned, cut out, written; one that fails does not stop the rest."""

import sys
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from ..data.images.encode import write_picture
from ..data.images.read import count_pixels
from ..remover.output_paths import FileJob
from .read_ahead import Reading, Room, read_ahead
from .report import FATAL_ERRNOS, Report, add_failure
from .request import Work

if TYPE_CHECKING:
    from tqdm import tqdm

    from ..data.images.decoded import DecodedImage
    from ..remover.remover import Remover

Say = Callable[[str], None]

WRITERS, PENDING = 2, 4  # threads that compress, and results that may wait for them


def run_jobs(work: Work, remover: "Remover", bar: bool = False, say: Say | None = None) -> Report:
    """Cut out every image, then every video; reading, the network and writing overlap. say: takes a line for each.

    Never raises for a single one: the report lists what failed and why. Stops where nothing can be written any more.
    """
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

    with (
        ThreadPoolExecutor(1) as reader,
        ThreadPoolExecutor(WRITERS) as writer,
        tqdm(total=len(jobs), unit="image", disable=not bar, file=sys.stderr) as progress,
    ):
        writing = _Writing(report, progress, say)
        for (reading,) in read_ahead(jobs, _read, _pixels, reader, writing.room, writing.finish_one):
            try:
                result = remover.cut(
                    reading.future.result(), work.style, work.threshold, work.reverse, work.keep_metadata
                )
            except Exception as error:  # of any class: decoders, networks and matting are other people's code
                writing.fail(reading, error)
                continue
            job = reading.item
            _note(report, result.seconds, job, say, progress)
            future = writer.submit(write_picture, result.array, job.target, work.format, result.metadata)
            writing.pending.append(Reading(job, reading.pixels, future))
            del reading, result  # a large image is gone before the next one is read
            writing.finish(PENDING)
            if not writing.possible:
                break
        writing.finish(0)
        return writing.possible


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
        self._leave(written)

    def fail(self, reading: Reading[FileJob], error: BaseException) -> None:
        """List an image that was not read, cut out or written."""
        add_failure(self.report, reading.item.source, error, self.say)
        self._leave(reading)

    def _leave(self, reading: Reading[FileJob]) -> None:
        self.room.taken -= reading.pixels
        self.progress.update()


def _note(report: Report, seconds: dict[str, float], job: FileJob, say: Say | None, progress: "tqdm") -> None:
    for part, value in seconds.items():
        report.seconds[part] = report.seconds.get(part, 0.0) + value
    if say:
        with progress.external_write_mode(file=sys.stderr):
            say(f"{job.source} → {job.target}: {', '.join(f'{part} {value:.2f} s' for part, value in seconds.items())}")
