"""An image with all that must not get lost on its way through a network: transparency, color profile, resolution, EXIF."""

from dataclasses import dataclass, replace

import numpy as np
from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

from .bounds import MAX_PIXELS
from .color_profile import is_rgb, to_srgb, usable_profile
from .exif import exif_of
from .read import (
    Source,
    deep_pixels,
    gray_pixels,
    is_deep_gray,
    loaded,
    orientation_of,
    pixels_of,
    upright,
    without_palette,
)

X_RESOLUTION = 282  # tag of TIFF and EXIF
EXTRA_SAMPLES = 338  # TIFF's tag of channels beside the colors


@dataclass(frozen=True)
class Metadata:
    """What goes with the pixels.

    icc: profile of RGB; None: sRGB. dpi: dots per inch (across, down). exif: a block that is fit for writing, see `exif.py`.
    """

    icc: bytes | None = None
    dpi: tuple[float, float] | None = None
    exif: bytes | None = None


PLAIN = Metadata()


@dataclass(frozen=True, eq=False)
class DecodedImage:
    """An upright image: uint8 RGB (H, W, 3), and its alpha channel uint8 (H, W), None where it is opaque.

    Colors are not multiplied with alpha; what they are where alpha is 0 is nobody's business.
    """

    array: np.ndarray
    alpha: np.ndarray | None = None
    metadata: Metadata = PLAIN

    def srgb(self) -> "DecodedImage":
        """The same image with its pixels in sRGB, and without a profile; itself where that is so already."""
        if self.metadata.icc is None:
            return self
        return replace(self, array=to_srgb(self.array, self.metadata.icc), metadata=replace(self.metadata, icc=None))


def read_decoded(source: Source, max_pixels: int = MAX_PIXELS) -> DecodedImage:
    """An image with its transparency, profile, resolution and EXIF; path, encoded bytes or binary file.

    Of an animation the first frame is taken. Pixels of CMYK or gray with a profile of their own become sRGB, since such a
    profile cannot describe RGB; RGB pixels stay as they are, with their profile. Raises ImageError as `read_image` does.
    """
    with loaded(source, max_pixels) as (image, data, label):
        return decode(image, data, label)


def decode(image: Image.Image, data: bytes = b"", label: str = "image") -> DecodedImage:
    """As `read_decoded` for a Pillow image of any mode; data: its file, which has more than 8 bits of some formats.

    Raises ImageError for gray values of no known scale, and what Pillow raises for damaged data.
    """
    orientation = orientation_of(image)
    icc = image.info.get("icc_profile")
    array, alpha, mode = _pixels(image, data, label)
    icc = usable_profile(icc, mode, label)
    if icc is not None and not is_rgb(icc):
        array, icc = to_srgb(array, icc), None
    elif mode == "CMYK":
        array = np.asarray(Image.fromarray(array, "CMYK").convert("RGB"))
    elif array.ndim == 2:
        array = np.repeat(array[..., None], 3, axis=2)
    array = upright(array, orientation)
    metadata = Metadata(icc, _dpi(image, orientation >= 5), exif_of(image, array.shape[:2], label))
    alpha = visible_alpha(alpha)
    return DecodedImage(array, None if alpha is None else upright(alpha, orientation), metadata)


def visible_alpha(alpha: np.ndarray | None) -> np.ndarray | None:
    """None where nothing is transparent."""
    return None if alpha is None or alpha.min() == 255 else alpha


def _pixels(image: Image.Image, data: bytes, label: str) -> tuple[np.ndarray, np.ndarray | None, str]:
    """(pixels, alpha or None, mode of the pixels): L (H, W), RGB (H, W, 3) or CMYK (H, W, 4)."""
    deep = deep_pixels(image, data, label)
    if deep is not None:
        color, alpha = deep[..., :3], deep[..., 3] if deep.shape[2] == 4 else None
        return straight(color, alpha) if is_premultiplied(image) else color, alpha, "RGB"
    if is_deep_gray(image):
        hidden = image.info.get("transparency")  # a gray of 16 bits
        alpha = None if hidden is None else np.where(np.asarray(image) == hidden, np.uint8(0), np.uint8(255))
        return gray_pixels(image, label), alpha, "L"
    if "transparency" in image.info and image.mode in ("1", "L", "RGB"):  # one color is transparent
        image = image.convert("RGBA" if image.mode == "RGB" else "LA")
    image = without_palette(image)
    alpha = pixels_of(image.getchannel("A"), "L") if "A" in image.getbands() and image.mode != "LAB" else None
    mode = {"1": "L", "L": "L", "LA": "L", "CMYK": "CMYK"}.get(image.mode, "RGB")
    return pixels_of(image, mode), alpha, mode


def is_premultiplied(image: Image.Image) -> bool:
    """A TIFF whose colors are multiplied with alpha. With 8 bits Pillow undoes that by itself."""
    return getattr(image, "tag_v2", {}).get(EXTRA_SAMPLES, ())[:1] == (1,)


def straight(color: np.ndarray, alpha: np.ndarray | None) -> np.ndarray:
    """uint8 (H, W, 3) divided by alpha (H, W), as far as 8 bits tell."""
    if alpha is None:
        return color
    divisor = np.maximum(alpha, 1).astype(np.uint16)[..., None]
    return np.minimum((color * np.uint16(255) + divisor // 2) // divisor, 255).astype(np.uint8)


def _states_dpi(image: Image.Image) -> bool:
    """False where a TIFF or JPEG has no resolution, for which Pillow says 1 and 72."""
    if isinstance(image, TiffImageFile) and image.format == "TIFF":
        return X_RESOLUTION in image.tag_v2
    if image.format == "JPEG" and "jfif_density" not in image.info:
        return X_RESOLUTION in image.getexif()
    return True


def _dpi(image: Image.Image, turned: bool) -> tuple[float, float] | None:
    """Dots per inch of the upright image, where the file says something sensible."""
    if not _states_dpi(image):
        return None
    try:
        across, down = (float(value) for value in image.info["dpi"])
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    if not (1 <= across <= 65535 and 1 <= down <= 65535):
        return None
    return (down, across) if turned else (across, down)
