"""Data sets that travel as a few zip files: NAME-1of4.zip to NAME-4of4.zip in the set's folder, in place of its images.

Each part holds images/ and masks/ with some of the pairs; `benchmarks/pack.py` makes them. They are unpacked once into the
cache folder, and everybody else sees an ordinary folder. Its name depends on the names, sizes and modification times of the
parts, so other parts are unpacked anew; it gets its name last, so a folder that exists is whole. It may be deleted at any time.
"""

import hashlib
import logging
import re
from collections.abc import Sequence
from pathlib import Path

from ..hub.archives import ArchiveError, unpack_parts
from .layout import CACHE_VARIABLE, cache_root, image_folder, mask_folder

log = logging.getLogger(__name__)

_PART = re.compile(r"(?P<name>.+)-(?P<index>[1-9]\d*)of(?P<count>[1-9]\d*)\.zip")


def part_name(name: str, index: int, count: int) -> str:
    """File name of part `index` (from 1) of `count`."""
    return f"{name}-{index}of{count}.zip"


def find_parts(folder: Path) -> list[Path]:
    """All parts of the packed set in `folder`, in order; empty where there are none, or no such folder.

    Raises ArchiveError where a part is missing, parts belong to different packings, or the set lies there unpacked as well.
    """
    named = [(path, _PART.fullmatch(path.name)) for path in sorted(folder.glob("*.zip"))]
    found = {(match["name"], int(match["count"]), int(match["index"])): path for path, match in named if match}
    if not found:
        return []
    other = image_folder(folder) or mask_folder(folder)
    if other:
        parts = ", ".join(path.name for path in found.values())
        raise ArchiveError(
            f"{folder}: has both the folder {other.name} and parts of a packed set ({parts}); remove one"
        )
    packings = sorted({(name, count) for name, count, _ in found})
    if len(packings) > 1:
        several = " and ".join(part_name(name, 1, count) for name, count in packings)
        raise ArchiveError(f"{folder}: has parts of different packings ({several}, …); keep those of one")
    ((name, count),) = packings
    missing = [part_name(name, index, count) for index in range(1, count + 1) if (name, count, index) not in found]
    if missing:
        raise ArchiveError(f"{folder}: the packed set is not complete: {', '.join(missing)} missing; copy all {count}")
    return [found[name, count, index] for index in range(1, count + 1)]


def unpacked(folder: Path) -> Path:
    """The folder with the images and masks of a set: `folder` itself, or where its parts are unpacked, done if need be.

    Several processes may ask at once: the first one to finish is used by all.
    Raises ArchiveError for what `find_parts` refuses and for damaged parts, OSError where the cache cannot be written.
    """
    parts = find_parts(folder)
    if not parts:
        return folder
    target = cache_root() / "packed" / f"{parts[0].name.rpartition('-')[0]}-{key_of(parts)}"
    if target.is_dir():
        return target
    size = sum(part.stat().st_size for part in parts)
    log.info("unpacking the %d parts of %s (%.1f MB) into %s", len(parts), folder, size / 1e6, target)
    try:
        count = unpack_parts(parts, target)
    except (ArchiveError, OSError) as error:
        if target.is_dir():  # another process was faster
            return target
        if isinstance(error, OSError):
            remedy = f"set {CACHE_VARIABLE} to a writable folder with free space"
            raise OSError(error.errno, f"cannot unpack {folder} into {target.parent} ({error}); {remedy}") from error
        raise
    log.info("unpacked %d images", count)
    return target


def key_of(parts: Sequence[Path]) -> str:
    """Short hash of what tells one packing from another without reading it."""
    digest = hashlib.sha256()
    for part in parts:
        status = part.stat()
        digest.update(f"{part.name}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:20]
