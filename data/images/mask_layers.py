"""What a mask file holds: its one channel of 8 bits, and what kind of channel that is. `masks.py` decides what it means."""

import io
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from PIL import Image

from . import headers
from .read import (
    MAX_PIXELS,
    ImageError,
    check_pixels,
    deep_gray,
    is_deep,
    is_deep_gray,
    loaded_bytes,
    orientation_of,
    to_8_bits,
    unknown_scale,
    upright,
    without_palette,
)

GT_THRESHOLD = 128  # of 255: only a pixel above it is foreground when maps are scored
REMEDY = "save the masks as 8-bit gray PNG, 255 where the object is and 0 elsewhere"
_NEAR = 16  # levels by which channels or colors differ through JPEG or resizing
_FEW = 4  # levels of one color; so few can be classes that are told apart by its brightness
_NUMPY = b"\x93NUMPY"

Kind = Literal["gray", "index", "color", "alpha", "black"]
Color = tuple[int, int, int]
Channel = tuple[np.ndarray, Kind, Color | None, int]  # (H, W) uint8, and the fields of its Layer


class MaskError(ImageError):
    """It is not certain what a mask means. The message names the file, what it holds, and the remedy."""


@dataclass(frozen=True)
class Layer:
    """What one file holds.

    kind    gray levels, indices of a palette, one color on black, an alpha channel, opaque black beside an alpha channel
    values  bit v is set where the value v, 0..255, occurs
    color   (red, green, blue) of the object, where kind is "color"
    bits    of a value in the file: 1, 8, 16, or 32 for fractions in 0..1; 24: more than 8, but nothing above 255
    """

    kind: Kind
    values: int
    color: Color | None = None
    bits: int = 8

    @property
    def empty(self) -> bool:
        """Whether there is no value but 0, which is no object in any coding."""
        return self.values <= 1

    @property
    def highest(self) -> int:
        """The largest value."""
        return self.values.bit_length() - 1

    @property
    def label(self) -> int:
        """The only value beside 0, where that may be the number of an object; else 0."""
        beyond = self.values & ~1
        several = beyond & (beyond - 1) if beyond else 1
        if several or self.bits not in (8, 24) or (self.highest == 255 and self.kind != "index"):
            return 0
        return self.highest


def present(array: np.ndarray) -> int:
    """The values of a uint8 array (H, W) as bits: bit v is set where v occurs."""
    counts = cv2.calcHist([array], [0], None, [256], [0, 256])
    return int.from_bytes(np.packbits(counts.ravel() > 0, bitorder="little").tobytes(), "little")


def decode_layer(data: bytes, name: str, max_pixels: int = MAX_PIXELS) -> Channel:
    """The channel of a file, contiguous and upright, from its bytes. `.npy` arrays (H, W) are files, too.

    Raises ImageError as `read_image` does, MaskError where no single channel of it can be the mask.
    """
    if data.startswith(_NUMPY):
        return _of_array(_load_array(data, name), name)
    plain = _plain_png(data, name, max_pixels)
    if plain is not None:
        return plain, "gray", None, 1 if data[24] == 1 else 8
    with loaded_bytes(data, name, max_pixels) as image:
        array, kind, color, bits = _channel(image, data, name)
        return upright(array, orientation_of(image)), kind, color, bits


def _plain_png(data: bytes, name: str, max_pixels: int) -> np.ndarray | None:
    """The mask of a gray PNG with 1 or 8 bits and nothing unusual, as almost all are, by OpenCV; else None."""
    header = headers.parse(data[: headers.PREFIX]) if data.startswith(headers.PNG_SIGNATURE) else None
    if header is None or data[25] != 0 or header.depth not in (1, 8):
        return None
    chunks = headers.png_chunks(data)
    if chunks is None or not chunks.isdisjoint((b"tRNS", b"eXIf", b"acTL")):
        return None
    check_pixels(name, header.width, header.height, max_pixels)
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)


