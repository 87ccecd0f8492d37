"""ICC color profiles: which can be kept, and pixels brought to sRGB, which is what networks and plain colors mean by RGB."""

import io
import logging
from functools import lru_cache

import numpy as np
from PIL import Image, ImageCms

from .bounds import bands

SPACES = {b"RGB ": "RGB", b"GRAY": "L", b"CMYK": "CMYK"}  # color space in a profile's header → Pillow's mode
SAME = 2  # levels of 255: a profile that moves no color further counts as sRGB
LOG = logging.getLogger("inspyrenet")


def usable_profile(icc: bytes | None, mode: str, label: str) -> bytes | None:
    """The profile, where it describes pixels of Pillow's `mode` (RGB, L or CMYK) and can be used; else None.

    A profile that is broken, or of another kind of pixels, is said in the log: the image is then shown as if it had none.
    A profile of RGB is usable for gray pixels, too, as three equal channels.
    """
    if not icc:
        return None
    space = SPACES.get(icc[16:20])
    if space in (mode, "RGB" if mode == "L" else mode) and _is_whole(icc, space):
        return icc
    LOG.warning("%s: its color profile cannot be used and is left out; colors are taken as sRGB", label)
    return None


def is_rgb(icc: bytes) -> bool:
    """The profile describes RGB pixels."""
    return SPACES.get(icc[16:20]) == "RGB"


def to_srgb(array: np.ndarray, icc: bytes | None) -> np.ndarray:
    """Gray (H, W), RGB (H, W, 3) or (H, W, 4), or CMYK (H, W, 4) in a usable profile of these → sRGB; all uint8.

    (H, W, 3) comes out, RGB keeps its alpha. RGB that needs no change, because there is no profile or it is sRGB's, is
    returned as it is.
    """
    if icc is None or (is_rgb(icc) and is_srgb(icc)):
        return array
    mode = SPACES[icc[16:20]]
    transform = _transform(icc, mode)
    with_alpha = mode == "RGB" and array.shape[2] == 4
    result = array.copy() if with_alpha else np.empty((*array.shape[:2], 3), np.uint8)
    for top, stop in bands(array.shape[1], len(array)):
        band = np.ascontiguousarray(array[top:stop, :, :3] if with_alpha else array[top:stop])
        picture = Image.frombuffer(mode, band.shape[1::-1], band, "raw", mode, 0, 1)
        result[top:stop, :, :3] = np.asarray(transform.apply(picture))
    return result


@lru_cache(maxsize=8)
def is_srgb(icc: bytes) -> bool:
    """An RGB profile under which all colors look as in sRGB. Its pixels are never touched, so that maps stay the same."""
    levels = np.linspace(0, 255, 16).astype(np.uint8)
    colors = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(64, 64, 3)
    seen = np.asarray(_transform(icc, "RGB").apply(Image.fromarray(colors)))
    return bool(np.abs(seen.astype(np.int16) - colors).max() <= SAME)


def _is_whole(icc: bytes, mode: str) -> bool:
    try:
        _transform(icc, mode)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return False
    return True


@lru_cache(maxsize=8)
def _transform(icc: bytes, mode: str) -> ImageCms.ImageCmsTransform:
    """From the profile to sRGB."""
    profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
    return ImageCms.buildTransform(profile, ImageCms.createProfile("sRGB"), mode, "RGB")
