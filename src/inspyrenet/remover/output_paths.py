"""Where results go: no two results share a file, no result replaces an input, the same inputs always give the same names."""

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

SUFFIX = ".out"  # before the format, where a result lies beside its image
NUMBER = re.compile(r"\.\d+$")  # of an object, behind that
FRAMES = ".frames"  # suffix of a folder that holds a video's pictures, one PNG file each
PARTIAL = ".partial"  # before the format, where a video is not whole


@dataclass(frozen=True)
class FileJob:
    """One image or video and the file that its result goes to. kind: image, video, or camera (source is its number)."""

    source: Path
    target: Path
    kind: str = "image"


def kind_of(path: Path) -> str:
    """video or image, by the suffix."""
    from ..data.images.formats import VIDEO_EXTENSIONS

    return "video" if path.suffix.lower() in VIDEO_EXTENSIONS else "image"


def is_result(path: Path) -> bool:
    """The name is one that this program gives: NAME.out.png, NAME.out.1.png, NAME.out.partial.mp4, NAME.out.frames/000001.png."""
    if path.parent.suffix == FRAMES and is_result(path.parent):
        return True
    stem = NUMBER.sub("", path.stem.removesuffix(PARTIAL))
    return Path(stem).suffix == SUFFIX


def object_path(target: Path, number: int) -> Path:
    """Where the object of that number goes, beside the result that holds all of them: NAME.out.1.png.

    The mark keeps it apart from inputs and other results, whose names no folder's plan gives.
    """
    return target.with_name(f"{target.stem.removesuffix(SUFFIX)}{SUFFIX}.{number}{target.suffix}")


def in_the_way(targets: Iterable[Path], files: Iterable[Path]) -> list[Path]:
    """Those of the files that objects of such results would replace (`object_path`)."""
    series = {_series(object_path(target, 1)) for target in targets}
    return [file for file in files if NUMBER.search(file.stem) and _series(file) in series]


def partial(target: Path) -> Path:
    """The name of a video that is not whole: clip.out.partial.webm for clip.out.webm."""
    return target.with_name(f"{target.stem}{PARTIAL}{target.suffix}")


def plan_beside(
    sources: Sequence[Path], forms: tuple[str, str], kind: Callable[[Path], str] = kind_of
) -> list[FileJob]:
    """Results beside their sources: NAME.out.png, or NAME.jpg.out.png where a result of another file there may be called so.

    sources: all of a request, so that none gets the name of another. forms: of images, of videos. Images and videos of the same
    folder count although they are no sources, so that a second command for these gives their results other names. Names that
    some file system takes for the same count as the same.
    """
    form = {"image": forms[0], "video": forms[1]}
    folders = {source.parent: _names_by_result(source.parent) for source in sources}
    for source in sources:
        _note(folders[source.parent], source)
    jobs = []
    for source in sources:
        sort = kind(source)
        shared = _has_namesake(source, form, kind, folders)
        name = f"{source.name if shared else source.stem}{SUFFIX}.{form[sort]}"
        jobs.append(FileJob(source, source.with_name(name), sort))
    return jobs


def _has_namesake(
    source: Path, form: Mapping[str, str], kind: Callable[[Path], str], folders: dict[Path, dict[str, set[str]]]
) -> bool:
    """Whether another file of its folder may have a result of the same name. folders: `_names_by_result` of those looked at."""
    if source.parent not in folders:
        folders[source.parent] = _names_by_result(source.parent)
    names = folders[source.parent]
    alike = [source.parent / name for name in names.get(source.stem.casefold(), ()) if name != source.name]
    return any(form[kind(path)] == form[kind(source)] and not _is_spelled_otherwise(path, source) for path in alike)


