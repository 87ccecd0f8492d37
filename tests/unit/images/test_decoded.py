"""What the reader keeps beside the colors: transparency, profile, resolution, EXIF."""

import io
import pickle

import cv2
import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms

from inspyrenet.data.images.decoded import decode, read_decoded
from inspyrenet.data.images.read import read_image
from tests.profiles import gray, wide_gamut

COLORS = np.random.default_rng(0).integers(0, 256, (6, 9, 3), np.uint8)
ALPHA = np.random.default_rng(1).integers(0, 256, (6, 9), np.uint8)
RGBA = np.dstack([COLORS, ALPHA])


def encoded(image, kind="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


# -- transparency -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_alpha_and_the_colors_below_it(kind):
    image = read_decoded(encoded(Image.fromarray(RGBA), kind, **{"lossless": True, "exact": True}))
    assert np.array_equal(image.alpha, ALPHA) and np.array_equal(image.array, COLORS)


def test_nothing_transparent_is_no_alpha():
    image = read_decoded(encoded(Image.fromarray(COLORS).convert("RGBA")))
    assert image.alpha is None and np.array_equal(image.array, COLORS)


@pytest.mark.parametrize("channels", ["RGBA", "LA"])
def test_16_bit_alpha(channels):
    deep = np.dstack([COLORS, ALPHA]).astype(np.uint16) * 257
    if channels == "LA":
        deep[..., :3] = deep[..., :1]
    ok, data = cv2.imencode(".png", deep[..., [2, 1, 0, 3]])
    image = read_decoded(data.tobytes())
    assert ok and np.array_equal(image.alpha, ALPHA) and np.array_equal(image.array, deep[..., :3] // 257)


def test_gray_with_alpha_and_a_transparent_color_and_a_palette():
    both = Image.merge("LA", [Image.fromarray(COLORS[..., 0]), Image.fromarray(ALPHA)])
    image = read_decoded(encoded(both))
    assert np.array_equal(image.alpha, ALPHA) and np.array_equal(image.array[..., 1], COLORS[..., 0])
    key = read_decoded(encoded(Image.fromarray(COLORS), transparency=tuple(map(int, COLORS[2, 3]))))
    assert key.alpha[2, 3] == 0 and (key.alpha == 255).sum() == 53 and np.array_equal(key.array, COLORS)
    palette = Image.fromarray(COLORS).quantize(4)
    hidden = np.asarray(palette) == 1
    for options in ({"transparency": 1}, {"transparency": bytes([255, 0, 255, 255])}):
        assert np.array_equal(read_decoded(encoded(palette, **options)).alpha == 0, hidden)
    assert np.array_equal(read_decoded(encoded(palette, "GIF", transparency=1)).alpha == 0, hidden)


def test_premultiplied_colors_are_divided_again():
    solid = np.full((4, 5, 3), (200, 100, 40), np.uint8)
    alpha = np.full((4, 5), 128, np.uint8)
    image = Image.fromarray(np.dstack([solid, alpha])).convert("RGBa")
    found = decode(image)
    assert np.array_equal(found.alpha, alpha) and np.abs(found.array.astype(int) - solid).max() <= 1


def test_orientation_turns_alpha_too():
    exif = Image.Exif()
    exif[0x0112] = 6
    image = read_decoded(encoded(Image.fromarray(RGBA), exif=exif))
    assert np.array_equal(np.dstack([image.array, image.alpha]), np.rot90(RGBA, -1))


def test_it_goes_to_other_processes():
    image = read_decoded(encoded(Image.fromarray(RGBA), dpi=(300, 150), icc_profile=wide_gamut()))
    again = pickle.loads(pickle.dumps(image))
    assert np.array_equal(again.alpha, ALPHA) and again.metadata == image.metadata


# -- color --------------------------------------------------------------------------------------------------------


def test_a_wide_gamut_is_kept_and_can_become_srgb():
    disc = Image.new("RGB", (8, 6), (230, 40, 40))
    image = read_decoded(encoded(disc, icc_profile=wide_gamut()))
    assert tuple(image.array[0, 0]) == (230, 40, 40) and image.metadata.icc == wide_gamut()
    assert np.abs(image.srgb().array[0, 0].astype(int) - (252, 0, 5)).max() <= 2
    assert image.srgb().metadata.icc is None


def test_pixels_in_srgb_are_not_touched():
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    image = read_decoded(encoded(Image.fromarray(COLORS), icc_profile=profile))
    assert image.metadata.icc == profile and np.array_equal(image.srgb().array, COLORS)


def test_gray_of_its_own_gamma_becomes_srgb():
    image = read_decoded(encoded(Image.new("L", (4, 3), 55), icc_profile=gray(1.0)))
    assert image.metadata.icc is None
    assert np.abs(image.array.astype(int) - 128).max() <= 2  # 55 / 255 of the light is 128 in sRGB
    with_alpha = Image.merge("LA", [Image.new("L", (4, 3), 55), Image.new("L", (4, 3), 90)])
    image = read_decoded(encoded(with_alpha, icc_profile=gray(1.0)))
    assert abs(int(image.array[0, 0, 0]) - 128) <= 2 and image.alpha[0, 0] == 90


@pytest.mark.parametrize(
    ("mode", "profile"),
    [("RGB", b"no profile at all"), ("RGB", wide_gamut()[:200]), ("RGB", gray()), ("CMYK", wide_gamut())],
)
def test_a_profile_that_cannot_be_used_is_said_once_and_left_out(mode, profile, caplog):
    data = encoded(Image.fromarray(COLORS).convert(mode), "TIFF", icc_profile=profile)
    image = read_decoded(data)
    assert image.metadata.icc is None and np.array_equal(image.array, read_image(data))
    assert [record.message for record in caplog.records if "color profile" in record.message] == [
        "image bytes: its color profile cannot be used and is left out; colors are taken as sRGB"
    ]


def test_cmyk_without_a_profile_is_read_as_everywhere():
    data = encoded(Image.fromarray(COLORS).convert("CMYK"), "TIFF")
    assert np.array_equal(read_decoded(data).array, read_image(data))


# -- resolution and EXIF ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "BMP"])
def test_dpi(kind):
    image = read_decoded(encoded(Image.fromarray(COLORS), kind, dpi=(300, 150)))
    assert image.metadata.dpi == pytest.approx((300, 150), abs=0.05)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "JPEG"])
