"""Raw pictures in and out."""

import io

import numpy as np
import pytest

from inspyrenet.video.errors import VideoError
from inspyrenet.video.raw import RawSource, RawWriter
from inspyrenet.video.source import Picture


@pytest.mark.parametrize(("pixels", "channels"), [("rgb24", 3), ("rgba", 4)])
def test_pictures_come_and_go_as_they_are(pixels, channels):
    arrays = np.random.default_rng(0).integers(0, 256, (4, 5, 7, channels), dtype=np.uint8)  # odd sides
    source, out = RawSource(io.BytesIO(arrays.tobytes()), (5, 7), pixels), io.BytesIO()
    writer = RawWriter(out)
    for number, picture in enumerate(source):
        assert (picture.time, picture.duration) == (number, 1)
        writer.picture(picture)
    assert out.getvalue() == arrays.tobytes() and writer.frames == 4 and source.warning is None


def test_gray_is_one_byte_of_a_pixel():
    out = io.BytesIO()
    RawWriter(out).picture(Picture(np.arange(6, dtype=np.uint8).reshape(3, 2).T, 0, 1))
    assert out.getvalue() == bytes([0, 2, 4, 1, 3, 5])


def test_a_part_of_a_picture_at_the_end_is_told():
    source = RawSource(io.BytesIO(bytes(2 * 12 + 5)), (2, 2))
    assert len(list(source)) == 2 and "ends within a picture: 5 of 12 bytes" in source.warning


@pytest.mark.parametrize(("size", "pixels"), [((0, 4), "rgb24"), ((4, 4), "yuv420p")])
def test_sizes_and_pixels_that_cannot_be(size, pixels):
    with pytest.raises(VideoError, match="stdin: pictures are 1×1 at least, of rgb24 or rgba"):
        RawSource(io.BytesIO(), size, pixels)
