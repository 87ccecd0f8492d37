"""Lists of pairs: train.txt, val.txt, fold_1.csv and so on, which choose from a set or name files anywhere.

    train.txt   a line each: a name of the set in whose folder the list lies (or a folder above it, up to the root), with or
                without extension and folder; or the path of an image and of its mask, with a blank, a comma or a tab between
    train.csv   with a first line of names of columns: `image` and `mask`, or `image` or `name` alone

Paths begin at the list's folder or at the root of the data sets.
"""

import csv
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from ..images.formats import EXTENSIONS
from .files import Files, LayoutError, Place, SetFiles, apart, files_in, is_set
from .layout import one_form

IMAGE_COLUMNS = ("image", "images", "img", "image_path", "img_path", "name", "filename", "file", "id", "stem")
MASK_COLUMNS = ("mask", "masks", "gt", "label", "mask_path", "gt_path", "annotation")

_TWO = re.compile(r"(.+\.\w{2,5})(\s*[,\t]\s*|\s+)(\S.*\.\w{2,5})")  # files of an image and a mask
Entry = tuple[int, str, str | None]  # line, image or name, mask


def listed(listing: Path, root: Path, need_masks: bool = True, mask_root: Path | None = None) -> SetFiles:
    """The files that a list names, in its order. Raises LayoutError with every line that names nothing."""
    entries = list(_entries(listing))
    if not entries:
        raise LayoutError([f"{listing}: names nothing"])
    if any(mask is not None for _, _, mask in entries):
        return _paths(listing, root, entries)
    return _chosen(listing, root, entries, need_masks, mask_root)


def write_list(path: Path, names: Iterable[str]) -> None:
    """A list of names, one a line."""
    path.write_text("".join(f"{name}\n" for name in names), encoding="utf-8")


def _entries(listing: Path) -> Iterator[Entry]:
    try:
        lines = [line.strip() for line in listing.read_text(encoding="utf-8-sig").splitlines()]
    except UnicodeDecodeError as error:
        raise LayoutError([f"{listing}: is no text in UTF-8 (byte {error.start}); save it as UTF-8"]) from error
    except OSError as error:
        raise LayoutError([f"{listing}: cannot be read ({error.strerror or error})"]) from error
    if listing.suffix.lower() == ".csv":
        yield from _table(listing, lines)
        return
    for number, line in enumerate(lines, 1):
        if line and not re.match(r"#(\s|$)", line):
            two = _two(line)
            yield (number, *two) if two else (number, line, None)


def _two(line: str) -> tuple[str, str] | None:
    """The image and the mask that a line names; None where it is one name, which may have blanks and dots."""
    found = _TWO.fullmatch(line)
    if found is None:
        return None
    apart = found[2].strip() or "\t" in found[2]
    images = all(Path(word).suffix.lower() in EXTENSIONS for word in (found[1], found[3]))
    return (found[1], found[3]) if apart or images else None


def _table(listing: Path, lines: Sequence[str]) -> Iterator[Entry]:
    rows = list(csv.reader(lines))
    header = [name.strip().lower() for name in rows[0]] if rows else []
    places = []
    for what, known in (("images", IMAGE_COLUMNS), ("masks", MASK_COLUMNS)):
        found = [i for i, name in enumerate(header) if name in known]
        if len(found) > 1 and what == "images":  # an id beside a path
            found = [i for i in found if header[i] in IMAGE_COLUMNS[:5]]
        if len(found) > 1 or (not found and what == "images"):
            names = " and ".join(header[i] for i in found)
            trouble = f"the columns {names} may both name the {what}" if found else f"no column {' or '.join(known)}"
            raise LayoutError([f"{listing}: {trouble} (first line: {', '.join(header)})"])
        places += found
    for number, row in enumerate(rows[1:], 2):
        if row:
            if len(row) != len(header):
                raise LayoutError([f"{listing}, line {number}: has {len(row)} columns, the first line {len(header)}"])
            yield number, row[places[0]].strip(), row[places[1]].strip() if len(places) > 1 else None


