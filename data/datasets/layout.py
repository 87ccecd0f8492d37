"""Names of the folders that a data set consists of, and where what is made from data sets is kept."""

import os
from collections.abc import Sequence
from pathlib import Path

IMAGE_FOLDERS = ("images", "image", "imgs", "img", "im")  # in any letter case; of several, the first one counts
MASK_FOLDERS = ("masks", "mask", "gt", "gts", "ground_truth_mask")
CACHE_VARIABLE = "INSPYRENET_CACHE"


def image_folder(folder: Path) -> Path | None:
    """The sub-folder of a data set that has its images; None where there is none, or no such data set."""
    return _first(folder, IMAGE_FOLDERS)


def mask_folder(folder: Path) -> Path | None:
    """The sub-folder of a data set that has its masks; None where there is none, or no such data set."""
    return _first(folder, MASK_FOLDERS)


def _first(folder: Path, names: Sequence[str]) -> Path | None:
    entries = sorted(folder.iterdir()) if folder.is_dir() else []
    there = {path.name.lower(): path for path in reversed(entries) if path.is_dir()}
    return next((there[name] for name in names if name in there), None)


def cache_root() -> Path:
    """$INSPYRENET_CACHE, else the platform's cache folder; everything in it can be made again."""
    if os.environ.get(CACHE_VARIABLE):
        return Path(os.environ[CACHE_VARIABLE])
    import pooch  # here, since whoever sets the variable does not need it

    return Path(pooch.os_cache("inspyrenet"))
