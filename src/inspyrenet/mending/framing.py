"""A cut-out in its frame: cut to the object, scaled onto a canvas, with a shadow. Sizes are (height, width)."""

import math
from dataclasses import replace

import numpy as np
from PIL import Image

from ..data.images.bounds import bands
from ..data.images.decoded import Metadata
from ..data.images.exif import rewritten
from ..remover.background import resize_to_cover
from ..remover.compositing import OutputStyle, composite
from ..remover.errors import NothingFound
from .components import Box, box_of
from .edges import feathered
from .options import ANCHORS, CENTER, Mending, Size

DARK = 0.45  # opacity of a shadow
DOWN, SOFT = (
    0.02,
    0.05,
)  # of the longer side of the object's box: how far its shadow falls, and over how much it is soft

Region = tuple[float, float, float, float]  # left, top, width, height; it may reach beyond the image


def drawn(style: OutputStyle) -> OutputStyle:
    """The type that is rendered first: transparent where a background or a shadow comes later."""
    mending = style.mending
    later = mending.canvas is not None or mending.shadow or (mending.crop is not None and style.picture is not None)
    return replace(style, kind="rgba", color=None, picture=None) if later and style.shows_edges else style


def framed(picture: np.ndarray, box: Box | None, style: OutputStyle) -> np.ndarray:
    """What `render` makes of `drawn(style)`, uint8 (H, W[, 3 or 4]) → the result. box: of the object in it.

    Raises NothingFound where it is to be cut to an object and there is none.
    """
    mending = style.mending
    if mending.crop is not None:
        if box is None:
            raise NothingFound
        region = _region(box, mending)
        picture = (
            _cut(picture, region)
            if mending.canvas is None
            else _on_canvas(picture, region, mending.canvas, mending.anchor)
        )
    if drawn(style) is style:
        return picture
    shadow = _shadow(picture[..., 3]) if mending.shadow else None
    if style.transparent:
        return picture if shadow is None else _above_shadow(picture, shadow)
    behind = _background(style, picture.shape[:2])
    if shadow is not None:
        behind = composite((0, 0, 0), behind, shadow)
    return composite(picture[..., :3], behind, picture[..., 3])


def _region(box: Box, mending: Mending) -> Region:
    """The box with its margin, and with room for the shadow."""
    left, top, width, height = box
    longer = max(width, height)
    margin = mending.margin(longer)
    side, fall = (SOFT * longer, DOWN * longer) if mending.shadow else (0.0, 0.0)
    up, across, down = margin + max(side - fall, 0), margin + side, margin + side + fall
    return left - across, top - up, width + 2 * across, height + up + down


def _cut(picture: np.ndarray, region: Region) -> np.ndarray:
    """As far as it lies in the picture; a copy, so that the picture need not be kept."""
    left, top, width, height = region
    rows = slice(max(math.floor(top), 0), math.ceil(top + height))
    return picture[rows, max(math.floor(left), 0) : math.ceil(left + width)].copy()


def _on_canvas(picture: np.ndarray, region: Region, sides: Size, anchor: str | None) -> np.ndarray:
    """The region scaled to fit the canvas of these sides, which is empty where the region or the picture ends."""
    scale = min(side / length for side, length in zip(sides, region[2:], strict=True))
    canvas = np.zeros((*sides[::-1], *picture.shape[2:]), np.uint8)
    source, target = [], []
    for axis, share in enumerate(ANCHORS[anchor or CENTER]):
        start, length, side = region[axis], region[2 + axis], sides[axis]
        ends = max(start, 0.0), min(start + length, float(picture.shape[1 - axis]))
        first, last = (round((side - length * scale) * share + (end - start) * scale) for end in ends)
        first = min(first, side - 1)
        source.append(ends)
        target.append(slice(first, min(max(last, first + 1), side)))
    size = target[0].stop - target[0].start, target[1].stop - target[1].start
    how = Image.Resampling.HAMMING if scale < 1 else Image.Resampling.BICUBIC
    box = source[0][0], source[1][0], source[0][1], source[1][1]
    canvas[target[1], target[0]] = np.asarray(Image.fromarray(picture).resize(size, how, box))
    return canvas


def _background(style: OutputStyle, size: tuple[int, int]) -> np.ndarray:
    """uint8 (*size, 3)"""
    if style.picture is not None:
        return resize_to_cover(style.picture, size)
    return np.broadcast_to(np.array(style.plain, np.uint8), (*size, 3))


def _shadow(alpha: np.ndarray) -> np.ndarray:
    """Opacity of the shadow, uint8 (H, W): the object's, lower, softer and weaker."""
    box = box_of(alpha)
    if box is None:
        return np.zeros_like(alpha)
    longer = max(box[2:])
    fall = min(round(DOWN * longer), len(alpha) - 1)
    lower = np.zeros_like(alpha)
    lower[fall:] = alpha[: len(alpha) - fall]
    return (feathered(lower, SOFT * longer) * np.float32(DARK)).astype(np.uint8)


def _above_shadow(picture: np.ndarray, shadow: np.ndarray) -> np.ndarray:
    """RGBA and a black shadow below it → RGBA."""
    result = np.empty_like(picture)
    for top, stop in bands(4 * picture.shape[1], len(picture)):
        own, below = picture[top:stop, :, 3].astype(np.float32), shadow[top:stop] / np.float32(255)
        whole = own + below * (255 - own)
        share = own / np.maximum(whole, 1)
        result[top:stop, :, 3] = np.rint(whole)
        result[top:stop, :, :3] = np.rint(picture[top:stop, :, :3] * share[..., None])
    return result


def resized_metadata(metadata: Metadata, size: tuple[int, int]) -> Metadata:
    """For a picture of that size: EXIF data may name the image's."""
    if metadata.exif is None:
        return metadata
    exif = Image.Exif()
    exif.load(metadata.exif)
    return replace(metadata, exif=rewritten(exif, size))
