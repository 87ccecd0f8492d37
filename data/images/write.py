"""Arrays in, files out: a map is either whole on disk or not there."""

from pathlib import Path

import numpy as np

from .encode import write_picture


def write_map(array: np.ndarray, path: Path | str) -> None:
    """Writes a uint8 map (H, W) as a PNG; the folder is made, and readers never see half a file.

    Raises ValueError for any other array, OSError (with path and remedy) where the file cannot be written.
    """
    if array.dtype != np.uint8 or array.ndim != 2:
        raise ValueError(f"a map is a uint8 array (H, W), not {array.dtype} {array.shape}")
    write_picture(array, path, "png")
