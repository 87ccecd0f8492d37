"""What is written beside the pixels, in each format, and read again."""

import io

import numpy as np
import pytest
from PIL import ExifTags, Image

from inspyrenet.data.images.decoded import Metadata, read_decoded
from inspyrenet.data.images.encode import encode, write_picture
from tests.profiles import wide_gamut

RED = np.full((6, 9, 3), (230, 40, 40), np.uint8)  # in sRGB (252, 0, 5), where it is meant in `wide_gamut`


def metadata():
    exif = Image.Exif()
    exif.update({0x010F: "Maker", 0x0112: 1})
    exif.get_ifd(ExifTags.IFD.Exif).update({0x920A: 35.0})
    return Metadata(wide_gamut(), (300.0, 150.0), exif.tobytes())


@pytest.mark.parametrize(
    ("name", "channels"), [("png", 3), ("png", 4), ("jpg", 3), ("webp", 3), ("webp", 4), ("tif", 3), ("tif", 4)]
)
def test_profile_resolution_and_exif_are_written(name, channels):
    array = RED if channels == 3 else np.dstack([RED, np.full((6, 9), 200, np.uint8)])
    image = read_decoded(encode(array, name, metadata()))
    assert image.metadata.icc == wide_gamut()
    assert np.abs(image.array.astype(int) - RED).max() <= 2
    assert np.abs(image.srgb().array.astype(int) - (252, 0, 5)).max() <= 8  # one level more of dark blue becomes seven
    assert image.metadata.dpi == (None if name == "webp" else pytest.approx((300, 150), abs=0.05))
    exif = Image.Exif()
    exif.load(image.metadata.exif)
    assert exif[0x010F] == "Maker" and exif[0x0112] == 1 and exif.get_ifd(ExifTags.IFD.Exif)[0x920A] == 35


def test_a_format_without_profiles_gets_srgb():
    image = read_decoded(encode(RED, "bmp", metadata()))
    assert image.metadata.icc is None and image.metadata.dpi == pytest.approx((300, 150), abs=0.05)
    assert np.abs(image.array.astype(int) - (252, 0, 5)).max() <= 2


def test_a_map_has_no_profile_of_colors(tmp_path):
    write_picture(RED[..., 0], tmp_path / "map.png", metadata=metadata())
    assert "icc_profile" not in Image.open(tmp_path / "map.png").info
    assert np.array_equal(np.asarray(Image.open(tmp_path / "map.png")), RED[..., 0])


def test_nothing_is_written_that_was_not_given():
    assert encode(RED) == encode(RED, "png", Metadata())
    assert set(Image.open(io.BytesIO(encode(RED))).info) == set()
