"""Many images and videos, one after the other: found, planned, cut out, written; one that fails does not stop the rest."""

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from ..data.images.read import count_pixels
from ..quality.words import described
from ..remover.output_paths import FileJob
from ..utils.system.cores import usable_cores
from .pipeline import ImagePipeline, Steps
from .report import Report, add_failure
from .request import Work

if TYPE_CHECKING:
    from tqdm import tqdm

    from ..data.images.decoded import DecodedImage
    from ..networks.network import NetworkMaps
    from ..remover.remover import Remover, Result

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
        ThreadPoolExecutor(READERS) as readers,
        ThreadPoolExecutor(threads) as writers,
        tqdm(total=len(jobs), unit="image", disable=not bar, file=sys.stderr) as progress,
    ):
        notes = _Notes(report, progress, say)
        steps = Steps(
            count_pixels=_pixels,
            read=_read,
            predict=lambda images: remover.predict(images, levels, work.prompt),
            make=partial(_make_result, remover, work, say is not None),
            done=notes.done,
            failed=notes.failed,
        )
        return ImagePipeline(steps, readers, writers, remover.batch_size, 2 * threads).run(jobs)


def _read(job: FileJob) -> "DecodedImage":
    from ..remover.image_types import read_upright

    return read_upright(job.source)


def _pixels(job: FileJob) -> int:
    return count_pixels(job.source)


def _make_result(
    remover: "Remover",
    work: Work,
    verbose: bool,
    job: FileJob,
    image: "DecodedImage",
    maps: "NetworkMaps",
    seconds: float,
) -> tuple[dict[str, float], str]:
    """Image and maps → the file; the seconds of all parts, and what is known of the result in words, if `verbose`."""
    from ..remover.writing import write_result

    result = remover.finish(image, maps, work.style, work.threshold, work.reverse, work.keep_metadata)
    started = time.perf_counter()
    if work.review and result.quality is not None:
        work.review.note(job.target, result.quality)
    write_result(result, job.target, work.format)
    parts = {"network": seconds, **result.seconds, "writing": time.perf_counter() - started}
    if not verbose:
        return parts, ""
    return parts, known_of(result)


def known_of(result: "Result") -> str:
    """Where the object is and how good its map may be, in words."""
    from ..remover.writing import places_of

    quality = "" if result.quality is None else f"; quality {described(result.quality)}"
    return f"{places_of(result)}{quality}"


def line_of(name: object, seconds: Mapping[str, float], known: str) -> str:
    """One image in a line: the time of each part, and what is known of it."""
    times = ", ".join(f"{part} {value:.2f} s" for part, value in seconds.items())
    return f"{name}: {times}; {known}"


@dataclass(frozen=True)
class _Notes:
    """What became of each image: in the report, and for whoever watches."""

    report: Report
    progress: "tqdm"
    say: Say | None

    def done(self, job: FileJob, made: tuple[dict[str, float], str]) -> None:
        seconds, known = made
        self.report.done.append(job)
        for part, value in seconds.items():
            self.report.seconds[part] = self.report.seconds.get(part, 0.0) + value
        if self.say:
            with self.progress.external_write_mode(file=sys.stderr):
                self.say(line_of(f"{job.source} → {job.target}", seconds, known))
        self.progress.update()

    def failed(self, job: FileJob, error: BaseException) -> None:
        add_failure(self.report, job.source, error, self.say)
        self.progress.update()
