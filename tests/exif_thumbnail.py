"""A thumbnail in EXIF data, which Pillow reads but does not write."""

import io
import struct

from PIL import Image


def with_thumbnail(exif: Image.Exif) -> bytes:
    """The EXIF block with a second directory that holds a small JPEG, as cameras write it."""
    buffer = io.BytesIO()
    Image.new("RGB", (16, 12), (9, 200, 30)).save(buffer, "JPEG")
    thumbnail = buffer.getvalue()
    block = exif.tobytes()
    head, body = block[:6], bytearray(block[6:])
    order = "<" if body[:2] == b"II" else ">"
    start = struct.unpack(f"{order}I", body[4:8])[0]
    count = struct.unpack(f"{order}H", body[start : start + 2])[0]
    link = start + 2 + 12 * count
    second = len(body) + len(body) % 2
    body = body.ljust(second, b"\0")
    body[link : link + 4] = struct.pack(f"{order}I", second)
    entries = [(0x0103, 3, 1, 6), (0x0201, 4, 1, second + 2 + 3 * 12 + 4), (0x0202, 4, 1, len(thumbnail))]
    directory = struct.pack(f"{order}H", len(entries))
    for tag, kind, number, value in entries:
        content = struct.pack(f"{order}HH" if kind == 3 else f"{order}I", *((value, 0) if kind == 3 else (value,)))
        directory += struct.pack(f"{order}HHI", tag, kind, number) + content
    return head + bytes(body) + directory + b"\0\0\0\0" + thumbnail
