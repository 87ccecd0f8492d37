"""Label maps: PNG files whose values are the classes of the pixels, gray or with a palette that only colors them."""

import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from ..whole_file import whole_file
from .read import ImageError

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GRAY, _PALETTE = 0, 3  # color types of PNG

Color = tuple[int, int, int]


def read_label_map(path: Path | str) -> np.ndarray:
    """The classes of the pixels, uint8 (H, W): the values of an 8-bit gray PNG, or the indices of a palette PNG.

    Raises ImageError for any other file, since its values have been scaled, compressed or mixed.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            head = file.read(26)
        if not head.startswith(_SIGNATURE) or len(head) < 26:
            raise ImageError(
                f"{path}: is no PNG; a label map is an 8-bit gray or a palette PNG whose values are classes"
            )
        depth, color = head[24], head[25]
        if color != _PALETTE and (color, depth) != (_GRAY, 8):
            kind = "gray" if color == _GRAY else "color"
            raise ImageError(
                f"{path}: has {depth} bits of {kind}; a label map is an 8-bit gray or a palette PNG whose values are classes"
            )
        with Image.open(path) as image:
            return np.array(image, np.uint8)
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ImageError(f"{path}: cannot be read ({error}); copy it anew") from error


def write_label_map(labels: np.ndarray, path: Path, palette: Sequence[Color]) -> None:
    """Writes uint8 (H, W) as a PNG with a palette of 256 colors: its indices are the classes, and viewers show them in color.

    Raises ValueError for any other array, OSError where the file cannot be written.
    """
    if labels.dtype != np.uint8 or labels.ndim != 2:
        raise ValueError(f"a label map is a uint8 array (H, W), not {labels.dtype} {labels.shape}")
    image = Image.fromarray(labels).convert("L")
    image.putpalette([value for color in palette for value in color])  # the image is in mode P from here on
    with whole_file(path) as partial:
        image.save(partial, "PNG", compress_type=zlib.Z_RLE)


def label_problem(path: Path | str, labels: np.ndarray, classes: int, ignore_label: int | None) -> str | None:
    """What is wrong with the values of a label map, naming file, place and value: each is a class or the ignored label.

    None where nothing is wrong. Without an ignore_label, only classes are right.
    """
    wrong = labels >= classes if ignore_label is None else (labels >= classes) & (labels != ignore_label)
    if not wrong.any():
        return None
    row, column = divmod(int(wrong.argmax()), labels.shape[1])
    ignored = "" if ignore_label is None else f", and {ignore_label} is ignored"
    return (
        f"{path}: has label {labels[row, column]} at row {row}, column {column}, but there are {classes} classes, "
        f"0 to {classes - 1}{ignored}"
    )
