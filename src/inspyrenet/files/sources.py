"""The images and videos that the words of a command line stand for, and what is left out of them."""

import glob
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..data.images.formats import JUNK, KNOWN, is_known
from ..data.images.read import find_files
from ..remover.output_paths import SUFFIX, Resolver, is_inside, is_result
from ..utils.system.paths import expanded, says_folder
from .report import named_like_results, named_others


class JobError(ValueError):
    """A request that cannot be carried out; nothing was done."""


@dataclass(frozen=True)
class Sources:
    """Images and videos of one word, and the folder that their names count from.

    like_results: left out, since their names are results'. others: left out, since their suffixes are no image's or video's.
    """

    files: list[Path]
    root: Path
    like_results: tuple[Path, ...] = ()
    others: tuple[Path, ...] = ()


def find_sources(source: str, dest: Path | None = None) -> Sources:
    """The images and videos that a file, folder or pattern stands for.

    Everything below a folder counts, but for `dest`, for what is called as results are (NAME.out.png), and for other files.
    Raises JobError where there is none.
    """
    found = _look(source, dest)
    if not found.files:
        raise JobError(_nothing(source, found))
    return found


def _nothing(word: str, found: Sources) -> str:
    """What to say of a word that stands for no image."""
    empty = f"{word}: no image" + ("s in this folder" if expanded(word).is_dir() else " matches")
    left_out = [named_like_results(found.like_results)] if found.like_results else []
    left_out += [named_others(found.others)] if found.others else []
    return "; ".join([f"{empty} (looked for {' '.join(KNOWN)})", *left_out])


def find_all(words: Sequence[str], dest: Path | None = None) -> list[Sources]:
    """`find_sources` of several words, each file once. Files of results' names are left out: a shell wrote them for a pattern.

    Raises JobError that names every word that is nothing, and where a pattern matches nothing, where no file is left, and where the
    last word looks like an output.
    """
    absent = [word for word in words if not is_there(word)]
    if absent:
        last = "" if absent[-1] != words[-1] else f" (where several results go is said by -o: -o {absent[-1]})"
        raise JobError(f"no such file or folder: {', '.join(absent)}{last}")
    folder = words[-1]
    if dest is None and Path(folder).is_dir() and [word for word in words if says_folder(word)] == [folder]:
        raise JobError(
            f"{folder}: is it the output? -o {folder} says so; without the / at its end it is one more input"
        )
    seen: set[Path] = set()
    resolve, found = Resolver(), []
    for word in words:
        one = _look(word, dest)
        if not (one.files or one.like_results or expanded(word).is_dir()):
            raise JobError(_nothing(word, one))
        named = tuple(path for path in one.files if is_result(path))
        real = {path: resolve(path) for path in one.files if path not in named}
        fresh = {place: path for path, place in real.items() if place not in seen}
        seen |= fresh.keys()
        found.append(Sources([*fresh.values()], one.root, one.like_results + named, one.others))
    if not seen:
        left_out = tuple(path for one in found for path in one.like_results)
        raise JobError(
            "; ".join([f"no image among {', '.join(words)}", *([named_like_results(left_out)] if left_out else [])])
        )
    return found


def is_there(word: str) -> bool:
    """The word names a file or folder, or is a pattern."""
    return expanded(word).exists() or glob.has_magic(word)


def _look(source: str, dest: Path | None) -> Sources:
    if "://" in source:
        raise JobError(f"{source}: addresses are not fetched; download the image first")
    path = expanded(source)
    if path.is_file():
        return Sources([path], path.parent)
    if path.is_dir():
        names, root = find_files(path), path
    elif glob.has_magic(source):
        matches = sorted(Path(name) for name in glob.glob(str(path), recursive=True))  # noqa: PTH207 (absolute ones too)
        names, root = [name for name in matches if not name.is_dir()], _fixed_part(path)
    else:
        there = "a pipe, a socket or a device; a pipe goes in by -" if path.exists() else "no such file or folder"
        raise JobError(f"{source}: {there}")
    if dest is not None and is_inside(dest, root):
        names = [name for name in names if not is_inside(name, dest)]
    known = [name for name in names if is_known(name)]
    others = set(names) - set(known)
    results = {image for image in known if is_result(image) or _in_results(image, root)}
    return Sources(
        [image for image in known if image not in results],
        root,
        tuple(image for image in known if image in results),
        tuple(sorted(other for other in others if other.name.lower() not in JUNK)),
    )


def _in_results(image: Path, root: Path) -> bool:
    """The image lies in the results of a folder below the root: in FOLDER.out beside FOLDER."""
    below = [folder for folder in image.parents if folder != root and folder.is_relative_to(root)]
    return any(folder.suffix == SUFFIX and folder.with_suffix("").is_dir() for folder in below)


def _fixed_part(pattern: Path) -> Path:
    """The folders before the first wildcard."""
    parts = []
    for part in pattern.parts[:-1]:
        if glob.has_magic(part):
            break
        parts.append(part)
    return Path(*parts)
