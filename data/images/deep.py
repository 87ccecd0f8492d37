"""All 16 bits of a color. Pillow keeps the high byte of each; with the order of the bytes turned round it keeps the low one."""

import io
import sys
from typing import Any, cast

from PIL import Image, ImageFile

PLANES = 2  # TIFF's planar configuration of files with one color after the other
OTHER = {"L": "B", "B": "L", "N": "B" if sys.byteorder == "little" else "L"}  # order of bytes: little, big, native


def is_planar(image: Image.Image) -> bool:
    """A TIFF with one color after the other, which Pillow does not read with 16 bits."""
    return getattr(image, "tag_v2", {}).get(284) == PLANES


def high_and_low(image: Image.Image, data: bytes) -> tuple[Image.Image, Image.Image]:
    """The high and the low byte of each value as two images, RGB or RGBA; colors multiplied with alpha stay so.

    image: a PNG or TIFF with 16 bits per color, decoded; data: its file.
    """
    again = _opened(image, data)
    raw = _raw_mode(again)
    if raw == "LA;16B":  # its four bytes are what a pixel of RGBA has
        gray, low_gray, alpha, low_alpha = _decoded(again, "RGBA").split()
        return Image.merge("RGBA", (gray, gray, gray, alpha)), Image.merge("RGBA", (low_gray,) * 3 + (low_alpha,))
    low = _decoded(again, raw[:-1].replace("a", "A") + OTHER[raw[-1]])
    if "a" in raw:  # Pillow has divided by alpha
        image = _decoded(_opened(image, data), raw.replace("a", "A"))
    return image, low


def _opened(image: Image.Image, data: bytes) -> ImageFile.ImageFile:
    return Image.open(io.BytesIO(data), formats=[str(image.format)])


def _raw_mode(image: ImageFile.ImageFile) -> str:
    """How Pillow calls the file's kind of pixels, such as RGB;16L."""
    arguments: Any = image.tile[0][3]
    return arguments if isinstance(arguments, str) else arguments[0]


def _decoded(image: ImageFile.ImageFile, raw: str) -> Image.Image:
    """An opened image, decoded as if its pixels were of that kind."""
    tiles: list[Any] = []
    for tile in image.tile:
        *place, arguments = cast(tuple[Any, ...], tile)
        arguments = raw if isinstance(arguments, str) else (raw, *arguments[1:])
        tiles.append(getattr(type(tile), "_make", tuple)((*place, arguments)))  # a plain tuple before Pillow 11.1
    image.tile = tiles
    image.load()
    return image
