"""Many images and videos, one after the other: found, planned, cut out, written; one that fails does not stop the rest."""

import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

from ..data.images.encode import write_picture
from ..remover.output_paths import Job
from .report import HOPELESS, Report, one_line
from .request import Work

if TYPE_CHECKING:
    import numpy as np

    from ..remover.remover import Remover

WRITERS, PENDING = 2, 4  # threads that compress, and results that may wait for them


def carry_out(work: Work, remover: "Remover", bar: bool = False, say: Callable[[str], None] | None = None) -> Report:
    """Cut out every image, then every video; reading, the network and writing overlap. say: takes a line for each.

    Never raises for a single one: the report lists what failed and why. Stops where nothing can be written any more.
    """
    report = Report(skipped=list(work.skipped))
    images = [job for job in work.jobs if job.kind == "image"]
    videos = [job for job in work.jobs if job.kind != "image"]
    hopeful = _cut_images(images, work, remover, report, bar, say) if images else True
    if videos and hopeful:
        from .videos import cut_videos

        cut_videos(videos, work, remover, report, bar, say)
    report.left = len(work.jobs) - len(report.done) - len(report.failed)
    return report


def _cut_images(jobs: Sequence[Job], work: Work, remover: "Remover", report: Report, bar: bool, say) -> bool:
    """False where writing is hopeless."""
    from tqdm import tqdm

    pending: deque[tuple[Job, Future]] = deque()
    with (
        ThreadPoolExecutor(1) as reader,
        ThreadPoolExecutor(WRITERS) as writer,
        tqdm(total=len(jobs), unit="image", disable=not bar, file=sys.stderr) as progress,
    ):
        hopeful = True
        for job, image in _read_ahead(jobs, reader):
            try:
                result = remover.cut(image.result(), work.style, work.threshold, work.reverse)
            except (ValueError, RuntimeError, OSError, MemoryError) as error:
                report.failed.append((job.source, one_line(error)))
                progress.update()
                continue
            pending.append((job, writer.submit(write_picture, result.array, job.target, work.format)))
            _note(report, result.seconds, job, say, progress)
            hopeful = _settle(pending, report, progress, PENDING)
            if not hopeful:
                break
        return _settle(pending, report, progress, 0) and hopeful


def _read_ahead(jobs: Sequence[Job], pool: ThreadPoolExecutor) -> Iterator[tuple[Job, "Future[np.ndarray]"]]:
    """Jobs with their images, one image decoded in advance."""
    from ..remover.image_types import read_upright

    queue: deque[tuple[Job, Future]] = deque()
    for job in jobs:
        queue.append((job, pool.submit(read_upright, job.source)))
        if len(queue) > 1:
            yield queue.popleft()
    yield from queue


def _settle(pending: deque[tuple[Job, Future]], report: Report, progress, allowed: int) -> bool:
    """Take in finished results, and wait until at most `allowed` are under way; False where writing is hopeless."""
    hopeful = True
    while pending and (len(pending) > allowed or pending[0][1].done()):
        job, future = pending.popleft()
        error = future.exception()
        if error is None:
            report.done.append(job)
        else:
            report.failed.append((job.source, one_line(error)))
            hopeful = hopeful and getattr(error, "errno", None) not in HOPELESS
        progress.update()
    return hopeful


def _note(report: Report, seconds: dict[str, float], job: Job, say, progress) -> None:
    for part, value in seconds.items():
        report.seconds[part] = report.seconds.get(part, 0.0) + value
    if say:
        with progress.external_write_mode(file=sys.stderr):
            say(f"{job.source} → {job.target}: {', '.join(f'{part} {value:.2f} s' for part, value in seconds.items())}")
