"""Pictures out: arrays to encoded bytes and files, whole or not there, with profile, resolution and EXIF."""

import contextlib
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import Image

from ..whole_file import whole_file
from .color_profile import to_srgb
from .decoded import PLAIN, Metadata
from .png import write_png

FORMATS = {"png": "PNG", "jpg": "JPEG", "jpeg": "JPEG", "webp": "WEBP", "tif": "TIFF", "tiff": "TIFF", "bmp": "BMP"}
OPAQUE = ("jpg", "jpeg", "bmp")  # have no alpha channel
LONGEST = {"JPEG": 65535, "WEBP": 16383}  # pixels of a side
CARRIED = {  # what goes with the pixels; WebP and AVIF have no place for a resolution, BMP only for that
    "PNG": ("icc_profile", "dpi", "exif"),
    "JPEG": ("icc_profile", "dpi", "exif"),
    "TIFF": ("icc_profile", "dpi", "exif"),
    "WEBP": ("icc_profile", "exif"),
    "AVIF": ("icc_profile", "exif"),
    "BMP": ("dpi",),
}
OPTIONS: dict[str, dict[str, Any]] = {
    "PNG": {"compress_type": zlib.Z_RLE},  # of maps: two thirds of the time of level 4, files as large
    "JPEG": {"quality": 95, "subsampling": 0},
    "WEBP": {
        "quality": 95,
        "method": 1,
    },  # two thirds of the time of the default for 6 to 10 % more bytes; alpha is exact
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


def encode(array: np.ndarray, name: str = "png", metadata: Metadata = PLAIN) -> bytes:
    """uint8 (H, W), (H, W, 3) or (H, W, 4) → the bytes of an image file. Raises FormatError.

    metadata: goes into the file as far as the format holds it; where it holds no color profile, the pixels become sRGB.
    """
    buffer = io.BytesIO()
    _save(array, buffer, name, metadata)
    return buffer.getvalue()


def _save(array: np.ndarray, file: Any, name: str, metadata: Metadata) -> None:
    kind = FORMATS[check_format(name, transparent=array.ndim == 3 and array.shape[2] == 4)]
    longest = max(array.shape[:2])
    if longest > LONGEST.get(kind, longest):
        raise FormatError(f"{name} files end at {LONGEST[kind]} pixels, this picture has {longest}: take png or tif")
    if kind == "PNG" and array.ndim == 3:
        write_png(array, file, metadata)
        return
    if "icc_profile" not in CARRIED[kind] and array.ndim == 3:
        array = to_srgb(array, metadata.icc)
    words = OPTIONS.get(kind, {}) | _beside(array, metadata, kind)
    if kind == "TIFF" and "exif" in words:
        words["compression"] = "raw"  # libtiff, which compresses, cannot write the parts of EXIF
    Image.fromarray(array).save(file, format=kind, **words)


def _beside(array: np.ndarray, metadata: Metadata, kind: str) -> dict[str, Any]:
    """Pillow's words for what goes into a file of that kind. Gray values have no profile of RGB."""
    given = {name: value for name, value in words_of(metadata).items() if name in CARRIED[kind]}
    if array.ndim == 2:
        given.pop("icc_profile", None)
    return given


def words_of(metadata: Metadata) -> dict[str, Any]:
    """What there is, by Pillow's names."""
    all_ = {"icc_profile": metadata.icc, "dpi": metadata.dpi, "exif": metadata.exif}
    return {name: value for name, value in all_.items() if value is not None}


def write_picture(array: np.ndarray, path: Path | str, name: str | None = None, metadata: Metadata = PLAIN) -> None:
    """Write an image file in one step; the folder is made. The format is that of the suffix unless `name` says another.

    Raises FormatError, and OSError with path and remedy where the file cannot be written.
    """
    path = Path(path)
    with _written(path) as file:
        _save(array, file, name or path.suffix, metadata)


def write_bytes(data: bytes, path: Path) -> None:
    """As `write_picture`, for bytes."""
    with _written(path) as file:
        file.write(data)


@contextlib.contextmanager
def _written(path: Path) -> "Iterator[_WithoutDescriptor]":
    """A file to write to, which takes the name `path` at the end."""
    try:
        with whole_file(path) as partial, partial.open("wb") as file:
            yield _WithoutDescriptor(file)
    except OSError as error:
        reason = error.strerror or str(error)
        message = f"cannot write {path} ({reason}); choose a writable folder with free space"
        raise OSError(error.errno, message) from error


class _WithoutDescriptor:
    """A file that Pillow writes to bit by bit: to a descriptor its encoders write themselves, and lose the system's error."""

    def __init__(self, file: BinaryIO):
        self.write, self.seek, self.tell, self.flush = file.write, file.seek, file.tell, file.flush
