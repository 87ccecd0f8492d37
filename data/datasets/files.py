"""The images and masks of one data set, in whatever layout it lies: with `sets.py`, the one place that finds them.

A set is named by a path below a root. What may lie there:

    NAME/images, NAME/masks             or other names that `layout.py` lists; x.jpg with x.png or x_mask.png
    NAME/NAME-Image, NAME/NAME-Mask     as DUTS is published; NAME need not be there: NAME-Image and NAME-Mask may lie in the root
    NAME/x.jpg, NAME/x.png              all files in one folder, or x_mask.png; NAME/images may be that folder
    NAME/list.txt, NAME/list.csv        names of pairs of NAME, or paths of images and masks (`lists.py`)
    NAME/train-00000-of-00002.parquet   images and masks in columns; NAME/train is the set of that name (`parquet.py`)
    NAME/NAME-1of4.zip                  a packed set (`packed.py`)

What can be read in two ways is an error that names both.
"""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..images.formats import EXTENSIONS
from ..images.read import find_images
from . import parquet
from .layout import IMAGE_FOLDERS, MASK_FOLDERS, image_folder, mask_folder, named_pairs, one_form, set_folder
from .packed import find_parts, unpacked

LISTS = (".txt", ".csv")
_JPEG = (".jpg", ".jpeg", ".jpe", ".jfif")
_OF_MASK = re.compile(r"(?P<name>.*[^/])[-_. ](masks?|gt|alpha|matte|seg)", re.IGNORECASE)

Files = dict[str, Path | None]  # name → file; None where several files have that name


class LayoutError(ValueError):
    """There is no such set, or it is not certain what in it is an image and what a mask. `problems`: a line each."""

    def __init__(self, problems: Sequence[str]):
        self.problems = tuple(problems)
        super().__init__("\n".join(problems))


@dataclass(frozen=True)
class Place:
    """Where a set lies: a folder, or two folders in it, or a list of names, or the parquet shards of one split."""

    folder: Path
    pair: tuple[Path, Path] | None = None
    listing: Path | None = None
    split: str | None = None


@dataclass
class SetFiles:
    """Files of a set by name, which is the path below their folder without extension.

    image_place, mask_place  where they lie, for messages
    text                     what the set was taken for, for people
    plain                    an image and its mask have the same name in two folders (or there are only masks in one)
    problems                 a line for each file that has no certain partner
    """

    images: Files
    masks: Files
    image_place: Path | None
    mask_place: Path
    text: str
    plain: bool = True
    problems: list[str] = field(default_factory=list)


def place_of(root: Path, name: str) -> Place | None:
    """Where the set of this name lies below `root`; None where there is nothing of that name."""
    folder = set_folder(root, name)
    if folder.is_dir():
        return Place(folder)
    if folder.is_file() and folder.suffix.lower() in LISTS:
        return Place(folder.parent, listing=folder)
    if folder.name in parquet.splits(folder.parent):
        return Place(folder.parent, split=folder.name)
    beside = {one_form(prefix): pair for prefix, pair in named_pairs(folder.parent).items()}.get(one_form(folder.name))
    return Place(folder.parent, pair=beside) if beside else None


def present(root: Path) -> str:
    """What a root has that may be sets, for the message that one is absent."""
    found = sorted(entry.name for entry in root.iterdir() if entry.is_dir() or entry.suffix.lower() in LISTS)
    return f"{root} has {', '.join(found) or 'nothing'}"


def is_set(folder: Path) -> bool:
    """Whether the folder itself holds images and masks in some layout."""
    if not folder.is_dir():
        return False
    if image_folder(folder) or find_parts(folder) or parquet.splits(folder):
        return True
    direct = any(path.suffix.lower() in EXTENSIONS for path in folder.iterdir() if path.is_file())
    return direct and bool(_flat(folder).masks)


def files_in(place: Place, need_masks: bool = True, need_images: bool = True) -> SetFiles:
    """Images and masks that lie in a place; masks alone will do without `need_images`. Raises as `find_set` does."""
    folder = parquet.unpacked_split(place.folder, place.split) if place.pair is None else place.folder
    folder = unpacked(folder) if folder == place.folder and place.pair is None else folder
    images, masks = place.pair or (image_folder(folder), mask_folder(folder))
    if place.pair is None:
        _refuse_several(folder, bool(images and masks), need_masks)
    if masks is None:
        found = _flat(images or folder)
        if found.masks:
            return found
        if not need_images:
            return SetFiles({}, by_name(folder)[0], image_folder(folder.parent), folder, f"masks in {folder.name}")
    missing = [] if images or not need_images else [f"{folder}: has no folder {' or '.join(IMAGE_FOLDERS)}"]
    if need_masks and masks is None:
        missing.append(f"{folder}: has no folder {' or '.join(MASK_FOLDERS)}")
    if missing and not (images is None and not need_masks):
        raise LayoutError(missing)
    if masks is None or not need_masks:
        return _only_images(images or folder)
    if images is None:
        return SetFiles({}, by_name(masks)[0], None, masks, f"masks in {masks.name}")
    return _in_two(images, masks)


