"""Arrays in, files out: a map is either whole on disk or not there."""

import contextlib
import secrets
from pathlib import Path

import numpy as np
from PIL import Image


def write_map(array: np.ndarray, path: Path | str) -> None:
    """Writes a uint8 map (H, W) as a PNG; the folder is made, and readers never see half a file.

    Raises ValueError for any other array, OSError (with path and remedy) where the file cannot be written.
    """
    if array.dtype != np.uint8 or array.ndim != 2:
        raise ValueError(f"a map is a uint8 array (H, W), not {array.dtype} {array.shape}")
    path = Path(path)
    temporary = path.parent / f".{secrets.token_hex(8)}.part"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("xb") as file:
            Image.fromarray(array).save(file, format="PNG")
        temporary.replace(path)
    except OSError as error:
        reason = error.strerror or str(error)
        message = f"cannot write {path} ({reason}); choose a writable folder with free space"
        raise OSError(error.errno, message) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