def _channel(image: Image.Image, data: bytes, name: str) -> Channel:
    if image.mode == "1":
        return np.asarray(image.convert("L")), "gray", None, 1
    if image.mode == "L" and "transparency" not in image.info:
        return _of_few_bits(np.asarray(image), data, name), "gray", None, 8
    if is_deep_gray(image):
        return _of_array(deep_gray(image), name)
    if is_deep(image, data):
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        if pixels is not None and pixels.dtype == np.uint16 and pixels.ndim == 3:
            return _of_deep_pixels(pixels, name)
    if image.mode == "P" and not image.has_transparency_data:
        return _of_palette(image, name)
    if image.has_transparency_data:
        pixels = np.asarray(without_palette(image).convert("RGBA"))
        if image.mode == "P" and pixels[..., 3].min() == 255:
            return _of_palette(image, name)
        return _with_alpha(pixels[..., :3], pixels[..., 3], name)
    return _of_colors(np.asarray(without_palette(image).convert("RGB")), name)


# -- gray ---------------------------------------------------------------------------------------------------------


def _of_few_bits(levels: np.ndarray, data: bytes, name: str) -> np.ndarray:
    """Gray levels as Pillow scales them. Of a PNG with 2 or 4 bits the middle ones may as well be labels: MaskError."""
    header = headers.parse(data[: headers.PREFIX]) if data.startswith(headers.PNG_SIGNATURE) else None
    if header is not None and header.depth in (2, 4) and present(levels) & ~(1 | 1 << 255):
        raise MaskError(f"{name}: is a PNG of {header.depth} bits, whose values may be labels or gray levels; {REMEDY}")
    return levels


