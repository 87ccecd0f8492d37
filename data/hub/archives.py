"""Zip archives of data sets and maps → folders in our layout. An archive is not trusted.

Entries may not leave the folder, be links, or unpack to absurd sizes; only pictures that are not hidden are unpacked,
without the entries' permissions. The result appears in one step or not at all.
"""

import errno
import lzma
import re
import secrets
import shutil
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath

from ..datasets.layout import image_folder, mask_folder
from ..images.formats import EXTENSIONS

MAX_RATIO = 200  # unpacked to packed, of the whole archive; photographs and masks stay far below
JUNK = "__MACOSX"
OWN_TROUBLE = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO)  # not the archive's fault
DAMAGE = (
    zipfile.BadZipFile,
    EOFError,
    RuntimeError,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    UnicodeError,
    OverflowError,
)


class ArchiveError(ValueError):
    """An archive that is damaged, hostile, or laid out in an unknown way; nothing was unpacked."""


def unpack_dataset(archive: Path, target: Path) -> int:
    """Unpack a data set to `target`/{images,masks}; number of images. Raises ArchiveError; `target` must not exist."""

    def lay_out(tree: Path) -> Path:
        for folder in (tree, *sorted(path for path in tree.rglob("*") if path.is_dir())):
            images, masks = image_folder(folder), mask_folder(folder)
            if images and masks:
                result = tree.with_name(f"{tree.name}.result")
                result.mkdir()
                images.rename(result / "images")
                masks.rename(result / "masks")
                return result
        raise ArchiveError(f"{archive}: has no folders images and masks (inside: {_contents(tree)})")

    _unpack([archive], target, lay_out)
    return _count(target / "images")


def unpack_parts(parts: Sequence[Path], target: Path) -> int:
    """Unpack archives that each hold some of a set's images/ and masks/ into the folder `target`; number of images.

    Raises ArchiveError where one cannot be used or two hold the same file; `target` must not exist.
    """

    def lay_out(tree: Path) -> Path:
        if not (tree / "images").is_dir():
            raise ArchiveError(f"{parts[0]} and its other parts: have no folder images (inside: {_contents(tree)})")
        return tree

    _unpack(parts, target, lay_out)
    return _count(target / "images")


def unpack_maps(archive: Path, target: Path) -> int:
    """Unpack saliency maps into the folder `target`; their number. Raises ArchiveError; `target` must not exist."""

    def lay_out(tree: Path) -> Path:
        while not _count(tree, deep=False):  # down to where the maps are
            inner = [path for path in sorted(tree.iterdir()) if path.is_dir()]
            if len(inner) != 1:
                raise ArchiveError(f"{archive}: has no single folder of maps (inside: {_contents(tree)})")
            tree = inner[0]
        return tree

    _unpack([archive], target, lay_out)
    return _count(target)


def _unpack(archives: Sequence[Path], target: Path, lay_out: Callable[[Path], Path]) -> None:
    """Unpack beside `target`, find what belongs there, and put it in place in one step."""
    if target.exists():
        raise ArchiveError(f"{target} is already there: remove it first")
    target.parent.mkdir(parents=True, exist_ok=True)
    tree = target.parent / f".{target.name}.{secrets.token_hex(4)}.part"
    try:
        tree.mkdir()
        before: set[str] = set()
        for archive in archives:
            names = _extract(archive, tree)
            if names & before:
                raise ArchiveError(
                    f"{archive}: holds {min(names & before)}, and so does another part; keep one packing"
                )
            before |= names
        lay_out(tree).rename(target)
    finally:
        shutil.rmtree(tree, ignore_errors=True)
        shutil.rmtree(tree.with_name(f"{tree.name}.result"), ignore_errors=True)


def _extract(archive: Path, tree: Path) -> set[str]:
    """Unpack the pictures of one archive into `tree`; their names. Raises OSError where there is no room."""
    try:
        with zipfile.ZipFile(archive) as content:
            for entry in content.infolist():
                _check_entry(archive, entry)
            entries = [entry for entry in content.infolist() if _is_wanted(entry)]
            if not entries:
                raise ArchiveError(f"{archive}: has no pictures (inside: {_some(content.namelist())})")
            _check_sizes(archive, entries, tree)
            for entry in entries:
                content.extract(entry, tree)  # a plain file, whatever the entry's permissions say
    except DAMAGE as error:
        raise ArchiveError(f"{archive}: cannot be unpacked ({error}); remove it and fetch it again") from error
    except OSError as error:
        if error.errno in OWN_TROUBLE:
            raise
        raise ArchiveError(f"{archive}: cannot be unpacked ({error}); remove it and fetch it again") from error
    return {entry.filename for entry in entries}


def _is_wanted(entry: zipfile.ZipInfo) -> bool:
    """A picture, neither hidden nor in a hidden folder; what else an archive brings is left out, programs too."""
    path = PurePosixPath(entry.filename)
    hidden = any(part.startswith(".") or part == JUNK for part in path.parts)
    return not entry.is_dir() and not hidden and path.suffix.lower() in EXTENSIONS


def _check_entry(archive: Path, entry: zipfile.ZipInfo) -> None:
    """Refuse what could write elsewhere or read something else."""
    name = entry.filename.replace("\\", "/")
    if not name:
        raise ArchiveError(f"{archive}: has an entry without a name; it is damaged")
    parts = PurePosixPath(name).parts
    if name.startswith("/") or ".." in parts or re.match(r"[A-Za-z]:", name) or "\0" in name:
        raise ArchiveError(f"{archive}: the entry {entry.filename!r} would be written outside its folder")
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise ArchiveError(f"{archive}: the entry {entry.filename!r} is a link")
    if entry.flag_bits & 1:
        raise ArchiveError(f"{archive}: the entry {entry.filename!r} is encrypted")


def _check_sizes(archive: Path, entries: list[zipfile.ZipInfo], tree: Path) -> None:
    packed, unpacked = archive.stat().st_size, sum(entry.file_size for entry in entries)
    if is_bomb(packed, unpacked):
        raise ArchiveError(f"{archive}: {packed / 1e6:.1f} MB would unpack to {unpacked / 1e6:.0f} MB: not a data set")
    free = shutil.disk_usage(tree).free
    if unpacked > free:
        raise OSError(
            errno.ENOSPC,
            f"{archive}: needs {unpacked / 1e6:.0f} MB in {tree.parent}, {free / 1e6:.0f} MB are free; make room first",
        )


def is_bomb(packed: int, unpacked: int) -> bool:
    """Whether an archive would unpack to an absurd size (bytes); small ones may do as they like."""
    return unpacked > max(MAX_RATIO * packed, 2**20)


def _count(folder: Path, deep: bool = True) -> int:
    return sum(path.suffix.lower() in EXTENSIONS for path in (folder.rglob("*") if deep else folder.iterdir()))


def _contents(tree: Path) -> str:
    return _some(sorted(str(path.relative_to(tree)) for path in tree.rglob("*")))


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:6]) + (", …" if len(names) > 6 else "") or "nothing"
