"""What a video is made of, wherever it comes from: pictures with their times, sound as it was recorded."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np

BT709, BT601, SMPTE240M, BT2020 = 1, 5, 7, 9  # numbers of color matrices, as swscale counts them
MATRICES = {1: BT709, 5: BT601, 6: BT601, 7: SMPTE240M, 9: BT2020, 10: BT2020}  # those of ITU-T H.273 → swscale's
UNSPECIFIED = 2
LIMITED, FULL = 1, 2  # FFmpeg's numbers of the ranges 16..235 and 0..255 of YUV


@dataclass(frozen=True, eq=False)
class Picture:
    """One frame: uint8 RGB or, where it is transparent, RGBA (height, width, 3 or 4), upright.

    Time and duration are in units of its source's time base.
    """

    array: "np.ndarray"
    time: int
    duration: int


@dataclass(frozen=True, eq=False)
class Sound:
    """One packet of the sound track of that number, times as in the file."""

    track: int
    packet: Any

    @property
    def nbytes(self) -> int:
        return self.packet.size


@dataclass(frozen=True)
class Colors:
    """How RGB and YUV belong together: the matrix (swscale's number), primaries and transfer (numbers of ITU-T H.273).

    full: YUV takes all values from 0 to 255, and not only 16 to 235.
    """

    matrix: int = BT709
    primaries: int = 1
    transfer: int = 1
    full: bool = False


class Source(Protocol):
    """A file or a camera.

    name: for messages. is_camera: pictures come by the clock and are dropped where nobody has time for them. frames: their
    expected number, where it is known. rate: frames per second on average. aspect: of a pixel, upright.
    tracks: PyAV's sound streams. shift: seconds by which all times are moved to begin near 0. plays: how often an animation is
    played, 0: again and again.
    warning: what was wrong with it, once it has been read. colors is known with the first picture.
    """

    name: str
    is_camera: bool
    time_base: Fraction
    frames: int | None
    aspect: Fraction
    tracks: tuple
    shift: Fraction
    plays: int
    colors: Colors
    warning: str | None

    @property
    def rate(self) -> Fraction | None: ...

    def __iter__(self) -> Iterator[Picture | Sound]: ...

    def close(self) -> None: ...


class PicturesOnly:
    """What is the same of each `Source` without sound and without a container that says more."""

    tracks: tuple = ()
    shift = Fraction(0)
    aspect = Fraction(1)
    plays = 0
    frames: int | None = None
