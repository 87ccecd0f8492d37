"""What to cut out, and how: a request is checked as a whole, and its files are found and planned, before a network is loaded."""

import contextlib
import glob
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from ..data.images.encode import FORMATS, FormatError, check_format
from ..data.images.formats import KNOWN
from ..interactive.prompt import Prompt
from ..mending.options import NOTHING, Mending
from ..remover.compositing import OutputStyle, OutputType, check_threshold, mended_style, style_of
from ..remover.output_paths import FRAMES, SUFFIX, FileJob, in_the_way, plan, plan_beside
from ..utils.system.paths import expanded, is_same_file, says_folder
from ..video.formats import FORMATS as VIDEO_FORMATS
from ..video.formats import OTHER_NAMES, check_video_format, default_format
from .kinds import Kind, kind_for
from .review import FOLDER, Review, rule_of
from .sources import JobError, Sources, find_all, find_sources


@dataclass(frozen=True)
class Request:
    """What to cut out, and how. source: a file, folder, pattern or camera number, or several of the first three.

    dest: a folder, or a file where the source is one; a name that ends in / is a folder.
    edges: as the Remover was asked for; auto leaves the colors of videos as they are, since estimating takes long.
    prompt: what is object and what is not, in one image; or a mask of the first picture of one video.
    review: which results are set aside, see `review.rule_of`. steady, quality: of videos, see `video.process.FrameOptions`.
    beside: files that are read beside the images, such as a mask and a background, and that no result may replace.
    """

    source: str | Sequence[str]
    dest: str | None = None
    type: OutputType = "rgba"
    format: str | None = None
    threshold: float | None = None
    reverse: bool = False
    overwrite: bool = False
    edges: str = "auto"
    keep_metadata: bool = False
    prompt: Prompt | None = None
    review: str | None = None
    mending: Mending = NOTHING
    steady: bool = True
    quality: str = "fast"
    beside: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Work:
    """A request that was understood: what is left to do, what is there already, what was left out (`Sources`).

    aside: where an earlier run set results aside; the same as review where this one does so. again: all are made again.
    """

    jobs: list[FileJob]
    skipped: list[FileJob]
    style: OutputStyle
    format: str
    threshold: float | None
    reverse: bool
    edges: str = "auto"
    like_results: tuple[Path, ...] = ()
    keep_metadata: bool = False
    others: tuple[Path, ...] = ()
    prompt: Prompt | None = None
    review: Review | None = None
    steady: bool = True
    aside: Review | None = None
    again: bool = False
    quality: str = "fast"

    def __str__(self) -> str:
        counts = {kind: sum(job.kind == kind for job in self.jobs) for kind in ("image", "video", "camera")}
        return ", ".join(f"{count} {kind}{'s' * (count > 1)}" for kind, count in counts.items() if count)


