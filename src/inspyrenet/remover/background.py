"""What comes behind the object: a picture scaled to the image's size, or the image out of focus. Sizes are (height, width)."""

import math

import numpy as np
from PIL import Image

from ..data.images.bilinear import interpolated
from ..data.images.bounds import bands

FAR = 4  # times what is needed of a background: then the rest is cut off before it is scaled
REACH = 2  # pixels around a new one that Pillow's filters look at; of a smaller picture, old ones times the scale
FINE = 4  # pixels of the small picture that a blur is as wide as


def resize_to_cover(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The picture scaled so that it just covers `size`, the surplus cut off evenly; (*size, 3)."""
    height, width = size
    scale = max(height / picture.shape[0], width / picture.shape[1])
    needed = math.ceil(height / scale) + 2, math.ceil(width / scale) + 2
    if picture.shape[0] * picture.shape[1] > FAR * needed[0] * needed[1]:  # else a thin image would want a huge square
        picture = _middle(picture, needed)
    scaled = (max(height, round(picture.shape[0] * scale)), max(width, round(picture.shape[1] * scale)))
    if scaled != picture.shape[:2]:
        # HAMMING looks as the mean of the area does, at any scale; Pillow's BOX shifts pixels
        picture = _resized(picture, scaled, Image.Resampling.HAMMING if scale < 1 else Image.Resampling.BICUBIC)
    return _middle(picture, size)


def _middle(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """At most `size` of the picture."""
    height, width = (min(side, most) for side, most in zip(size, picture.shape[:2], strict=True))
    top, left = (picture.shape[0] - height) // 2, (picture.shape[1] - width) // 2
    return picture[top : top + height, left : left + width]


def _resized(picture: np.ndarray, size: tuple[int, int], how: Image.Resampling) -> np.ndarray:
    """uint8 (H, W, 3) at `size`, band by band: for the whole, Pillow would hold two copies."""
    result = np.empty((*size, 3), np.uint8)
    height, width = picture.shape[:2]
    scale = height / size[0]
    reach = math.ceil(REACH * max(scale, 1)) + 1
    for top, stop in bands(max(size[1], width), size[0]):
        first, last = max(0, math.floor(top * scale) - reach), min(height, math.ceil(stop * scale) + reach)
        box = (0, top * scale - first, width, min(stop * scale, height) - first)
        part = Image.fromarray(picture[first:last]).resize((size[1], stop - top), how, box)
        result[top:stop] = np.asarray(part)
    return result


def blurred_background(image: np.ndarray, alpha: np.ndarray, sigma: float | None = None) -> np.ndarray:
    """The background out of focus, without the object's colors bleeding into it; uint8 (H, W, 3).

    sigma: in pixels; default 1/60 of the longer side. Where nearly everything is object, the whole image is blurred.
    """
    height, width = alpha.shape
    sigma = max(height, width) / 60 if sigma is None else sigma
    shrink = max(1.0, sigma / FINE)  # a wide blur needs no fine grid
    small = _weighted(image, alpha, (max(1, round(height / shrink)), max(1, round(width / shrink))))
    small = _blurred(_blurred(small, max(sigma / shrink, 0.3), 1), max(sigma / shrink, 0.3), 2)
    result = np.empty((height, width, 3), np.uint8)
    for channel in range(3):
        for top, stop, band in interpolated(small[channel] / small[3], (height, width), corners=False):
            result[top:stop, :, channel] = np.rint(band, out=band)
    return result


def _weighted(image: np.ndarray, alpha: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """float32 (4, *size): means of the colors times their weight, and of the weight, which is that of the background."""
    down, across = (
        (np.arange(new + 1) * 2 * old + new) // (2 * new) for old, new in zip(alpha.shape, size, strict=True)
    )
    result = np.empty((4, *size), np.float32)
    for first, stop in bands(down[1] * alpha.shape[1], size[0]):
        rows, cuts = slice(down[first], down[stop]), down[first:stop] - down[first]
        weight = (255 - alpha[rows]).astype(np.float32) / 255 + np.float32(1e-3)
        for channel in range(4):
            values = weight * image[rows, :, channel] if channel < 3 else weight
            result[channel, first:stop] = np.add.reduceat(np.add.reduceat(values, cuts, 0), across[:-1], 1)
    return result / (np.diff(down)[:, None] * np.diff(across)).astype(np.float32)


def _blurred(planes: np.ndarray, sigma: float, axis: int) -> np.ndarray:
    """A Gaussian along one axis; beyond the edge the last pixel goes on."""
    reach = round(4 * sigma)
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    length = planes.shape[axis]
    padded = np.pad(planes, [(reach, reach) if one == axis else (0, 0) for one in range(3)], mode="edge")
    result = np.zeros_like(planes)
    for start, weight in enumerate((weights / weights.sum()).astype(np.float32)):
        result += weight * padded[(slice(None),) * axis + (slice(start, start + length),)]
    return result
