"""Animations out, a picture at a time: each goes into the file once it is known how long it lasts."""

import contextlib
import secrets
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np

from ...data.whole_file import sync_file
from ..errors import explained_system
from ..source import Picture, Sound, Source
from ..writing import fitted
from .apng import Apng
from .gif import Gif
from .webp import Webp


class Container(Protocol):
    """A kind of animation. step: seconds that times are multiples of. shortest: steps that a picture lasts at least.

    remark: what it cannot hold of a transparent picture.
    """

    step: Fraction
    shortest: int
    remark: str | None

    def begin(self, array: np.ndarray, plays: int) -> None:
        """What lies before the first picture, which looks like this."""

    def add(self, array: np.ndarray, steps: int) -> None:
        """A picture that is shown for so many steps."""

    def end(self) -> None:
        """What lies behind the last picture, and what is known only now."""


CONTAINERS: dict[str, type] = {"gif": Gif, "webp": Webp, "apng": Apng}


class AnimationWriter:
    """See `process.Writer`. Holds two pictures: the last one, and the one before it for what the two differ in.

    Raises OSError where the file cannot be written, FormatError for pictures that are too large for the format.
    """

    skipped = 0

    def __init__(self, target: Path, kind: str, source: Source):
        self.target, self.frames, self.seconds = target, 0, 0.0
        self._kind, self._source = kind, source
        self._temporary = target.parent / f".{secrets.token_hex(8)}.part"
        self._file: BinaryIO | None = None
        self._container: Any = None  # a Container, once the first picture says how large it is
        self._waiting: Picture | None = None
        self._left_out, self._transparent = 0, False

    def picture(self, picture: Picture) -> None:
        """Take a result (H, W), (H, W, 3) or (H, W, 4)."""
        with explained_system(self.target):
            if self._container is None:
                self._container = self._start(picture.array)
            self.seconds = float((picture.time + picture.duration) * self._source.time_base)
            if self._waiting is None:
                self.frames += 1
            elif (steps := self._steps(picture.time) - self._steps(self._waiting.time)) < self._container.shortest:
                picture = _in_place_of(self._waiting, picture)
                self._left_out += 1
            else:
                self._add(self._waiting, steps)
                self.frames += 1
            self._waiting = picture

    def sound(self, sound: Sound) -> None:
        """Animations have none, see `note`."""

    def finish(self, name: Path) -> None:
        """Write the last picture; the file takes its name in one step."""
        with explained_system(self.target):
            if self._waiting is None or self._file is None:
                raise ValueError("an animation has one picture at least")
            end = self._steps(self._waiting.time + self._waiting.duration)
            self._add(self._waiting, max(self._container.shortest, end - self._steps(self._waiting.time)))
            self._container.end()
            self._file.close()
            sync_file(self._temporary)
            self._temporary.replace(name)

    def discard(self) -> None:
        """Leave nothing behind; after `finish` it does nothing."""
        with contextlib.suppress(OSError):
            if self._file is not None:
                self._file.close()
            self._temporary.unlink(missing_ok=True)

    @property
    def note(self) -> str | None:
        """What the format could not keep."""
        parts = [f"{self._kind} has no sound; mp4, webm and mov keep it"] * bool(self._source.tracks)
        if self._container is not None:
            if self._transparent and self._container.remark:
                parts.append(self._container.remark)
            if self._left_out:
                least = self._container.step * self._container.shortest
                parts.append(
                    f"{self._left_out} pictures left out: {self._kind} shows each for {float(least):g} s at least"
                )
        return "; ".join(parts) or None

    # -- parts ------------------------------------------------------------------------------------------------------

    def _start(self, array: np.ndarray) -> Container:
        self.target.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._temporary.open("wb")
        container: Container = CONTAINERS[self._kind](self._file)
        container.begin(array, self._source.plays)
        self._size, self._transparent = array.shape[:2], array.shape[2:] == (4,)
        return container

    def _add(self, picture: Picture, steps: int) -> None:
        self._container.add(fitted(picture.array, self._size), steps)

    def _steps(self, time: int) -> int:
        """A time of the source in steps; of times, not of durations, so that what is rounded never adds up."""
        return round(time * self._source.time_base / self._container.step)


def _in_place_of(earlier: Picture, later: Picture) -> Picture:
    """The later picture from the start of the earlier one on: of two, it is the one that may stay for long."""
    return replace(later, time=earlier.time, duration=later.time + later.duration - earlier.time)
