"""What an image file costs beyond its pixels: passes over them, tags, chunks. Counted in its bytes, before anything is decoded.

A progressive JPEG of half a megabyte can ask for thousands of passes over its pixels, a TIFF for gigabytes of tags that all lie
at one place, a PNG for a million empty chunks. No camera and no program writes more than a small part of these limits.
"""

import re
import struct

from .headers import PNG_SIGNATURE

SCANS = 64  # of a JPEG: ten are usual, a pass of its own for every bit of every color is about 40
TAGS, TAG_BYTES = 1000, 2**24  # of a TIFF's first page: their number, and the bytes that they point at
CHUNKS = 50_000  # of a PNG; 20 MB in pieces of 8 kB, as libpng writes them, are 2,500
TIFF_ORDERS = {b"II*\0": "<", b"MM\0*": ">", b"II+\0": "<", b"MM\0+": ">"}
TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")  # stuffed, filling and restart bytes left out


class CostError(ValueError):
    """A file that asks for far more work than its pixels need; the message says how much."""


def check_cost(data: bytes) -> None:
    """Raises CostError for a JPEG, TIFF or PNG that is over a limit. Any other format, and damage, are left to the reader."""
    if data.startswith(b"\xff\xd8"):
        _check_jpeg(data)
    elif data.startswith(PNG_SIGNATURE):
        _check_png(data)
    elif data[:4] in TIFF_ORDERS:
        _check_tiff(data, TIFF_ORDERS[data[:4]], big=b"+" in data[:4])


def _check_jpeg(data: bytes) -> None:
    scans, position = 0, 2
    while (found := _MARKER.search(data, position)) is not None:
        marker, position = data[found.end() - 1], found.end()
        if marker == 0xD9:  # the end; what a phone puts behind it is no part of the picture
            return
        if marker == 0xDA:
            scans += 1
            if scans > SCANS:
                raise CostError(f"the JPEG has more than {SCANS} scans; save it again with a usual program")
        if marker != 0x01:
            position += int.from_bytes(data[position : position + 2], "big")


def _check_png(data: bytes) -> None:
    position = 8
    for _ in range(CHUNKS):
        if position + 8 > len(data) or data[position + 4 : position + 8] == b"IEND":
            return
        position += 12 + int.from_bytes(data[position : position + 4], "big")
    raise CostError(f"the PNG has more than {CHUNKS} chunks; save it again with a usual program")


def _check_tiff(data: bytes, order: str, big: bool) -> None:
    start, count, entry = ("Q", "Q", "HHQ") if big else ("L", "H", "HHL")
    try:
        (place,) = struct.unpack_from(order + start, data, 8 if big else 4)
        (number,) = struct.unpack_from(order + count, data, place)
        if number > TAGS:
            raise CostError(f"the TIFF has {number} tags, more than {TAGS}; save it again with a usual program")
        first, step = place + struct.calcsize(order + count), 20 if big else 12
        entries = (struct.unpack_from(order + entry, data, first + step * index) for index in range(number))
        size = sum(TYPE_BYTES.get(kind, 1) * values for _, kind, values in entries)
    except (struct.error, OverflowError):  # cut short, or beyond any file: the reader says what is wrong
        return
    if size > max(TAG_BYTES, len(data)):
        raise CostError(f"the TIFF's tags claim {size / 1e6:.0f} MB; save it again with a usual program")
