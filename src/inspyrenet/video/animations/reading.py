"""Animated GIF, WebP and PNG in, through Pillow: times, transparency, and how often they are played."""

import io
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image

from ...data.images.bounds import MAX_PIXELS
from ...data.images.cost import CostError, check_cost
from ...data.images.decoded import decode
from ...data.images.read import ImageError, bytes_of, check_pixels, decoding, identify
from ..errors import VideoError, reason_of
from ..source import Colors, Picture, PicturesOnly
from .webp import ALPHA

TICKS = (
    120_000  # of a second: a whole number of them lasts a frame at 24, 25, 30, 50, 60, 24/1.001 and 30/1.001 frames/s
)
HASTY, USUAL = (
    10,
    100,
)  # milliseconds: what is shown no longer than the first is shown as long as the other, as in browsers


class AnimatedFile(PicturesOnly):
    """An animated picture as a `Source`. Raises ImageError, VideoError for what is none.

    Of the file, its bytes and one picture are held. Damage is met on reading, as with `VideoFile`.
    """

    is_camera = False
    time_base = Fraction(1, TICKS)

    def __init__(self, path: Path):
        self.name, self.colors = str(path), Colors()
        self.warning: str | None = None
        self._image = _opened(path)
        with decoding(self.name):
            self._count: int = getattr(self._image, "n_frames", 1)
            # a picture for programs that know no animations is none of its frames
            self._first = int(bool(self._image.info.get("default_image")))
            self.plays = plays_of(self._image)
        self.frames: int | None = self._count - self._first
        self.rate: Fraction | None = None

    def __iter__(self) -> Iterator[Picture]:
        time = 0
        try:
            for number in range(self._first, self._count):
                self._image.seek(number)
                array = self._array()
                duration = round(TICKS * _milliseconds(self._image) / 1000)
                yield Picture(array, time, duration)
                time += duration
        except Exception as error:  # decoders raise errors of any class
            self.warning = f"cannot be read to its end ({reason_of(error)})"

    def _array(self) -> np.ndarray:
        self._image.load()
        decoded = decode(self._image, b"", self.name).srgb()
        return decoded.array if decoded.alpha is None else np.dstack([decoded.array, decoded.alpha])

    def close(self) -> None:
        self._image.close()


def plays_of(image: Image.Image) -> int:
    """How often an animation is played; 0: again and again. A GIF tells how often it is repeated, or nothing."""
    loop = image.info.get("loop")
    if image.format == "GIF":
        return 1 if loop is None else loop + 1 if loop else 0
    return loop or 0


def _milliseconds(image: Image.Image) -> float:
    duration = image.info.get("duration") or 0
    return duration if duration > HASTY else USUAL


def _opened(path: Path) -> Image.Image:
    data, label = bytes_of(path)
    try:
        check_cost(data)
    except CostError as error:
        raise ImageError(f"{label}: {error}") from error
    with decoding(label):
        image = identify(io.BytesIO(_with_alpha(data)), label)
        check_pixels(label, *image.size, MAX_PIXELS)
    if image.format not in ("GIF", "WEBP", "PNG"):
        raise VideoError(f"{label}: is no GIF, WebP or PNG in spite of its name, but {image.format}; name it so")
    return image


def _with_alpha(data: bytes) -> bytes:
    """A WebP that says it has an alpha channel: libwebp does not where all frames are opaque, though smaller than the picture."""
    if data[:4] != b"RIFF" or data[12:16] != b"VP8X":
        return data
    return data[:20] + bytes([data[20] | ALPHA]) + data[21:]