def _refuse_several(folder: Path, named: bool, need_masks: bool) -> None:
    """Raises LayoutError for a folder with several folders of images or masks. named: whether it has the usual ones."""
    pairs = named_pairs(folder)
    if len(pairs) > 1 and not named:
        known = [f"{images.name} with {masks.name}" for images, masks in pairs.values()]
        raise LayoutError([f"{folder}: holds {' and '.join(known)}; name one of the sets {' or '.join(pairs)}"])
    for what, names in (("images", IMAGE_FOLDERS), ("masks", MASK_FOLDERS if need_masks else ())):
        there = [path for path in sorted(folder.iterdir()) if path.is_dir() and path.name.lower() in names]
        filled = [path.name for path in there if find_images(path)] if len(there) > 1 else []
        if len(filled) > 1:
            raise LayoutError(
                [f"{folder}: its {what} may be those in {' or '.join(filled)}; move the others elsewhere"]
            )


def apart(place: Place, mask_root: Path, name: str) -> SetFiles:
    """Images of a place, and the masks of the set `name` below a root of their own. Raises as `find_set` does."""
    there = place_of(mask_root, name)
    if there is None:
        raise LayoutError([f"{mask_root / name}: no such set; {present(mask_root)}"])
    masks = mask_folder(unpacked(there.folder)) or unpacked(there.folder)
    folder = unpacked(place.folder)
    return _in_two(image_folder(folder) or folder, masks)


def _only_images(folder: Path) -> SetFiles:
    found, problems = by_name(folder)
    if not found:
        raise LayoutError([f"{folder}: no image in it (of {' '.join(EXTENSIONS)})"])
    return SetFiles(found, {}, folder, folder, f"images in {folder.name}", True, problems)


def _in_two(images: Path, masks: Path) -> SetFiles:
    """One folder of images and one of masks; x_mask is the mask of x."""
    only = _only_images(images)
    found, problems = only.images, only.problems
    partners, mask_problems = by_name(masks)
    if not partners and not mask_problems:
        raise LayoutError([f"{masks}: no mask in it (of {' '.join(EXTENSIONS)})"])
    named, plain = dict(partners), True
    for name, path in partners.items():
        match = _OF_MASK.fullmatch(name)
        if name in found or match is None or match["name"] not in found:
            continue
        of = match["name"]
        if of in named:
            problems.append(f"{found[of]}: its mask may be {named[of] or of} or {path}; keep one")
            named[of] = None
        else:
            named[of], plain = path, False
        del named[name]
    text = f"images in {images.name}, masks in {masks.name}"
    example = "" if plain else f" ({_example(found, named)})"
    return SetFiles(found, named, images, masks, text + example, plain, [*problems, *mask_problems])


def _flat(folder: Path) -> SetFiles:
    """Images and masks in one folder: x.jpg with x.png, or with x_mask.png. Where no image has a mask, all are images."""
    groups = _groups(folder)
    beside: dict[str, list[Path]] = defaultdict(list)
    for name, paths in groups.items():
        if (match := _OF_MASK.fullmatch(name)) and match["name"] in groups:
            beside[match["name"]] += paths
    taken = {path for paths in beside.values() for path in paths}
    images: Files = {}
    masks: Files = {}
    problems = []
    for name, paths in groups.items():
        if taken.issuperset(paths):
            continue
        photographs = [path for path in paths if path.suffix.lower() in _JPEG]
        same = [path for path in paths if path not in photographs]
        candidates = beside.get(name, [])
        if len(photographs) == len(same) == 1:
            images[name] = photographs[0]
            candidates = [*same, *candidates]
        else:
            images[name] = paths[0] if len(paths) == 1 else None
            problems += _same_name(paths)
        if len(candidates) > 1:
            problems.append(f"{paths[0]}: its mask may be {' or '.join(path.name for path in candidates)}; keep one")
        if candidates:
            masks[name] = candidates[0] if len(candidates) == 1 else None
    text = f"images and masks in one folder ({_example(images, masks)})" if masks else f"images in {folder.name}"
    return SetFiles(images, masks, folder, folder, text, not masks, problems)


def _example(images: Mapping[str, Path | None], masks: Mapping[str, Path | None]) -> str:
    both = ((images.get(name), mask) for name, mask in masks.items())
    image, mask = next(((image, mask) for image, mask in both if image and mask), (None, None))
    return f"{image.name} with {mask.name}" if image and mask else "no pair is certain"


def by_name(folder: Path) -> tuple[Files, list[str]]:
    """Files by name without extension, sub-folders kept; a name that several files share maps to None and is said."""
    groups = _groups(folder)
    problems = [problem for paths in groups.values() for problem in _same_name(paths)]
    return {name: paths[0] if len(paths) == 1 else None for name, paths in groups.items()}, problems


def _groups(folder: Path) -> dict[str, list[Path]]:
    groups = defaultdict(list)
    for path in find_images(folder):
        groups[one_form(path.relative_to(folder).with_suffix("").as_posix())].append(path)
    return dict(sorted(groups.items()))


def _same_name(paths: Sequence[Path]) -> list[str]:
    others = ", ".join(path.name for path in paths[1:])
    return [f"{paths[0]}: {others} has the same name; keep one of them"] if others else []
