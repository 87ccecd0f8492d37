"""A data set by its name below a root → its images and masks; every command finds them here. Layouts: see `files.py`."""

from pathlib import Path

from . import parquet
from .files import LayoutError, SetFiles, apart, files_in, is_set, place_of, present
from .layout import named_pairs
from .lists import listed

SHOWN = 5  # names in a folder that is no set


def sets_below(folder: Path) -> list[str]:
    """Names of the sets that lie directly in a folder, sorted."""
    names = {*named_pairs(folder), *parquet.splits(folder)}
    paired = {path for pair in named_pairs(folder).values() for path in pair}
    names |= {path.name for path in folder.iterdir() if path not in paired and is_set(path)}
    return sorted(names)


def find_set(
    root: Path, name: str, need_masks: bool = True, mask_root: Path | None = None, need_images: bool = True
) -> SetFiles:
    """Images and masks of the set `name` below `root`; without `need_masks` it may be a plain folder of images.

    need_images: whether masks alone are not enough. mask_root: where the masks are, below which the set has the same name.
    Raises LayoutError, ArchiveError, OSError.
    """
    place = place_of(root, name)
    if place is None:
        raise LayoutError([f"{root / name}: no such set; {present(root)}"])
    if place.listing is not None:
        return listed(place.listing, root, need_masks, mask_root)
    if mask_root is None or not need_masks:
        return files_in(place, need_masks, need_images)
    return apart(place, mask_root, name)


def sets_of(path: Path) -> list[tuple[Path, str]]:
    """(root, name) of the set at a path, or of all sets in the folder there. Raises LayoutError where there is none."""
    path = path.absolute()
    place = place_of(path.parent, path.name)
    if place is None:
        raise LayoutError(
            [f"{path}: no such set; {present(path.parent)}" if path.parent.is_dir() else f"{path}: is not there"]
        )
    if place.listing is not None:  # its paths may begin at the root of the set that it lies in
        return [(path.parent.parent, f"{path.parent.name}/{path.name}")]
    if place.folder != path:
        return [(path.parent, path.name)]
    names = sets_below(path) if named_pairs(path) or not is_set(path) else []
    if is_set(path) and len(names) < 2:  # else NAME-Image and NAME-Mask lie beside other sets
        return [(path.parent, path.name)]
    if not names:
        layouts = "folders images and masks, or x.jpg beside x.png or x_mask.png; docs/data.md has all layouts"
        holds = f"neither a set of images and masks nor a folder of such sets; it holds {_contents(path)}"
        raise LayoutError([f"{path}: {holds}. A set has {layouts}"])
    return [(path, name) for name in names]


def _contents(folder: Path) -> str:
    """The first names in a folder."""
    names = sorted(entry.name for entry in folder.iterdir())
    return ", ".join(names[:SHOWN]) + " …" * (len(names) > SHOWN) if names else "nothing"