def parse_request(request: Request) -> Work:
    """Check the whole request, find its images and videos and plan their results; the destination is made.

    Raises JobError, CutoutError, FormatError, ImageError, OSError, VideoError, VideoExtraMissing with a message for people.
    """
    style = mended_style(style_of(request.type), request.mending, request.reverse)
    check_threshold(request.threshold)
    words = [request.source] if isinstance(request.source, str) else [*request.source]
    dest = expanded(request.dest) if request.dest else None
    found: list[Sources] = []
    if len(words) == 1 and is_camera(words[0]):
        form, video_form = _formats(request, style, {"video"}, alone=True)
        jobs, folders = _camera_target(words[0], request.dest, video_form)
    else:
        found = [find_sources(words[0], dest)] if len(words) == 1 else find_all(words, dest)
        alone = len(words) == 1 and expanded(words[0]).is_file()
        kind = kind_for(request.format or _suffix_of(request.dest))
        forms = _formats(request, style, {kind(source) for one in found for source in one.files}, alone)
        jobs, folders = _targets(words, found, request.dest, forms, kind)
        form = forms[0]
    if request.prompt is not None and [job.kind for job in jobs] not in (["image"], ["video"]):
        raise JobError("a mask, boxes and points belong to one image: name one image file, or for a mask one video")
    if request.prompt is not None and style.kind == "debug":
        raise JobError("type debug shows the levels of the network's own map: leave the prompt or the type out")
    _check_mending(request.mending, jobs)
    if not any(job.kind == "image" for job in jobs):
        _check_videos(jobs, request)
    review = _review(request, words, folders, jobs)
    if request.mending.splits:
        _check_objects(jobs)
    for folder in folders:
        check_writable(folder)
    targets = {job.target for job in jobs}
    # what this request would write is a result indeed; anything else of such a name may be a photograph
    like_results = tuple(path for one in found for path in one.like_results if path not in targets)
    others = tuple(path for one in found for path in one.others)
    skipped = [] if request.overwrite else [job for job in jobs if _is_there(job.target, review)]
    there = {job.target for job in skipped}
    jobs = [job for job in jobs if job.target not in there]
    for job in jobs:
        check_replaces_none(job.target, request.beside)
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
        others,
        request.prompt,
        review if request.review else None,
        request.steady,
        review,
        request.overwrite,
        request.quality,
    )


def _review(request: Request, words: Sequence[str], folders: Sequence[Path], jobs: Sequence[FileJob]) -> Review | None:
    """Where doubtful results are set aside, if they are to be, or were by an earlier run. Raises JobError."""
    rule = rule_of(request.review or "1")
    apart = request.dest is not None or expanded(words[0]).is_dir()  # from the images
    alone = len(words) == 1 and not (expanded(words[0]).is_dir() or glob.has_magic(words[0]))
    if request.review and (alone or not apart or len(folders) > 1):
        way = "-v tells the quality of one image" if alone else f"name an output folder, whose {FOLDER} they go to"
        raise JobError(f"--review sets the doubtful ones of several results aside: {way}")
    if request.review and request.mending.splits:
        raise JobError(
            "--review moves whole results, and not the files of single objects: leave out --object or --review"
        )
    if not apart or alone or not folders:
        return None
    review = Review(folders[0], rule)
    if not (request.review or review.began()):
        return None
    taken = [job.source for job in jobs if job.target.is_relative_to(review.folder)]
    if taken:
        raise JobError(
            f"{taken[0]}: its result would lie in {review.folder}, where doubtful results go: rename its folder"
        )
    return review


def _check_mending(mending: Mending, jobs: Sequence[FileJob]) -> None:
    """Raises JobError where a video is among the files: all of its pictures have one size, and lie in one file."""
    alone, videos = mending.of_images_alone(), [job.source for job in jobs if job.kind != "image"]
    if alone and videos:
        raise JobError(
            f"{', '.join(alone)}: for images alone; {videos[0]} is a video, which keeps its size and its objects"
        )


def check_replaces_none(target: Path, beside: Sequence[Path]) -> None:
    """Raises JobError where a result would replace a mask or a background that is read."""
    if any(is_same_file(target, path) for path in beside):
        raise JobError(f"{target}: the result would replace this file, which is read too: name another output with -o")


def _check_objects(jobs: Sequence[FileJob]) -> None:
    """Raises JobError where a file of one object would replace an input; what else is there, `object_files` leaves alone."""
    found = in_the_way([job.target.resolve() for job in jobs], [job.source.resolve() for job in jobs])
    if found:
        raise JobError(f"{found[0]}: an object's own file would replace this input: rename it")


def is_camera(source: str) -> bool:
    """A number that is no file's name."""
    return source.isdecimal() and not Path(source).exists()


def _camera_target(number: str, dest: str | None, form: str) -> tuple[list[FileJob], list[Path]]:
    """camera0.out.webm here, camera0.webm in a folder, or a file's name."""
    target = expanded(dest) if dest else Path(f"camera{number}{SUFFIX}.{form}")
    if dest and not names_file(dest):
        target = target / f"camera{number}.{form}"
    return [FileJob(Path(number), target, "camera")], [target.parent]


