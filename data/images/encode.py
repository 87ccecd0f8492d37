"""Pictures out: arrays to encoded bytes and files, whole or not there."""

import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ..whole_file import whole_file

FORMATS = {"png": "PNG", "jpg": "JPEG", "jpeg": "JPEG", "webp": "WEBP", "tif": "TIFF", "tiff": "TIFF", "bmp": "BMP"}
OPAQUE = ("jpg", "jpeg", "bmp")  # have no alpha channel
LONGEST = {"JPEG": 65535, "WEBP": 16383}  # pixels of a side
OPTIONS: dict[str, dict[str, Any]] = {
    "PNG": {"compress_level": 4},  # half the time of the default for 2 % more bytes
    "JPEG": {"quality": 95, "subsampling": 0},
    "WEBP": {"quality": 95},
    "TIFF": {"compression": "tiff_lzw"},
}


class FormatError(ValueError):
    """A file format that there is not, or that cannot hold this picture; the message says what can."""


def check_format(name: str, transparent: bool = False) -> str:
    """The format's name without a dot, in lower case. Raises FormatError."""
    plain = name.lower().removeprefix(".")
    if plain not in FORMATS:
        raise FormatError(f"unknown format {name!r}; there is {', '.join(FORMATS)}")
    if transparent and plain in OPAQUE:
        able = ", ".join(other for other in FORMATS if other not in OPAQUE)
        raise FormatError(f"{plain} has no transparency: take {able}, or another type than rgba")
    return plain


def encode(array: np.ndarray, name: str = "png") -> bytes:
    """uint8 (H, W), (H, W, 3) or (H, W, 4) → the bytes of an image file. Raises FormatError."""
    kind = FORMATS[check_format(name, transparent=array.ndim == 3 and array.shape[2] == 4)]
    longest = max(array.shape[:2])
    if longest > LONGEST.get(kind, longest):
        raise FormatError(f"{name} files end at {LONGEST[kind]} pixels, this picture has {longest}: take png or tif")
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, format=kind, **OPTIONS.get(kind, {}))
    return buffer.getvalue()


def write_picture(array: np.ndarray, path: Path | str, name: str | None = None) -> None:
    """Write an image file in one step; the folder is made. The format is that of the suffix unless `name` says another.

    Raises FormatError, and OSError with path and remedy where the file cannot be written.
    """
    path = Path(path)
    write_bytes(encode(array, name or path.suffix), path)


def write_bytes(data: bytes, path: Path) -> None:
    """As `write_picture`, for bytes."""
    try:
        with whole_file(path) as partial:
            partial.write_bytes(data)
    except OSError as error:
        reason = error.strerror or str(error)
        message = f"cannot write {path} ({reason}); choose a writable folder with free space"
        raise OSError(error.errno, message) from error
