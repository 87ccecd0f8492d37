"""Names of the folders that a data set consists of, and where what is made from data sets is kept."""

import os
from pathlib import Path

IMAGE_FOLDERS = ("images", "im")
MASK_FOLDERS = ("masks", "gt")
CACHE_VARIABLE = "INSPYRENET_CACHE"


def cache_root() -> Path:
    """$INSPYRENET_CACHE, else the platform's cache folder; everything in it can be made again."""
    if os.environ.get(CACHE_VARIABLE):
        return Path(os.environ[CACHE_VARIABLE])
    import pooch  # here, since whoever sets the variable does not need it

    return Path(pooch.os_cache("inspyrenet"))