def plan(
    sources: Sequence[Path],
    root: Path | Sequence[Path],
    dest: Path,
    form: str = "png",
    video_form: str = "webm",
    inner: Sequence[Path] | None = None,
    kind: Callable[[Path], str] = kind_of,
) -> list[FileJob]:
    """Results below `dest`, sub-folders of `root` kept: NAME.png, or NAME.jpg.png where two images differ in suffix only.

    root: of all, or one for each source. inner: places below `dest`, in place of those below the root. kind: of a source.
    Results among the images themselves are called NAME.out.png, so that a later run does not take them for images.
    """
    forms = {"image": form, "video": video_form}
    roots = [root] if isinstance(root, PurePath) else sorted(set(root))
    places = [_below(source, roots[0]) for source in sources] if inner is None else inner
    stems: dict[tuple[str, str], int] = {}
    for source, place in zip(sources, places, strict=True):
        key = (kind(source), _key(place.with_suffix("")))
        stems[key] = stems.get(key, 0) + 1
    real = Resolver()
    inputs = {_key(real(source)) for source in sources}
    numbered = {_series(real(source)) for source in sources if NUMBER.search(source.stem)}
    # a folder of results below the images is no place for images
    grounds = [ground.resolve() for ground in roots if not is_inside(dest, ground)]
    taken: set[str] = set()
    folders: dict[Path, dict[str, set[str]]] = {}
    jobs = []
    for source, place in zip(sources, places, strict=True):
        sort = kind(source)
        form = forms[sort]
        stem = place.name if stems[sort, _key(place.with_suffix(""))] > 1 else place.stem
        among = any(real.folder((dest / place).parent).is_relative_to(ground) for ground in grounds)
        if among and _has_namesake(source, forms, kind, folders):
            stem = place.name
        for name in _candidates(stem, place.name, f"{SUFFIX}.{form}" if among else f".{form}"):
            target = dest / place.with_name(name)
            if not among and _is_of_object(Path(_key(target))):  # of another image
                continue
            objects = _series(real(object_path(target, 1)))
            if objects in numbered:
                continue
            if _key(target) not in taken and _key(real(target)) not in inputs:
                break
        taken.add(_key(target))
        numbered.add(objects)
        jobs.append(FileJob(source, target, sort))
    return jobs


def is_inside(folder: Path, root: Path) -> bool:
    """`folder` lies below `root`, and is not `root` itself."""
    return folder.resolve() != root.resolve() and folder.resolve().is_relative_to(root.resolve())


class Resolver:
    """Path.resolve for many files of few folders: each folder is looked up once."""

    def __init__(self) -> None:
        self._folders: dict[Path, Path] = {}

    def folder(self, path: Path) -> Path:
        if path not in self._folders:
            self._folders[path] = path.resolve()
        return self._folders[path]

    def __call__(self, path: Path) -> Path:
        whole = self.folder(path.parent) / path.name
        try:
            return whole.resolve() if os.path.islink(whole) else whole  # noqa: PTH114 (False where a name is too long)
        except (OSError, RuntimeError):  # links in a circle, which reading it will say
            return whole


def _candidates(stem: str, name: str, ending: str) -> Iterable[str]:
    yield f"{stem}{ending}"
    yield f"{name}{ending}"
    number = 2
    while True:
        yield f"{name}{SUFFIX}{number}{ending}"
        number += 1


def _below(source: Path, root: Path) -> Path:
    try:
        return source.relative_to(root)
    except ValueError:
        return Path(source.name)


def _key(path: Path) -> str:
    """Equal for paths that some file system takes for the same."""
    return os.path.normpath(path).casefold()


def _is_of_object(path: Path) -> bool:
    """The name is one of `object_path`."""
    return NUMBER.search(path.stem) is not None and is_result(path)


def _series(path: Path) -> str:
    """Equal for all objects of one result."""
    return _key(path.with_name(NUMBER.sub("", path.stem) + path.suffix))


def _names_by_result(folder: Path) -> dict[str, set[str]]:
    """What a result may be called before its SUFFIX → the files of the folder whose result may be called so: images, videos, and
    files without a suffix, which may be either."""
    from ..data.images.formats import is_known

    names: dict[str, set[str]] = {}
    try:
        files = [path for path in folder.iterdir() if is_known(path) or not path.suffix]
    except OSError:
        return {}  # reading the image says why
    for path in files:
        _note(names, path)
    return names


def _note(names: dict[str, set[str]], path: Path) -> None:
    for key in (path.stem, path.name):
        names.setdefault(key.casefold(), set()).add(path.name)


def _is_spelled_otherwise(path: Path, source: Path) -> bool:
    """The same file, whose name was typed in another case where the file system takes that for the same."""
    try:
        return path.name.casefold() == source.name.casefold() and path.samefile(source)
    except OSError:
        return False
