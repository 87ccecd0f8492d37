"""Animated PNG (PNG specification, third edition): every pixel as it is, and of each picture only what changed."""

import struct
from fractions import Fraction
from typing import BinaryIO

import numpy as np

from ...data.images.png import COLORS, deflated, write_chunk
from .changes import changed

OVERWRITE = bytes([0, 0])  # leave the picture there for the next one, which takes the place of what it covers
LARGEST = 0xFFFF  # of the numbers that a duration is made of


class Apng:
    """See `writing.Container`. Numbers of pictures and of chunks are counted in 32 bits."""

    step = Fraction(1, 120_000)
    shortest = 1
    remark = None

    def __init__(self, file: BinaryIO):
        self._file = file
        self._before: np.ndarray | None = None
        self._frames = self._number = self._plays = self._place = 0

    def begin(self, array: np.ndarray, plays: int) -> None:
        """See `Container`."""
        height, width = array.shape[:2]
        color = COLORS[_planes(array).shape[2]]
        self._file.write(b"\x89PNG\r\n\x1a\n")
        write_chunk(self._file, b"IHDR", struct.pack(">IIBBBBB", width, height, 8, color, 0, 0, 0))
        self._place, self._plays = self._file.tell(), plays
        self._count()

    def add(self, array: np.ndarray, steps: int) -> None:
        """See `Container`."""
        rows, columns = changed(array, self._before)
        part = np.ascontiguousarray(_planes(array[rows, columns]))
        seconds = steps * self.step
        delay = seconds.limit_denominator(max(1, int(LARGEST / max(1.0, float(seconds)))))
        sides = (part.shape[1], part.shape[0], columns.start, rows.start)
        times = (min(delay.numerator, LARGEST), delay.denominator)
        write_chunk(self._file, b"fcTL", struct.pack(">IIIIIHH", self._next(), *sides, *times) + OVERWRITE)
        for data in deflated(part):
            if self._before is None:
                write_chunk(self._file, b"IDAT", data)
            else:
                write_chunk(self._file, b"fdAT", struct.pack(">I", self._next()) + data)
        self._before = array
        self._frames += 1

    def end(self) -> None:
        """See `Container`."""
        write_chunk(self._file, b"IEND", b"")
        self._file.seek(self._place)
        self._count()

    def _count(self) -> None:
        write_chunk(self._file, b"acTL", struct.pack(">II", self._frames, self._plays))

    def _next(self) -> int:
        self._number += 1
        return self._number - 1


def _planes(array: np.ndarray) -> np.ndarray:
    return array[..., None] if array.ndim == 2 else array
