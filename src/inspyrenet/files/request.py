"""What to cut out, and how: a request is checked as a whole, and its files are found and planned, before a network is loaded."""

import glob
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..data.images.encode import FORMATS, FormatError, check_format
from ..data.images.read import EXTENSIONS, VIDEO_EXTENSIONS, find_images
from ..remover.compositing import OutputStyle, OutputType, check_threshold, style_of
from ..remover.output_paths import SUFFIX, FileJob, is_inside, is_result, kind_of, output_path_beside, plan
from ..video.formats import FORMATS as VIDEO_FORMATS
from ..video.formats import check_video_format, default_format
from .report import named_like_results

KNOWN = (*EXTENSIONS, *VIDEO_EXTENSIONS)


class JobError(ValueError):
    """A request that cannot be carried out; nothing was done."""


@dataclass(frozen=True)
class Request:
    """What to cut out, and how. source: a file, folder, pattern or camera number; dest: a folder, or a file where source is one.

    edges: as the Remover was asked for; auto leaves the colors of videos as they are, since estimating takes long.
    """

    source: str
    dest: str | None = None
    type: OutputType = "rgba"
    format: str | None = None
    threshold: float | None = None
    reverse: bool = False
    overwrite: bool = False
    edges: str = "auto"
    keep_metadata: bool = False


@dataclass(frozen=True)
class Work:
    """A request that was understood: what is left to do, what is there already, what was left out (`Sources`)."""

    jobs: list[FileJob]
    skipped: list[FileJob]
    style: OutputStyle
    format: str
    threshold: float | None
    reverse: bool
    edges: str = "auto"
    like_results: tuple[Path, ...] = ()
    keep_metadata: bool = False

    def __str__(self) -> str:
        counts = {kind: sum(job.kind == kind for job in self.jobs) for kind in ("image", "video", "camera")}
        return ", ".join(f"{count} {kind}{'s' * (count > 1)}" for kind, count in counts.items() if count)


@dataclass(frozen=True)
class Sources:
    """Images and videos, and the folder that their names count from. like_results: left out, since their names are results'."""

    files: list[Path]
    root: Path
    like_results: tuple[Path, ...] = ()


def parse_request(request: Request) -> Work:
    """Check the whole request, find its images and videos and plan their results; the destination is made.

    Raises JobError, CutoutError, FormatError, ImageError, OSError, VideoError, VideoExtraMissing with a message for people.
    """
    style = style_of(request.type)
    check_threshold(request.threshold)
    dest = Path(request.dest).expanduser() if request.dest else None
    found = Sources([], Path())
    if is_camera(request.source):
        form, video_form = _formats(request, style, {"video"})
        jobs, folder = _camera_target(request.source, dest, video_form)
    else:
        found = find_sources(request.source, dest)
        form, video_form = _formats(request, style, {kind_of(source) for source in found.files})
        jobs, folder = _targets(found.files, found.root, dest, (form, video_form), request.source)
    if not any(job.kind == "image" for job in jobs):
        _check_videos(jobs)
    check_writable(folder)
    targets = {job.target for job in jobs}
    # what this request would write is a result indeed; anything else of such a name may be a photograph
    like_results = tuple(path for path in found.like_results if path not in targets)
    skipped = [] if request.overwrite else [job for job in jobs if _is_finished(job.target)]
    there = {job.target for job in skipped}
    jobs = [job for job in jobs if job.target not in there]
    return Work(
        jobs,
        skipped,
        style,
        form,
        request.threshold,
        request.reverse,
        request.edges,
        like_results,
        request.keep_metadata,
    )


def is_camera(source: str) -> bool:
    """A number that is no file's name."""
    return source.isdecimal() and not Path(source).exists()


def _camera_target(number: str, dest: Path | None, form: str) -> tuple[list[FileJob], Path]:
    """camera0.out.webm here, camera0.webm in a folder, or a file's name."""
    if dest is None:
        dest = Path(f"camera{number}{SUFFIX}.{form}")
    elif not _is_file_name(dest):
        dest = dest / f"camera{number}.{form}"
    return [FileJob(Path(number), dest, "camera")], dest.parent


def _check_videos(jobs: Sequence[FileJob]) -> None:
    """What can be known before a network is loaded: PyAV is there, a single file is a video."""
    from ..video.errors import load_av
    from ..video.reading import VideoFile

    load_av()
    if len(jobs) == 1 and jobs[0].kind == "video":
        VideoFile(jobs[0].source).close()