def _paths(listing: Path, root: Path, entries: Sequence[Entry]) -> SetFiles:
    """Files that are named one by one. Their names: the part of the path below what all images have in common."""
    problems: list[str] = []
    pairs = []
    for number, image, mask in entries:
        where = f"{listing}, line {number}"
        if not mask:
            problems.append(f"{where}: has no mask for {image}")
            continue
        found = [_file(word, listing.parent, root, where, problems) for word in (image, mask)]
        if found[0] and found[1]:
            pairs.append((found[0], found[1]))
    if problems:
        raise LayoutError(problems)
    common = Path(os.path.commonpath([image.parent for image, _ in pairs]))
    names = [one_form(image.relative_to(common).with_suffix("").as_posix()) for image, _ in pairs]
    images, masks = (
        dict(zip(names, (a for a, _ in pairs), strict=True)),
        dict(zip(names, (b for _, b in pairs), strict=True)),
    )
    if len(images) < len(pairs):
        twice = next(name for i, name in enumerate(names) if name in names[:i])
        raise LayoutError([f"{listing}: several images are called {twice}; list each once"])
    text = f"{len(pairs)} pairs of files that {listing.name} names"
    return SetFiles({**images}, {**masks}, common, pairs[0][1].parent, text, False)


def _file(word: str, folder: Path, root: Path, where: str, problems: list[str]) -> Path | None:
    there = list(dict.fromkeys(path.absolute() for path in (folder / word, root / word) if path.is_file()))
    if len(there) != 1:
        trouble = f"may be {there[0]} or {there[1]}" if there else f"is neither in {folder} nor in {root}"
        problems.append(f"{where}: {word} {trouble}")
        return None
    return there[0]


def _chosen(listing: Path, root: Path, entries: Sequence[Entry], need_masks: bool, mask_root: Path | None) -> SetFiles:
    """Names of the set that the list belongs to."""
    above = [folder for folder in (listing.parent, *listing.parent.parents) if folder.is_relative_to(root)]
    base = next((folder for folder in above if is_set(folder)), None)
    if base is None:
        raise LayoutError(
            [f"{listing}: names pairs of a set, but {' and '.join(map(str, above))} hold no images and masks"]
        )
    if mask_root is None or not need_masks:
        whole = files_in(Place(base), need_masks)
    else:
        whole = apart(Place(base), mask_root, base.relative_to(root).as_posix())
    names, problems = _resolved(listing, entries, whole.images, base)
    for what, files in (("images", whole.images), ("masks", whole.masks)):
        several = [name for name in names if name in files and files[name] is None]
        problems += [f"{listing}: {base} has several {what} called {name}; keep one of them" for name in several]
    if problems:
        raise LayoutError(problems)
    images = {name: whole.images[name] for name in names}
    masks = {name: whole.masks[name] for name in names if name in whole.masks}
    text = f"{len(names)} of the {len(whole.images)} names of {base.name} ({whole.text}) that {listing.name} lists"
    wrong = [problem for problem in whole.problems if any(str(path) in problem for path in [*images.values()] if path)]
    return SetFiles(images, masks, whole.image_place, whole.mask_place, text, False, wrong)


def _resolved(listing: Path, entries: Sequence[Entry], images: Files, base: Path) -> tuple[list[str], list[str]]:
    """(names of the set in the list's order, problems)."""
    by_path = {
        path.relative_to(base).as_posix(): name for name, path in images.items() if path and path.is_relative_to(base)
    }
    last: dict[str, list[str]] = {}
    for name in images:
        last.setdefault(name.rpartition("/")[2], []).append(name)
    names: dict[str, None] = {}
    problems = []
    for number, word, _ in entries:
        word = one_form(word)
        shorter = Path(word).with_suffix("").as_posix() if Path(word).name else word
        exact = next((name for name in (word, shorter) if name in images), by_path.get(word))
        candidates = set() if exact is None else {exact}
        candidates = candidates or {name for key in (word, shorter) for name in last.get(key.rpartition("/")[2], ())}
        where = f"{listing}, line {number}: {word}"
        if len(candidates) != 1:
            known = sorted(candidates)
            problems.append(f"{where} may be {' or '.join(known)}" if known else f"{where} is no image of {base}")
        elif (name := candidates.pop()) in names:
            problems.append(f"{where} is listed twice")
        else:
            names[name] = None
    return list(names), problems