def test_no_dpi_is_made_up(kind):
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    data = (
        encoded(Image.fromarray(COLORS), kind, exif=exif) if kind == "JPEG" else encoded(Image.fromarray(COLORS), kind)
    )
    if kind == "JPEG":  # without JFIF's own block, as cameras write it
        start = data.index(b"\xff\xe0")
        data = data[:start] + data[start + 2 + int.from_bytes(data[start + 2 : start + 4], "big") :]
    assert read_decoded(data).metadata.dpi is None


def test_transparency_of_every_color_of_a_palette_is_read():
    alpha = np.repeat(np.where(np.arange(COLORS.shape[1]) < 5, np.uint8(0), np.uint8(255))[None], len(COLORS), axis=0)
    image = Image.fromarray(np.dstack([np.full_like(COLORS, 200), alpha])).quantize(4)
    assert image.mode == "P" and "transparency" not in image.info
    assert np.array_equal(decode(image).alpha, alpha)


def test_dpi_turns_with_the_image():
    exif = Image.Exif()
    exif[0x0112] = 8
    assert read_decoded(encoded(Image.fromarray(COLORS), "JPEG", dpi=(300, 150), exif=exif)).metadata.dpi == (150, 300)


def full_exif():
    """As a camera writes it, with all that must not be kept."""
    exif = Image.Exif()
    exif.update({0x010F: "Maker", 0x8298: "me", 0x0112: 6, 0x0132: "2024:05:06 07:08:09", 0x9286: b"x"})
    details = exif.get_ifd(ExifTags.IFD.Exif)
    details.update({0x9003: "2024:05:06 07:08:09", 0x920A: 35.0, 0x927C: b"preview" * 9, 0xA002: 9, 0xA003: 6})
    exif.get_ifd(ExifTags.IFD.GPSInfo).update({1: "N", 2: (52.0, 31.0, 0.0)})
    return exif


def test_exif_says_what_it_said_but_shows_nothing():
    from tests.exif_thumbnail import with_thumbnail

    data = encoded(Image.fromarray(COLORS), "JPEG", exif=with_thumbnail(full_exif()))
    assert Image.open(io.BytesIO(data)).getexif().get_ifd(ExifTags.IFD.IFD1)  # the thumbnail is there
    block = read_decoded(data).metadata.exif
    exif = Image.Exif()
    exif.load(block)
    assert (exif[0x010F], exif[0x8298], exif[0x0112], exif[0x0132]) == ("Maker", "me", 1, "2024:05:06 07:08:09")
    details = exif.get_ifd(ExifTags.IFD.Exif)
    assert (details[0x920A], details[0xA002], details[0xA003]) == (35.0, 6, 9)  # turned by a quarter
    assert exif.get_ifd(ExifTags.IFD.GPSInfo)[1] == "N"
    assert not exif.get_ifd(ExifTags.IFD.IFD1) and 0x927C not in details
    assert b"preview" not in block and b"\xff\xd8" not in block


def test_no_exif_and_damaged_exif(caplog):
    assert read_decoded(encoded(Image.fromarray(COLORS), "JPEG")).metadata.exif is None
    damaged = encoded(Image.fromarray(COLORS), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    assert read_decoded(damaged).metadata.exif is None
