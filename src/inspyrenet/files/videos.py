"""Videos of a request, one after the other; each fails for itself."""

import contextlib
import hashlib
import sys
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ..remover.compositing import OutputStyle
from ..remover.output_paths import FileJob
from ..utils.system.failures import one_line
from ..video.camera import Camera
from ..video.opening import open_file, open_writer
from ..video.process import FrameOptions, Outcome, cut_video, drops_of
from ..video.source import Source
from ..video.stopping import Stop
from .report import FATAL_ERRNOS, Report, add_failure
from .request import Work

if TYPE_CHECKING:
    from ..remover.remover import Remover


def cut_videos(
    jobs: Sequence[FileJob],
    work: Work,
    remover: "Remover",
    report: Report,
    bar: bool = False,
    say: Callable[[str], None] | None = None,
) -> None:
    """Add to the report what became of each video. Stops where nothing can be written any more.

    Raises KeyboardInterrupt after Ctrl-C or SIGTERM, once the file at hand is finished. That is how a camera ends, and no error.
    """
    for job in jobs:
        with Stop() as stop:
            try:
                outcome = _cut_one(job, work, remover, stop, bar)
            except Exception as error:  # of any class: decoders and networks are other people's code
                add_failure(report, job.source, error, say)
                if getattr(error, "errno", None) in FATAL_ERRNOS:
                    return
                if stop.wanted and job.kind != "camera":
                    print(f"stopped: {job.source}: {one_line(error).removeprefix(f'{job.source}: ')}", file=sys.stderr)
                    raise KeyboardInterrupt from error
                continue
        _note(job, outcome, report, say)
        if stop.wanted and job is not jobs[-1]:  # while the last pictures of this one were done
            raise KeyboardInterrupt


def _cut_one(job: FileJob, work: Work, remover: "Remover", stop: Stop, bar: bool) -> Outcome:
    from tqdm import tqdm

    edges = None if work.edges == "auto" else work.edges
    mask = None if work.prompt is None else work.prompt.probability
    options = FrameOptions(work.style, work.threshold, work.reverse, edges, work.steady, work.quality, mask)
    with contextlib.ExitStack() as opened:
        source: Source = Camera(int(job.source.name)) if job.kind == "camera" else open_file(job.source)
        opened.callback(source.close)
        request, transparent = _request(job, work, remover), work.style.transparent
        writer = open_writer(job.target, source, transparent, _keeps_colors(work.style), request)
        opened.pop_all()  # from here on, cut_video closes it
    if source.is_camera:
        print(f"{source.name}: recording to {job.target}, Ctrl-C ends it", file=sys.stderr)
    name = source.name if source.is_camera else job.source.name
    if writer.skipped:
        print(f"{name}: {writer.skipped} frames are there already", file=sys.stderr)
    with tqdm(
        total=source.frames, initial=writer.skipped, unit="frame", desc=name, disable=not bar, file=sys.stderr
    ) as progress:
        return cut_video(source, writer, remover, options, lambda: not stop.wanted, progress.update)


def _keeps_colors(style: OutputStyle) -> bool:
    """The result shows the video's own colors: a map has none."""
    return style.kind not in ("map", "debug")


def _request(job: FileJob, work: Work, remover: "Remover") -> str:
    """All that the pictures of a video depend on. What cannot be gone on with is like no other: a recording, and an object that a
    mask shows, since it is followed from the first picture on."""
    if job.kind == "camera" or work.prompt is not None:
        return uuid.uuid4().hex
    style, weights = work.style, remover.network.weights
    picture = None if style.picture is None else hashlib.sha256(style.picture.tobytes()).hexdigest()
    look = (replace(style, picture=None), picture, work.threshold, work.reverse, work.edges, work.steady, work.quality)
    files = [(path.resolve(), path.stat().st_mtime_ns) for path in (job.source, weights) if path.exists()]
    return repr((files, look, remover.describe(), remover.options.deciding_maps()))


def _note(job: FileJob, outcome: Outcome, report: Report, say: Callable[[str], None] | None) -> None:
    """Into the report, or out of the work where somebody stopped it."""
    kept = f"{outcome.frames} frames ({outcome.seconds:.1f} s) are in {outcome.path}"
    if job.kind == "camera":
        print(f"camera {job.source}: {drops_of(outcome)}", file=sys.stderr)
    if outcome.warning:
        report.failed.append((job.source, f"{outcome.warning}; {kept}"))
        return
    if outcome.stopped and job.kind != "camera":
        print(f"stopped: {kept}", file=sys.stderr)
        raise KeyboardInterrupt
    report.done.append(job)
    if outcome.note:
        print(f"{job.source}: {outcome.note}", file=sys.stderr)
    if say:
        say(f"{job.source} → {outcome.path}: {outcome.frames} frames, {outcome.seconds:.1f} s")