def _check_videos(jobs: Sequence[FileJob], request: Request) -> None:
    """What can be known before a network is loaded: PyAV and OpenCV are there, a single file is a video, a mask fits it."""
    from ..video.errors import load_av, load_cv2
    from ..video.first_mask import check_mask_of_file
    from ..video.opening import needs_av, open_file

    if any(needs_av(job.source, job.target) for job in jobs):
        load_av()
    if request.steady:
        load_cv2()
    elif request.prompt is not None:
        raise JobError(
            "--mask follows an object from picture to picture, which --no-steady leaves out: take one of them"
        )
    if len(jobs) == 1 and jobs[0].kind == "video":
        open_file(jobs[0].source).close()
        if request.prompt is not None:
            check_mask_of_file(request.prompt, jobs[0].source)


def _targets(
    words: Sequence[str], found: Sequence[Sources], dest: str | None, forms: tuple[str, str], kind: Kind
) -> tuple[list[FileJob], list[Path]]:
    """Where each result goes, and the folders that hold them. forms: of images, of videos."""
    if dest is None:
        return _beside(words, found, forms, kind)
    path = expanded(dest)
    if len(found) > 1:
        sources = [source for one in found for source in one.files]
        roots = [one.root for one in found for _ in one.files]
        inner = [place for word, one in zip(words, found, strict=True) for place in _below_parent(word, one)]
        return plan(sources, roots, path, *forms, inner, kind), [path]
    source = found[0].files[0]
    if not (expanded(words[0]).is_file() and names_file(dest)):
        return plan(found[0].files, found[0].root, path, *forms, kind=kind), [path]
    if path.resolve() == source.resolve():
        raise JobError(f"{dest}: the result would replace the {kind(source)} itself; choose another name")
    return [FileJob(source, path, kind(source))], [path.parent]


def _beside(
    words: Sequence[str], found: Sequence[Sources], forms: tuple[str, str], kind: Kind
) -> tuple[list[FileJob], list[Path]]:
    """Results without a destination: NAME.out.png beside a file, FOLDER.out beside a folder, in place for a pattern."""
    apart = [expanded(word).is_dir() for word in words]
    beside = iter(
        plan_beside([file for one, own in zip(found, apart, strict=True) if not own for file in one.files], forms, kind)
    )
    jobs: list[FileJob] = []
    folders: list[Path] = []
    for one, own in zip(found, apart, strict=True):
        if not one.files:
            continue
        folders.append(_neighbor(one.root) if own else one.root)
        jobs += plan(one.files, one.root, folders[-1], *forms, kind=kind) if own else islice(beside, len(one.files))
    return jobs, list(dict.fromkeys(folders))


def _below_parent(word: str, found: Sources) -> list[Path]:
    """Where the files lie below a destination of several words: a folder keeps its name there, as with cp -r."""
    name = found.root.resolve().name if expanded(word).is_dir() else ""
    return [name / file.relative_to(found.root) for file in found.files]


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


def _formats(request: Request, style: OutputStyle, kinds: set[str], alone: bool) -> tuple[str, str]:
    """(of images, of videos): the asked format, or the one of a named file, for the kind that it is one of; else the usual.

    alone: there is one image, video or camera, so that the destination may be a file.
    """
    named = _suffix_of(request.dest)
    if named and not alone:
        check_folder_name(request.dest or "")
        named = None
    if named and request.format and not _same_format(named, request.format):
        raise FormatError(f"{request.dest} and --format {request.format} are different formats: leave one of them out")
    try:
        return _checked_formats(request.format or named, style, kinds)
    except FormatError as error:
        if not named or named.lower().removeprefix(".") in (*FORMATS, *VIDEO_FORMATS):
            raise
        raise FormatError(f"{request.dest}: {error}; for a folder of that name write {request.dest}/") from None


