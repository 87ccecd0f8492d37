"""Size of a JPEG or PNG file from its first bytes, whether its last bytes are there, and what it consists of.

A data set of ten thousand pairs is checked before every run; opening each file with an image library takes five
times as long as this. Whatever these few lines do not understand is answered with None: ask the image library then.
"""

import os
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

PREFIX = 16 * 1024  # bytes; more only where a camera put a large preview in front
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PNG_END = b"IEND\xaeB`\x82"
JPEG_START = b"\xff\xd8"
JPEG_END = b"\xff\xd9"
_HUFFMAN_FRAMES = {0xC0, 0xC1, 0xC2}
_SCAN_END = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL)  # a marker that is neither a stuffed byte nor a restart
_START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


@dataclass(frozen=True)
class Header:
    """What the first bytes say. `plain` is False where orientation data precedes the picture."""

    height: int
    width: int
    channels: int
    depth: int  # bits per channel
    plain: bool


def parse(prefix: bytes) -> Header | None:
    """Header of a JPEG or PNG from its first bytes; None for any other format or where they do not reach."""
    if prefix.startswith(PNG_SIGNATURE):
        return _parse_png(prefix)
    if prefix.startswith(JPEG_START):
        return _parse_jpeg(prefix)
    return None


def is_complete(data: bytes) -> bool:
    """True where a JPEG's or PNG's bytes end as the format says; trailing bytes give False although it may be whole."""
    return data.endswith(PNG_END if data.startswith(PNG_SIGNATURE) else JPEG_END)


def png_chunks(data: bytes) -> set[bytes] | None:
    """Names of the chunks of a whole PNG up to its end; None where a length or a checksum is wrong."""
    names, position = set(), len(PNG_SIGNATURE)
    while position + 12 <= len(data):
        end = position + 8 + int.from_bytes(data[position : position + 4], "big")
        name = data[position + 4 : position + 8]
        if zlib.crc32(memoryview(data)[position + 4 : end]) != int.from_bytes(data[end : end + 4], "big"):
            return None
        names.add(name)
        if name == b"IEND":
            return names
        position = end + 4
    return None


def coded_scans(data: bytes) -> Iterator[tuple[bytes, set[int]]]:
    """(coded data, symbols that have the shortest codes of its AC tables) of each scan of a JPEG with Huffman codes.

    A code of zeros stands for the symbol. Its lower four bits are the size of a coefficient, 0 where it ends a block or skips.
    The scans of mean values have no AC table, and no symbol. Stops at whatever is not as the format says.
    """
    shortest: dict[int, int] = {}  # AC table -> symbol
    position = 2
    while position + 4 <= len(data) and data[position] == 0xFF:
        marker, length = data[position + 1], int.from_bytes(data[position + 2 : position + 4], "big")
        if marker == 0xFF:  # fill byte
            position += 1
            continue
        if marker == JPEG_END[1] or marker in _START_OF_FRAME - _HUFFMAN_FRAMES:
            return
        body = data[position + 4 : position + 2 + length]
        position += 2 + length
        if marker == 0xC4:
            shortest |= _shortest_codes(body)
        if marker == 0xDA and len(body) > 3:
            found = _SCAN_END.search(data, position)
            end = found.start() if found else len(data)
            tables = {selector & 15 for selector in body[2:-3:2] if body[-2]}
            yield data[position:end], {shortest[table] for table in tables if table in shortest}
            position = end


def _shortest_codes(body: bytes) -> dict[int, int]:
    """AC table -> symbol with the code of zeros, of the Huffman tables in a segment."""
    found, position = {}, 0
    while position + 17 < len(body):
        if body[position] >> 4 == 1:
            found[body[position] & 15] = body[position + 17]
        position += 17 + sum(body[position + 1 : position + 17])
    return found


def probe(path: Path) -> tuple[Header | None, bool]:
    """(header or None, ends as its format says) of a file, reading its two ends only.

    Raises OSError where the file cannot be opened or read.
    """
    with path.open("rb") as file:
        prefix = file.read(PREFIX)
        header = parse(prefix)
        if header is None:
            return None, False
        return header, is_complete(prefix[:16] + _tail(file))


def _tail(file: BinaryIO, count: int = 16) -> bytes:
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - count))
    return file.read()


def _parse_png(prefix: bytes) -> Header | None:
    if len(prefix) < 33 or prefix[12:16] != b"IHDR":
        return None
    width, height = int.from_bytes(prefix[16:20], "big"), int.from_bytes(prefix[20:24], "big")
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}.get(prefix[25])
    if channels is None or not width or not height:
        return None
    return Header(height, width, channels, depth=prefix[24], plain=b"eXIf" not in prefix)


def _parse_jpeg(prefix: bytes) -> Header | None:
    plain, position = True, 2
    while position + 10 <= len(prefix):
        if prefix[position] != 0xFF:
            return None
        marker = prefix[position + 1]
        if marker == 0xFF:  # fill byte
            position += 1
            continue
        if marker in _START_OF_FRAME:
            height = int.from_bytes(prefix[position + 5 : position + 7], "big")
            width = int.from_bytes(prefix[position + 7 : position + 9], "big")
            if not height or not width:
                return None
            return Header(height, width, prefix[position + 9], depth=prefix[position + 4], plain=plain)
        if marker == 0xE1:  # EXIF, and with it perhaps an orientation
            plain = False
        position += 2 + int.from_bytes(prefix[position + 2 : position + 4], "big")
    return None