def _load_array(data: bytes, name: str) -> np.ndarray:
    try:
        array = np.load(io.BytesIO(data), allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise ImageError(f"{name}: not a NumPy array file ({error})") from error
    if array.ndim != 2 or not array.size or array.dtype.kind not in "buif":
        raise MaskError(f"{name}: is an array {array.shape} of {array.dtype}, not (height, width) of numbers; {REMEDY}")
    return array


def _of_array(values: np.ndarray, name: str) -> Channel:
    """The channel of numbers of any type; raises ImageError where their scale is unknown."""
    if values.dtype == bool:
        return np.ascontiguousarray(values).view(np.uint8) * np.uint8(255), "gray", None, 1
    if values.dtype == np.uint8:
        return np.ascontiguousarray(values), "gray", None, 8
    lowest, highest = float(values.min()), float(values.max())
    if lowest >= 0 and highest <= 1 and values.dtype.kind == "f":
        return np.rint(values * 255).astype(np.uint8), "gray", None, 32
    certain = values.dtype.kind in "ui" or bool(((values == 0) | (values == 255)).all())
    if lowest >= 0 and highest <= 255 and certain:
        return values.astype(np.uint8), "gray", None, 24
    if lowest >= 0 and highest <= 65535 and values.dtype.kind in "ui":
        return to_8_bits(values), "gray", None, 16
    raise ImageError(f"{name}: {unknown_scale(values)}")


# -- palettes and colors ------------------------------------------------------------------------------------------


def _of_palette(image: Image.Image, name: str) -> Channel:
    """Gray levels where the palette is gray, else the indices: 0 is the background in every label map."""
    indices = np.asarray(image)
    palette = np.zeros((256, 3), np.uint8)
    known = np.array(image.getpalette("RGB"), np.uint8).reshape(-1, 3)
    palette[: len(known)] = known
    values = present(indices)
    used = [index for index in range(256) if values >> index & 1]
    colors = palette[used]
    levels = set(colors[:, 0].tolist())
    if (colors == colors[:, :1]).all() and len(levels) == len(used) and (len(used) > 2 or levels <= {0, 255}):
        return cv2.LUT(indices, np.ascontiguousarray(palette[:, 0])), "gray", None, 8
    if palette[0].any() and used[0] == 0 and (colors != colors[0]).any():
        raise MaskError(f"{name}: has a palette whose index 0 is not black, so it may not be the background; {REMEDY}")
    return indices, "index", None, 8


def _of_colors(pixels: np.ndarray, name: str, bits: int = 8) -> Channel:
    """The mask of an RGB picture (H, W, 3): gray, or one color on black."""
    red, green, blue = cv2.split(pixels)
    top, low = cv2.max(cv2.max(red, green), blue), cv2.min(cv2.min(red, green), blue)
    spread = int(cv2.subtract(top, low).max())
    if spread == 0:
        return red, "gray", None, bits
    set_ = top > 0
    color = pixels[np.unravel_index(int(set_.argmax()), set_.shape)]
    if ((pixels == color).all(axis=2) == set_).all():
        return set_.view(np.uint8) * np.uint8(255), "color", _color(color), bits
    one_hue = all((channel == top).all() for channel in (red, green, blue) if channel.any())
    if one_hue and top.max() >= 255 - _NEAR and present(top).bit_count() > _FEW:
        return top, "color", _color(255 * np.array([channel.any() for channel in (red, green, blue)])), bits
    if spread <= _NEAR and top.max() > GT_THRESHOLD:
        return np.asarray(Image.fromarray(pixels).convert("L")), "gray", None, bits
    raise MaskError(f"{name}: has several colors, and it is not certain which of them is the object; {REMEDY}")


def _color(values: np.ndarray) -> Color:
    red, green, blue = (int(value) for value in values)
    return red, green, blue


# -- transparency -------------------------------------------------------------------------------------------------


def _with_alpha(pixels: np.ndarray, alpha: np.ndarray, name: str, bits: int = 8) -> Channel:
    """The mask of a picture (H, W, 3) with an alpha channel (H, W): its colors if all is opaque, or alpha if one color is."""
    lowest, highest = int(alpha.min()), int(alpha.max())
    if lowest == 255:
        array, kind, color, bits = _of_colors(np.ascontiguousarray(pixels), name, bits)
        return array, kind if array.any() else "black", color, bits
    if lowest == 0 and _is_flat(pixels, alpha, highest):
        return np.ascontiguousarray(alpha), "alpha", None, bits
    raise MaskError(
        f"{name}: is a picture with transparency; if its alpha channel is the mask, save that alone, else {REMEDY}"
    )


def _is_flat(pixels: np.ndarray, alpha: np.ndarray, highest: int) -> bool:
    """Whether the colors say nothing else than alpha: one color wherever it is seen, and nothing drawn where it is not."""
    opaque = alpha > min(GT_THRESHOLD, max(0, highest - 1))  # of a faint pixel the color is rounded
    seen = pixels[opaque] if opaque.any() else pixels.reshape(-1, 3)
    spread = (seen.max(axis=0).astype(int) - seen.min(axis=0)).max()
    hidden = pixels[alpha == 0]
    same = not hidden.size or (np.abs(hidden.astype(int) - seen[0]).max() <= _NEAR) or not hidden.any()
    return bool(spread <= _NEAR and same) or bool((pixels == alpha[..., None]).all())


def _of_deep_pixels(pixels: np.ndarray, name: str) -> Channel:
    """The mask of a picture with 16 bits per channel as OpenCV gives it, blue first, perhaps with alpha."""
    color = np.ascontiguousarray(pixels[..., 2::-1])
    bits = 16 if color.max() > 255 else 24
    color = to_8_bits(color) if bits == 16 else color.astype(np.uint8)
    if pixels.shape[2] < 4:
        return _of_colors(color, name, bits)
    alpha = pixels[..., 3]
    deep = int(alpha.max()) > 255
    eight = to_8_bits(alpha) if deep else alpha.astype(np.uint8)
    array, kind, found, bits = _with_alpha(color, eight, name, bits)
    return array, kind, found, (16 if deep else 24) if kind == "alpha" else bits
