"""Names of the folders that a data set consists of, and where what is made from data sets is kept.

What lies in these folders, `files.py` finds.
"""

import errno
import logging
import os
import re
import stat
import tempfile
import unicodedata
from collections.abc import Sequence
from functools import cache
from pathlib import Path

log = logging.getLogger(__name__)

IMAGE_FOLDERS = ("images", "image", "imgs", "img", "im")  # in any letter case; of several, the first one counts
MASK_FOLDERS = ("masks", "mask", "gt", "gts", "ground_truth_mask")
CACHE_VARIABLE = "INSPYRENET_CACHE"
_ENDING = re.compile(r"(?P<set>.+)[-_ ](?P<word>[A-Za-z]+)")


def image_folder(folder: Path) -> Path | None:
    """The sub-folder of a data set that has its images; None where there is none, or no such data set."""
    return _first(folder, IMAGE_FOLDERS) or _published(folder)[0]


def mask_folder(folder: Path) -> Path | None:
    """The sub-folder of a data set that has its masks; None where there is none, or no such data set."""
    return _first(folder, MASK_FOLDERS) or _published(folder)[1]


def named_pairs(folder: Path) -> dict[str, tuple[Path, Path]]:
    """Of folders in pairs, as DUTS-TR-Image and DUTS-TR-Mask: what both begin with → (images, masks)."""
    entries = sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    found: tuple[dict[str, Path], dict[str, Path]] = {}, {}
    for path in entries:
        match = _ENDING.fullmatch(path.name)
        for side, names in zip(found, (IMAGE_FOLDERS, MASK_FOLDERS), strict=True):
            if match and match["word"].lower() in names:
                side.setdefault(match["set"], path)
    images, masks = found
    return {name: (images[name], masks[name]) for name in images if name in masks}


def one_form(name: str) -> str:
    """A name with accented letters in one form (NFC); a Mac's disk may write them in another (NFD) than an archive does."""
    return unicodedata.normalize("NFC", name)


def set_folder(root: Path, name: str) -> Path:
    """The folder `name` below `root`, which the disk may spell with accented letters in another form."""
    folder = root
    for part in Path(name).parts:
        folder = _spelled(folder, part)
    return folder


def _spelled(root: Path, name: str) -> Path:
    folder = root / name
    if folder.exists() or name.isascii() or not root.is_dir():
        return folder
    alike = (entry for entry in sorted(root.iterdir()) if one_form(entry.name) == one_form(name))
    return next(alike, folder)


def _published(folder: Path) -> tuple[Path | None, Path | None]:
    """The only two folders NAME-Image and NAME-Mask."""
    found = list(named_pairs(folder).values())
    return found[0] if len(found) == 1 else (None, None)


def _first(folder: Path, names: Sequence[str]) -> Path | None:
    entries = sorted(folder.iterdir()) if folder.is_dir() else []
    there = {path.name.lower(): path for path in reversed(entries) if path.is_dir()}
    return next((there[name] for name in names if name in there), None)


def cache_root() -> Path:
    """$INSPYRENET_CACHE, else the platform's cache folder, else, where nobody may write there, one of this user's in the
    folder of temporary files; everything in it can be made again. Raises OSError where that one is another user's."""
    if os.environ.get(CACHE_VARIABLE):
        return Path(os.environ[CACHE_VARIABLE])
    import platformdirs  # here, since whoever sets the variable does not need it

    return _writable(platformdirs.user_cache_path("inspyrenet"))


@cache
def _writable(folder: Path) -> Path:
    """This folder, or the one in its place, told once."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError as error:
        user = os.getuid() if hasattr(os, "getuid") else 0  # elsewhere the folder of temporary files is the user's own
        instead = Path(tempfile.gettempdir()) / f"inspyrenet-{user}"
        log.warning("cannot write to %s (%s): caches go to %s", folder, error.strerror or error, instead)
    instead.mkdir(mode=0o700, exist_ok=True)
    status = instead.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != user:
        raise OSError(errno.EPERM, f"{instead} is another user's: set {CACHE_VARIABLE} to a writable folder")
    return instead