def _targets(
    sources: list[Path], root: Path, dest: Path | None, forms: tuple[str, str], source: str
) -> tuple[list[FileJob], Path]:
    """Where each result goes, and the folder that holds them all. forms: of images, of videos."""
    kind = kind_of(sources[0])
    if dest is not None and _names_file(dest, source):
        if dest.resolve() == sources[0].resolve():
            raise JobError(f"{dest}: the result would replace the {kind} itself; choose another name")
        return [FileJob(sources[0], dest, kind)], dest.parent
    if dest is None and Path(source).expanduser().is_file():
        return [FileJob(sources[0], output_path_beside(sources[0], forms[kind == "video"]), kind)], sources[0].parent
    dest = dest or (_neighbor(root) if Path(source).expanduser().is_dir() else root)
    return plan(sources, root, dest, *forms), dest


def find_sources(source: str, dest: Path | None = None) -> Sources:
    """The images and videos that a file, folder or pattern stands for.

    Everything below a folder counts, but for `dest` and for what is called as results are (NAME.out.png).
    Raises JobError where there is none.
    """
    if "://" in source:
        raise JobError(f"{source}: addresses are not fetched; download the image first")
    path = Path(source).expanduser()
    if path.is_file():
        return Sources([path], path.parent)
    if path.is_dir():
        found, root, nothing = find_images(path, KNOWN), path, f"{path}: no images in this folder"
    elif glob.has_magic(source):
        names = sorted(Path(name) for name in glob.glob(str(path), recursive=True))  # noqa: PTH207 (absolute ones too)
        found = [name for name in names if name.is_file() and name.suffix.lower() in KNOWN]
        root, nothing = _fixed_part(path), f"{source}: no image matches"
    else:
        raise JobError(f"{source}: no such file or folder")
    if dest is not None and is_inside(dest, root):
        found = [image for image in found if not is_inside(image, dest)]
    like_results = tuple(image for image in found if is_result(image))
    found = [image for image in found if not is_result(image)]
    if not found:
        left_out = f"; {named_like_results(like_results)}" if like_results else ""
        raise JobError(f"{nothing} (looked for {' '.join(KNOWN)}){left_out}")
    return Sources(found, root, like_results)


def check_writable(folder: Path) -> None:
    """Make the folder and try to write there. Raises OSError with path and remedy."""
    probe = folder / f".{secrets.token_hex(8)}.part"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        reason = error.strerror or str(error)
        raise OSError(error.errno, f"cannot write to {folder} ({reason}); choose another destination") from error


def _formats(request: Request, style: OutputStyle, kinds: set[str]) -> tuple[str, str]:
    """(of images, of videos): the asked format, or the one of a named file, for the kind that it is one of; else the usual."""
    name = request.format
    if name is None and request.dest and _names_file(Path(request.dest).expanduser(), request.source):
        name = Path(request.dest).suffix
    if name is None:
        return "png", default_format(style.transparent)
    plain = name.lower().removeprefix(".")
    if plain in VIDEO_FORMATS:
        if "video" not in kinds:
            raise FormatError(f"{plain} is a format of videos; for images there is {', '.join(FORMATS)}")
        return "png", check_video_format(plain, style.transparent)
    if kinds == {"video"}:
        kind = "a format of images" if plain in FORMATS else "unknown as a format"
        raise FormatError(f"{plain} is {kind}; for videos there is {', '.join(VIDEO_FORMATS)}")
    return check_format(plain, style.transparent), default_format(style.transparent)


def _names_file(dest: Path, source: str) -> bool:
    """`dest` is meant as a file: it looks like one, and there is one image, video or camera."""
    return _is_file_name(dest) and (Path(source).expanduser().is_file() or is_camera(source))


def _is_file_name(dest: Path) -> bool:
    return dest.suffix.lower().removeprefix(".") in (*FORMATS, *VIDEO_FORMATS) and not dest.is_dir()


def _neighbor(root: Path) -> Path:
    """FOLDER.out beside the folder."""
    root = root.resolve()
    return root.with_name(f"{root.name}{SUFFIX}")


def _is_finished(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > 0  # results appear whole or not at all


def _fixed_part(pattern: Path) -> Path:
    """The folders before the first wildcard."""
    parts = []
    for part in pattern.parts[:-1]:
        if glob.has_magic(part):
            break
        parts.append(part)
    return Path(*parts)
