"""GIF, version 89a: 256 colors of each picture's own, of which one is nothing at all."""

import struct
from fractions import Fraction
from typing import BinaryIO

import numpy as np
from PIL import Image
from PIL.GifImagePlugin import getdata

from ...data.images.encode import FormatError
from .changes import box_of, changed

LONGEST = 65535  # pixels of a side
OPAQUE = 128  # alpha from here on is opaque, below it nothing
NOTHING = 255  # the palette's index of it
KEEP, CLEAR = 1, 2  # what becomes of a picture before the next one is shown


class Gif:
    """See `writing.Container`."""

    step = Fraction(1, 100)
    shortest = 2  # browsers show what is shorter for a tenth of a second
    remark = "gif has no soft edges: what is less than half opaque is gone; webp, apng, webm and mov keep it"

    def __init__(self, file: BinaryIO):
        self._file = file
        self._before: np.ndarray | None = None

    def begin(self, array: np.ndarray, plays: int) -> None:
        """See `Container`. A GIF tells how often it is repeated after the first time."""
        height, width = array.shape[:2]
        if max(height, width) > LONGEST:
            raise FormatError(
                f"gif files end at {LONGEST} pixels, this picture has {max(height, width)}: take apng or mov"
            )
        self._file.write(b"GIF89a" + struct.pack("<HHBBB", width, height, 0, 0, 0))
        if plays != 1:
            self._file.write(b"!\xff\x0bNETSCAPE2.0\x03\x01" + struct.pack("<HB", min(max(plays - 1, 0), 0xFFFF), 0))

    def add(self, array: np.ndarray, steps: int) -> None:
        """See `Container`."""
        transparent = array.ndim == 3 and array.shape[2] == 4
        if transparent:
            box, more = box_of(array[..., 3] >= OPAQUE), {"transparency": NOTHING, "disposal": CLEAR}
        else:
            box, more = changed(array, self._before), {"disposal": KEEP}
            self._before = array
        part = reduced(np.ascontiguousarray(array[box]))
        offset = (int(box[1].start), int(box[0].start))
        while steps > 0:  # 655 s at a time
            parts = getdata(part, offset, duration=10 * min(steps, 0xFFFF), include_color_table=True, **more)
            self._file.write(b"".join(parts))
            steps -= 0xFFFF

    def end(self) -> None:
        """See `Container`."""
        self._file.write(b";")


def reduced(array: np.ndarray) -> Image.Image:
    """(H, W), (H, W, 3) or (H, W, 4) in up to 256 colors; of the last kind 255, and NOTHING where it is not opaque."""
    if array.ndim == 2:
        image = Image.fromarray(array).convert("P")
        image.putpalette(np.repeat(np.arange(256, dtype=np.uint8), 3).tobytes())
        return image
    if array.shape[2] == 3:
        return _full(Image.fromarray(array).quantize(256))
    opaque = array[..., 3] >= OPAQUE
    found = Image.fromarray(array[..., :3] * opaque[..., None]).quantize(255)
    image = Image.fromarray(np.where(opaque, np.asarray(found), NOTHING).astype(np.uint8)).convert("P")
    image.putpalette(found.getpalette() or [])
    return _full(image)


def _full(image: Image.Image) -> Image.Image:
    """With a palette of 256 colors, whichever of them are used."""
    palette = image.getpalette() or []
    image.putpalette(palette + [0] * (768 - len(palette)))
    return image
