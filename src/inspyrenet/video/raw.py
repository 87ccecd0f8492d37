"""Pictures without a container, one after the other, as FFmpeg's rawvideo has them: RGB24 or RGBA in, RGB24, RGBA or gray out."""

import errno
import select
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from .errors import VideoError
from .source import Colors, Picture, PicturesOnly, Sound

PIXELS = {"rgb24": 3, "rgba": 4}  # → bytes of a pixel


class RawSource(PicturesOnly):
    """A stream of pictures (height, width) as a `Source`. Raises VideoError for sizes and pixels that cannot be."""

    is_camera = False
    rate: Fraction | None = None
    time_base = Fraction(1, 25)  # the stream has no times

    def __init__(self, stream: BinaryIO, size: tuple[int, int], pixels: str = "rgb24", name: str = "stdin"):
        if pixels not in PIXELS or min(size) < 1:
            raise VideoError(f"{name}: pictures are 1×1 at least, of {' or '.join(PIXELS)}, not {size} of {pixels}")
        self.name, self.colors = name, Colors()
        self.warning: str | None = None
        self._shape = (*size, PIXELS[pixels])
        # past Python's buffer: a thread that waits in it has its lock, without which the process aborts at its end
        self._stream: Any = getattr(stream, "raw", stream)

    def __iter__(self) -> Iterator[Picture | Sound]:
        whole, number = int(np.prod(self._shape)), 0
        while data := self._read(whole):
            if len(data) < whole:
                self.warning = f"ends within a picture: {len(data)} of {whole} bytes; are the sides right?"
                return
            yield Picture(np.frombuffer(data, np.uint8).reshape(self._shape), number, 1)
            number += 1

    def close(self) -> None:
        """The stream is its owner's."""

    def _read(self, count: int) -> bytearray:
        """So many bytes; fewer at the end."""
        data, there = bytearray(count), 0
        while there < count:
            more = self._stream.readinto(memoryview(data)[there:])
            if more is None:  # of a pipe that is set not to wait: nothing is there yet
                select.select([self._stream], [], [])
                continue
            if not more:
                break
            there += more
        del data[there:]
        return data


class RawWriter:
    """Results as they are, see `process.Writer`."""

    note = None
    skipped = 0

    def __init__(self, stream: BinaryIO, name: str = "stdout"):
        self.target, self.frames, self.seconds = Path(name), 0, 0.0
        self._stream: Any = getattr(stream, "raw", stream)  # past Python's buffer, as in RawSource

    def picture(self, picture: Picture) -> None:
        """Its bytes, at once. Raises OSError where nobody takes them."""
        left = np.ascontiguousarray(picture.array).data.cast("B")
        while left:  # a pipe takes them in pieces
            taken = self._stream.write(left)
            if taken is None:
                raise BlockingIOError(errno.EAGAIN, f"{self.target} is set not to wait until there is room")
            left = left[taken:]
        self.frames += 1

    def sound(self, sound: Sound) -> None:
        """A stream of pictures has none."""

    def finish(self, name: Path) -> None:
        """Everything was written."""

    def discard(self) -> None:
        """What was written is gone already."""
