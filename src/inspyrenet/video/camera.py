"""A camera by its number, through OpenCV: RGB pictures, timed by the clock."""

import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Protocol

import numpy as np

from .errors import VideoError, load_cv2
from .source import Colors, Picture, PicturesOnly

MILLISECONDS = Fraction(1, 1000)
USUAL_RATE = 30
FPS, WIDTH, HEIGHT = 5, 3, 4  # cv2.CAP_PROP_FPS and so on, without loading OpenCV for them


class Capture(Protocol):
    """What is needed of cv2.VideoCapture; `read` gives BGR."""

    def isOpened(self) -> bool: ...

    def read(self) -> "tuple[bool, np.ndarray | None]": ...

    def get(self, property: int) -> float: ...

    def set(self, property: int, value: float) -> bool: ...

    def release(self) -> None: ...


def open_capture(number: int) -> Capture:
    """OpenCV's capture of a camera. Raises VideoExtraMissing where OpenCV is not installed."""
    return load_cv2().VideoCapture(number)


class Camera(PicturesOnly):
    """A camera as a `Source`; it ends when the camera does, or when nobody wants more pictures.

    size: (height, width) that it is asked for. Raises VideoError where there is no such camera, or it has no such size.
    """

    is_camera = True
    time_base = MILLISECONDS

    def __init__(
        self,
        number: int,
        capture: Capture | None = None,
        clock: Callable[[], float] = time.monotonic,
        size: tuple[int, int] | None = None,
    ):
        self.name, self.colors = f"camera {number}", Colors()
        self.warning: str | None = None
        self._clock = clock
        self._capture = open_capture(number) if capture is None else capture
        if not self._capture.isOpened():
            self._capture.release()
            raise VideoError(
                f"{self.name} is not there, is in use, or may not be opened: check the number, other programs, permissions"
            )
        if size is not None:
            self._resize(size)
        rate = self._capture.get(FPS)
        self.rate = Fraction(round(rate) if 1 <= rate <= 1000 else USUAL_RATE)

    def _resize(self, size: tuple[int, int]) -> None:
        for side, pixels in zip((HEIGHT, WIDTH), size, strict=True):
            self._capture.set(side, pixels)
        height, width = (round(self._capture.get(side)) for side in (HEIGHT, WIDTH))
        if (height, width) != size:
            self._capture.release()
            raise VideoError(
                f"{self.name} has no pictures of {size[1]}×{size[0]}, but of {width}×{height}: ask for these"
            )

    def __iter__(self) -> Iterator[Picture]:
        step = max(1, round(1000 / self.rate))
        started, last = None, -1
        while True:
            there, frame = self._capture.read()
            if not there or frame is None:
                return
            now = self._clock()
            started = now if started is None else started
            last = max(last + 1, round((now - started) * 1000))
            yield Picture(np.ascontiguousarray(frame[..., 2::-1]), last, step)

    def close(self) -> None:
        self._capture.release()
