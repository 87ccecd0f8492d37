"""Animated WebP: the container of RFC 9649, around pictures that Pillow encodes one by one."""

import struct
from collections.abc import Iterator
from fractions import Fraction
from typing import BinaryIO

import numpy as np

from ...data.images.encode import FormatError, encode
from .changes import changed

ANIMATED, ALPHA = 0x02, 0x10  # flags of the file
OVERWRITE = 0x02  # flag of a picture: what it shows takes the place of what was there, transparency included
LARGEST = 2**32 - 10  # bytes of a file
LONGEST_STEPS = 2**24 - 1
IMAGE = (b"ALPH", b"VP8 ", b"VP8L")


class Webp:
    """See `writing.Container`."""

    step = Fraction(1, 1000)
    shortest = 11  # browsers show what is shorter for a tenth of a second
    remark = None

    def __init__(self, file: BinaryIO):
        self._file = file
        self._before: np.ndarray | None = None

    def begin(self, array: np.ndarray, plays: int) -> None:
        """See `Container`."""
        flags = ANIMATED | (ALPHA if array.shape[2:] == (4,) else 0)
        self._file.write(b"RIFF\0\0\0\0WEBP")
        self._chunk(b"VP8X", struct.pack("<I", flags) + _sides(array))
        self._chunk(b"ANIM", struct.pack("<IH", 0, min(plays, 0xFFFF)))

    def add(self, array: np.ndarray, steps: int) -> None:
        """See `Container`."""
        box = changed(array, self._before, 2)
        self._before = array
        part = np.ascontiguousarray(array[box])
        place = _three(box[1].start // 2) + _three(box[0].start // 2)
        head = place + _sides(part) + _three(min(steps, LONGEST_STEPS)) + bytes([OVERWRITE])
        self._chunk(b"ANMF", head + b"".join(_image_chunks(encode(part, "webp"))))

    def end(self) -> None:
        """See `Container`."""
        size = self._file.tell() - 8
        self._file.seek(4)
        self._file.write(struct.pack("<I", size))

    def _chunk(self, name: bytes, data: bytes) -> None:
        if self._file.tell() + len(data) > LARGEST:
            raise FormatError("webp files end at 4 GB: take webm, or a shorter clip")
        self._file.write(name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2))


def _image_chunks(data: bytes) -> Iterator[bytes]:
    """What a file of one picture holds of the picture itself."""
    place = 12
    while place < len(data):
        size = struct.unpack_from("<I", data, place + 4)[0]
        stop = place + 8 + size + size % 2
        if data[place : place + 4] in IMAGE:
            yield data[place:stop]
        place = stop


def _sides(array: np.ndarray) -> bytes:
    return _three(array.shape[1] - 1) + _three(array.shape[0] - 1)


def _three(number: int) -> bytes:
    return int(number).to_bytes(3, "little")
