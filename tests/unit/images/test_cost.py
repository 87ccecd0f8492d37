"""Files that cost far more than their pixels are known by their bytes; those of usual programs are not refused."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from inspyrenet.data.images import cost
from inspyrenet.data.images.cost import CostError, check_cost

NOISE = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)


def encoded(kind, **options):
    buffer = io.BytesIO()
    Image.fromarray(NOISE).save(buffer, kind, **options)
    return buffer.getvalue()


def many_scans(count):
    """A progressive JPEG whose last scan comes again and again."""
    data = encoded("JPEG", progressive=True)
    start = data.rfind(b"\xff\xda")
    return data[:start] + data[start:-2] * count + b"\xff\xd9"


def chunk(name, body=b""):
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def many_chunks(count):
    data = encoded("PNG")
    return data[:33] + chunk(b"teXt") * count + data[33:]


def many_tags(count, values, order="<"):
    """A TIFF whose tags all point at the same bytes."""
    head = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(order + "L", 8) + struct.pack(order + "H", count)
    entries = b"".join(struct.pack(order + "HHLL", 40000 + index, 12, values, 0) for index in range(count))
    return head + entries + bytes(4)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (many_scans(200), "more than 64 scans"),
        (many_chunks(cost.CHUNKS + 10), "more than 50000 chunks"),
        (many_tags(2000, 1), "2000 tags"),
        (many_tags(900, 100_000), "claim 720 MB"),
        (many_tags(900, 100_000, ">"), "claim 720 MB"),
    ],
    ids=["scans", "chunks", "tags", "tag bytes", "big endian"],
)
def test_a_file_that_asks_for_too_much(data, message):
    with pytest.raises(CostError, match=message):
        check_cost(data)


@pytest.mark.parametrize(
    "data",
    [
        encoded("JPEG"),
        encoded("JPEG", progressive=True, exif=b"Exif\0\0" + b"\xff\xda" * 500),
        encoded("JPEG") + b"\xff\xda\0\0" * 500,  # a phone's video behind the picture
        many_scans(20),
        encoded("PNG"),
        many_chunks(100),
        encoded("TIFF"),
        encoded("TIFF", compression="tiff_lzw"),
        encoded("TIFF", big_tiff=True),
        encoded("WEBP"),
        encoded("GIF"),
        encoded("BMP"),
        b"",
        b"\xff\xd8",
        b"II*\0",
        b"II*\0\xff\xff\xff\xff",
        b"II+\0\x08\0\0\0" + b"\xff" * 8,  # the first page beyond what a machine can address
        b"\x89PNG\r\n\x1a\n",
    ],
)
def test_what_usual_programs_write_and_what_is_cut_short_passes(data):
    check_cost(data)
