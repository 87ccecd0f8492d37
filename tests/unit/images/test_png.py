"""PNG files of our own: every decoder reads the same pixels, whatever the size and the number of bands."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from inspyrenet.data.images import png
from inspyrenet.data.images.png import write_png


def written(array):
    file = io.BytesIO()
    write_png(array, file)
    return file.getvalue()


def chunks(data):
    place, found = 8, []
    while place < len(data):
        (length,) = struct.unpack_from(">I", data, place)
        name, content = data[place + 4 : place + 8], data[place + 8 : place + 8 + length]
        assert struct.unpack_from(">I", data, place + 8 + length)[0] == zlib.crc32(name + content)
        found.append((name, content))
        place += 12 + length
    return found


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (40, 30), (7, 500)])
@pytest.mark.parametrize("band", [1, 4000, png.BAND])
def test_the_pixels_come_back(size, channels, band, monkeypatch):
    monkeypatch.setattr(png, "BAND", band)
    array = np.random.default_rng(0).integers(0, 256, (*size, channels), np.uint8)
    data = written(array)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(data))), array)
    stream = b"".join(content for name, content in chunks(data) if name == b"IDAT")
    assert len(zlib.decompress(stream)) == size[0] * (1 + size[1] * channels)  # which checks the sum over all bands


def test_an_array_of_any_order_in_memory_is_taken():
    array = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    for view in (array[::-1, ::2], array.transpose(1, 0, 2), array[..., ::-1]):
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(written(view)))), view)


def test_smooth_pictures_become_small():
    ramp = np.add.outer(np.arange(200), np.arange(300)).astype(np.uint8)
    assert len(written(np.repeat(ramp[..., None], 4, 2))) < ramp.size * 4 / 50