def _checked_formats(name: str | None, style: OutputStyle, kinds: set[str]) -> tuple[str, str]:
    if name is None:
        return "png", default_format(style.transparent)
    plain = name.lower().removeprefix(".")
    still, moving = plain in FORMATS, plain in VIDEO_FORMATS
    if kinds == {"video"}:
        if not moving and (plain not in OTHER_NAMES or name.startswith(".")):
            kind = "a format of images" if still else "unknown as a format"
            raise FormatError(f"{plain} is {kind}; for videos there is {', '.join(VIDEO_FORMATS)}")
        return "png", check_video_format(plain, style.transparent)
    if moving and not still and "video" not in kinds:
        raise FormatError(f"{plain} is a format of videos; for images there is {', '.join(FORMATS)}")
    image = check_format(plain, style.transparent) if still or not moving else "png"
    return image, check_video_format(plain, style.transparent) if moving else default_format(style.transparent)


def _suffix_of(dest: str | None) -> str | None:
    """Of a destination that looks like a file."""
    return Path(dest).suffix if dest and names_file(dest) else None


def picture_format(dest: str | None, asked: str | None, style: OutputStyle) -> str:
    """The format of one image, by the destination's suffix or as it is asked for (png where neither says). Raises FormatError."""
    return _formats(Request("-", dest, format=asked), style, {"image"}, alone=True)[0]


def can_be_output(word: str, type: OutputType) -> bool:
    """The second of two words may be meant as the destination: it is no image or video, or one that could be written so."""
    path = expanded(word)
    if is_pattern(word):
        return False
    if word == "-" or not path.is_file() or path.suffix.lower() not in KNOWN:
        return True
    for check in (check_format, check_video_format):
        with contextlib.suppress(FormatError):
            check(path.suffix, style_of(type).transparent)
            return True
    return False


def is_pattern(word: str) -> bool:
    """The word has wildcards, and is no file's or folder's name. With brackets alone it may be a new one: cut[1].png."""
    place = expanded(word)
    if not glob.has_magic(word) or place.exists():
        return False
    return bool(set(word) & {"*", "?"}) or next(glob.iglob(str(place), recursive=True), None) is not None  # noqa: PTH207


def _same_format(one: str, other: str) -> bool:
    one, other = (FORMATS.get(name.lower().removeprefix("."), name.lower().removeprefix(".")) for name in (one, other))
    return one == other


def names_file(dest: str) -> bool:
    """`dest` looks like a file and not like a folder: it has a suffix, no / at its end, and is no folder that is there.

    A folder of a video's frames counts as a file.
    """
    path = expanded(dest)
    return bool(path.suffix) and not says_folder(dest) and (_holds_frames(path) or not path.is_dir())


def _holds_frames(path: Path) -> bool:
    return path.suffix.lower() == FRAMES


def check_folder_name(dest: str) -> None:
    """Raises JobError where a folder for several results is called like an image or video; other dots are a folder's own."""
    suffix = Path(dest).suffix.lower() if names_file(dest) else ""
    if suffix and (suffix in KNOWN or suffix.removeprefix(".") in (*FORMATS, *VIDEO_FORMATS)):
        raise JobError(
            f"{dest} is a file's name, but several results need a folder: {dest.removesuffix(Path(dest).suffix)}, or {dest}/"
        )


def _neighbor(root: Path) -> Path:
    """FOLDER.out beside the folder."""
    root = root.resolve()
    return root.with_name(f"{root.name}{SUFFIX}")


def _is_there(target: Path, review: Review | None) -> bool:
    """The result is at its place, or was set aside."""
    return _is_finished(target) or (review is not None and _is_finished(review.aside(target)))


def _is_finished(path: Path) -> bool:
    """Results appear whole or not at all. A name that is too long for a file is none."""
    if _holds_frames(path):
        return os.path.isdir(path)  # noqa: PTH112 (pathlib raises for such a name)
    return os.path.isfile(path) and path.stat().st_size > 0  # noqa: PTH113
