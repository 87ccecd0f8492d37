"""Where results go: no two results share a file, no result replaces an input, the same inputs always give the same names."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

SUFFIX = ".out"  # before the format, where a result lies beside its image


@dataclass(frozen=True)
class Job:
    """One image and the file that its result goes to."""

    source: Path
    target: Path


def is_result(path: Path) -> bool:
    """The name is one that this program gives: NAME.out.png."""
    return Path(path.stem).suffix == SUFFIX


def beside(source: Path, form: str = "png") -> Path:
    """NAME.out.png beside the image; NAME.jpg.out.png where another image there has the same stem."""
    twins = [path for path in _siblings(source) if path.stem == source.stem and path.name != source.name]
    return source.with_name(f"{source.name if twins else source.stem}{SUFFIX}.{form}")


def plan(sources: Sequence[Path], root: Path, dest: Path, form: str = "png") -> list[Job]:
    """Results below `dest`, sub-folders of `root` kept: NAME.png, or NAME.jpg.png where two images differ in suffix only.

    Results among the images themselves are called NAME.out.png, so that a later run does not take them for images.
    """
    stems: dict[str, int] = {}
    for source in sources:
        key = _key(_below(source, root).with_suffix(""))
        stems[key] = stems.get(key, 0) + 1
    inputs = {_key(source.resolve()) for source in sources}
    apart = is_inside(dest, root)  # a folder of results below the images is no place for images
    taken: set[str] = set()
    jobs = []
    for source in sources:
        inner = _below(source, root)
        stem = inner.name if stems[_key(inner.with_suffix(""))] > 1 else inner.stem
        among = not apart and (dest / inner).parent.resolve().is_relative_to(root.resolve())
        for name in _candidates(stem, inner.name, f"{SUFFIX}.{form}" if among else f".{form}"):
            target = dest / inner.with_name(name)
            if _key(target) not in taken and _key(target.resolve()) not in inputs:
                break
        taken.add(_key(target))
        jobs.append(Job(source, target))
    return jobs


def is_inside(folder: Path, root: Path) -> bool:
    """`folder` lies below `root`, and is not `root` itself."""
    return folder.resolve() != root.resolve() and folder.resolve().is_relative_to(root.resolve())


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


def _siblings(source: Path) -> list[Path]:
    from .data.sources import EXTENSIONS

    try:
        return [path for path in source.parent.iterdir() if path.suffix.lower() in EXTENSIONS]
    except OSError:
        return []
