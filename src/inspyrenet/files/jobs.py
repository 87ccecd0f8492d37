"""Many images and videos, one after the other: found, planned, cut out, written; one that fails does not stop the rest."""

import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

from ..data.images.encode import write_picture
from ..remover.output_paths import FileJob
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
    report = Report(skipped=list(work.skipped), like_results=work.like_results)
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

    pending: deque[tuple[FileJob, Future]] = deque()
    with (
        ThreadPoolExecutor(1) as reader,
        ThreadPoolExecutor(WRITERS) as writer,
        tqdm(total=len(jobs), unit="image", disable=not bar, file=sys.stderr) as progress,
    ):
        writable = True
        for job, image in _read_ahead(jobs, reader):
            try:
                result = remover.cut(image.result(), work.style, work.threshold, work.reverse, work.keep_metadata)
            except Exception as error:  # of any class: decoders, networks and matting are other people's code
                add_failure(report, job.source, error, say)
                progress.update()
                continue
            pending.append((job, writer.submit(write_picture, result.array, job.target, work.format, result.metadata)))
            _note(report, result.seconds, job, say, progress)
            writable = _drain(pending, report, progress, PENDING, say)
            if not writable:
                break
        return _drain(pending, report, progress, 0, say) and writable


def _read_ahead(jobs: Sequence[FileJob], pool: ThreadPoolExecutor) -> Iterator[tuple[FileJob, "Future[DecodedImage]"]]:
    """Jobs with their images, one image decoded in advance."""
    from ..remover.image_types import read_upright

    queue: deque[tuple[FileJob, Future]] = deque()
    for job in jobs:
        queue.append((job, pool.submit(read_upright, job.source)))
        if len(queue) > 1:
            yield queue.popleft()
    yield from queue


def _drain(
    pending: deque[tuple[FileJob, Future]], report: Report, progress: "tqdm", allowed: int, say: Say | None
) -> bool:
    """Take in finished results, and wait until at most `allowed` are under way; False where writing is hopeless."""
    writable = True
    while pending and (len(pending) > allowed or pending[0][1].done()):
        job, future = pending.popleft()
        error = future.exception()
        if error is None:
            report.done.append(job)
        else:
            add_failure(report, job.source, error, say)
            writable = writable and getattr(error, "errno", None) not in FATAL_ERRNOS
        progress.update()
    return writable


def _note(report: Report, seconds: dict[str, float], job: FileJob, say: Say | None, progress: "tqdm") -> None:
    for part, value in seconds.items():
        report.seconds[part] = report.seconds.get(part, 0.0) + value
    if say:
        with progress.external_write_mode(file=sys.stderr):
            say(f"{job.source} → {job.target}: {', '.join(f'{part} {value:.2f} s' for part, value in seconds.items())}")
