"""Reading and writing image files of every kind."""

import errno
import io
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageFile, ImageOps, PngImagePlugin

from inspyrenet.data.images import bounds
from inspyrenet.data.images.decoded import read_decoded
from inspyrenet.data.images.encode import FORMATS, write_picture
from inspyrenet.data.images.encode import encode as encode_picture
from inspyrenet.data.images.headers import parse
from inspyrenet.data.images.masks import read_mask
from inspyrenet.data.images.read import ImageError, find_images, orientation_of, pixels_of, read_image, upright_size
from inspyrenet.data.images.write import write_map

RAMP = np.linspace(0, 255, 24 * 32).astype(np.uint8).reshape(24, 32)
COLOR = np.stack([RAMP, RAMP[::-1], RAMP[:, ::-1]], axis=2)


def encode(image, kind="PNG", **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def smooth_photo(height=48, width=64):
    y, x = np.mgrid[:height, :width]
    return Image.fromarray(np.stack([x * 3, y * 4, x + y], axis=2).astype(np.uint8))


def test_rgb_is_returned_unchanged_from_path_string_bytes_and_stream(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(encode(Image.fromarray(COLOR)))
    for source in (path, str(path), path.read_bytes(), io.BytesIO(path.read_bytes())):
        image = read_image(source)
        assert image.dtype == np.uint8
        assert image.flags.c_contiguous
        np.testing.assert_array_equal(image, COLOR)


@pytest.mark.parametrize("mode", ["L", "LA", "1"])
def test_gray_modes_become_equal_channels_and_exact_masks(mode):
    gray = Image.fromarray(RAMP if mode != "1" else np.where(RAMP > 99, 255, 0).astype(np.uint8))
    stored = gray.convert(mode)
    data = encode(stored)
    np.testing.assert_array_equal(read_image(data), np.repeat(np.asarray(gray)[..., None], 3, axis=2))
    np.testing.assert_array_equal(read_mask(data), np.asarray(gray))


def test_alpha_is_dropped_not_composited():
    data = encode(Image.fromarray(np.dstack([COLOR, np.zeros_like(RAMP)])))
    np.testing.assert_array_equal(read_image(data), COLOR)


@pytest.mark.filterwarnings("error")
def test_palette_with_transparency():
    image = Image.fromarray(COLOR).quantize(16)
    expected = np.asarray(image.convert("RGB"))
    data = encode(image, transparency=bytes([0, 100, 255]))
    np.testing.assert_array_equal(read_image(data), expected)


def test_cmyk_jpeg_has_the_colors_of_the_rgb_one():
    photo = smooth_photo()
    data = encode(photo.convert("CMYK"), "JPEG", quality=95)
    difference = np.abs(read_image(data).astype(int) - np.asarray(photo))
    assert difference.mean() < 3


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bit_gray_is_scaled_not_clipped(kind):
    values = RAMP.astype(np.uint16) * 257
    data = encode(Image.fromarray(values), kind)
    np.testing.assert_array_equal(read_mask(data), RAMP)
    np.testing.assert_array_equal(read_image(data)[..., 2], RAMP)


@pytest.mark.parametrize(("extension", "alpha"), [(".png", False), (".png", True), (".tiff", False)])
def test_16_bit_color_is_rounded(extension, alpha):
    nearby = COLOR[..., ::-1].astype(int) * 257 + np.where(RAMP % 2, 100, -100)[..., None]  # BGR, off each level
    deep = np.clip(nearby, 0, 65535).astype(np.uint16)
    deep = np.dstack([deep, np.full_like(RAMP, 9, np.uint16)]) if alpha else deep
    ok, data = cv2.imencode(extension, deep)
    assert ok
    np.testing.assert_array_equal(read_image(data.tobytes()), COLOR)


def test_floating_point_tiff_in_0_to_1_and_out_of_range():
    data = encode(Image.fromarray(RAMP.astype(np.float32) / 255), "TIFF")
    np.testing.assert_array_equal(read_mask(data), RAMP)
    np.testing.assert_array_equal(read_image(data), np.repeat(RAMP[..., None], 3, axis=2))
    for values in (RAMP - 99.0, RAMP * 1.0, RAMP / 254, np.full((4, 4), np.nan)):
        data = encode(Image.fromarray(values.astype(np.float32)), "TIFF")
        for read in (read_image, read_mask):
            with pytest.raises(ImageError, match=r"floating point values are 0\.\.1"):
                read(data)


def test_a_tiff_of_floating_point_colors_is_refused_by_name():
    ok, data = cv2.imencode(".tiff", COLOR.astype(np.float32) / 255)
    assert ok
    with pytest.raises(ImageError, match="floating point colors"):
        read_image(data.tobytes())


def test_an_image_that_asks_for_absurd_work_is_refused():
    """A JPEG whose last pass over the pixels is repeated a thousand times."""
    data = encode(Image.fromarray(COLOR), "JPEG", progressive=True)
    start = data.rfind(b"\xff\xda")
    with pytest.raises(ImageError, match="64 scans"):
        read_image(data[:start] + data[start:-2] * 1000 + b"\xff\xd9")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_orientation_in_xmp_alone_turns_nothing_as_in_browsers(tmp_path, kind):
    xmp = '<x:xmpmeta xmlns:x="adobe:ns:meta/"><r:Description tiff:Orientation="6"/></x:xmpmeta>'
    text = PngImagePlugin.PngInfo()
    text.add_itxt("XML:com.adobe.xmp", xmp)
    data = encode(smooth_photo(), kind, **({"pnginfo": text} if kind == "PNG" else {"xmp": xmp.encode()}))
    assert Image.open(io.BytesIO(data)).getexif()[0x0112] == 6  # Pillow sees it
    path = tmp_path / "photo"
    path.write_bytes(data)
    assert upright_size(path) == read_image(path).shape[:2] == (48, 64)


def test_orientation_that_was_changed_in_memory_counts():
    exif = Image.Exif()
    exif[0x0112] = 6
    image = Image.open(io.BytesIO(encode(smooth_photo(), "JPEG", exif=exif)))
    assert orientation_of(image) == 6
    del image.getexif()[0x0112]
    assert orientation_of(image) == 1


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_orientation_is_applied_to_image_mask_and_size(tmp_path, orientation, kind):
    photo = smooth_photo()
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"a.{kind.lower()}"
    options = {"quality": 95} if kind == "JPEG" else {"lossless": True} if kind == "WEBP" else {}
    photo.save(path, kind, exif=exif, **options)
    with Image.open(path) as stored:
        stored.load()
        expected = np.asarray(ImageOps.exif_transpose(stored).convert("RGB"))
    assert expected.shape[:2] == ((48, 64) if orientation < 5 else (64, 48))
    np.testing.assert_array_equal(read_image(path), expected)
    ImageOps.autocontrast(photo.convert("L")).save(tmp_path / f"mask.{kind.lower()}", kind, exif=exif, **options)
    assert read_mask(tmp_path / f"mask.{kind.lower()}").shape == expected.shape[:2]
    assert upright_size(path) == expected.shape[:2]


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_damaged_exif_counts_as_upright(tmp_path):
    data = encode(smooth_photo(), "JPEG")
    block = b"Exif\0\0" + b"II*\0\xff\xff\xff\x7f"
    broken = data[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + data[2:]
    (tmp_path / "a.jpg").write_bytes(broken)
    assert read_image(broken).shape == (48, 64, 3)
    assert upright_size(tmp_path / "a.jpg") == (48, 64)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "TIFF"])
def test_truncated_files_are_found_on_checking_and_on_reading(tmp_path, kind):
    whole = encode(Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)), kind)
    path = tmp_path / f"cut.{kind.lower()}"
    path.write_bytes(whole[: len(whole) * 6 // 10])
    with pytest.raises(ImageError, match=r"cut\.\w+"):
        read_image(path)
    with pytest.raises(ImageError, match=r"cut\.\w+"):
        upright_size(path)


def test_trailing_bytes_do_not_make_a_file_bad(tmp_path):
    for kind in ("JPEG", "PNG"):
        path = tmp_path / f"a.{kind.lower()}"
        path.write_bytes(encode(smooth_photo(), kind) + b"\0" * 40)
        assert upright_size(path) == (48, 64)


@pytest.mark.parametrize(
    ("content", "message"), [(b"", "0 bytes"), (b"<html>not found</html>", "not an image"), (b"\xff\xd8", "image")]
)
def test_files_that_are_no_images_say_so(tmp_path, content, message):
    path = tmp_path / "page.jpg"
    path.write_bytes(content)
    for read in (read_image, read_mask, upright_size):
        with pytest.raises(ImageError, match=message) as caught:
            read(path)
        assert str(path) in str(caught.value)


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(ImageError, match="no such file"):
        read_image(tmp_path / "none.png")
    with pytest.raises(ImageError, match="cannot be read"):
        read_image(tmp_path)
    with pytest.raises(ImageError, match="no such folder"):
        find_images(tmp_path / "none")


def huge_png(width, height):
    """A PNG of 70 bytes that claims any size."""

    def chunk(name, body):
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize("size", [(1, 49_000_000), (49_000_000, 1), (200_001, 1), (1, 200_001)])
def test_thin_images_are_refused_by_their_header(tmp_path, size):
    path = tmp_path / "thin.png"
    path.write_bytes(huge_png(*size))
    for read in (read_image, read_mask, read_decoded, upright_size):
        with pytest.raises(ImageError, match=r"thin\.png: .* side of more than 200000 pixels.*in parts first"):
            read(path)


def test_panoramas_are_read():
    wide = np.arange(100_000 * 3, dtype=np.uint8).reshape(1, 100_000, 3)
    np.testing.assert_array_equal(read_image(encode(Image.fromarray(wide))), wide)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "1", "P", "CMYK"])
def test_bands_give_what_the_whole_gives(monkeypatch, mode):
    monkeypatch.setattr(bounds, "BAND", 100)
    image = smooth_photo().convert(mode)
    for target in ("RGB", "L"):
        np.testing.assert_array_equal(pixels_of(image, target), np.asarray(image.convert(target)))


def test_bombs_are_refused_before_decoding_and_pillow_is_left_as_it_was(tmp_path):
    before = Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES
    path = tmp_path / "bomb.png"
    path.write_bytes(huge_png(20000, 20000))
    for read in (read_image, read_mask, upright_size):
        with pytest.raises(ImageError, match=r"bomb\.png.*scale the image down"):
            read(path)
    with pytest.raises(ImageError, match="limit"):
        read_image(encode(smooth_photo()), max_pixels=1000)
    assert before == (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES)


@pytest.mark.parametrize("place", ["open", "load"])
@pytest.mark.parametrize(
    "error",
    [NotImplementedError("DDS bits"), RuntimeError("AVIF"), IndexError("index out of range"), struct.error("short"),
     zlib.error("bad block"), OverflowError("int"), KeyError(273), AssertionError(), RecursionError("deep"),
     MemoryError(), Image.DecompressionBombError("too large"), Image.DecompressionBombWarning("large")],
    ids=lambda error: type(error).__name__,
)  # fmt: skip
def test_whatever_a_decoder_raises_is_an_error_of_the_image(tmp_path, monkeypatch, place, error):
    def fail(*args, **options):
        raise error

    path = tmp_path / "a.gif"
    path.write_bytes(encode(smooth_photo(), "GIF"))
    monkeypatch.setattr(*((Image, "open") if place == "open" else (ImageFile.ImageFile, "load")), fail)
    for read in (read_image, read_mask):
        with pytest.raises(ImageError, match=r"a\.gif: .*(damaged|too large|memory)") as caught:
            read(path)
        assert caught.value.__cause__ is error


def test_damaged_tags_of_any_class_are_an_error_of_the_image(tmp_path):
    path = tmp_path / "a.tif"
    path.write_bytes(
        encode(smooth_photo(), "TIFF").replace(struct.pack("<HHI", 273, 4, 1), struct.pack("<HHI", 273, 2, 1))
    )
    with pytest.raises(ImageError, match=r"a\.tif"):
        upright_size(path)


def test_animation_gives_the_first_frame():
    frames = [Image.fromarray(np.full((8, 9), value, np.uint8)) for value in (10, 200)]
    data = encode(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert (read_image(data) == 10).all()


def test_find_images_is_sorted_recursive_any_case_and_skips_hidden(tmp_path):
    for name in ("b.JPG", "a.jpeg", "sub/c.WebP", "sub/deep/d.Tif", "note.txt", "._b.jpg", ".cache/e.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "sub" / "loop").symlink_to(tmp_path, target_is_directory=True)
    found = [path.relative_to(tmp_path).as_posix() for path in find_images(tmp_path)]
    assert found == ["a.jpeg", "b.JPG", "sub/c.WebP", "sub/deep/d.Tif"]


def test_header_parser_leaves_unknown_bytes_to_others():
    assert parse(b"") is None
    assert parse(b"\xff\xd8" + b"\0" * 50) is None
    assert parse(b"\x89PNG\r\n\x1a\n") is None
    assert parse(b"RIFF0000WEBP") is None
    photo = encode(smooth_photo(), "JPEG", progressive=True)
    header = parse(photo)
    assert (header.height, header.width, header.channels, header.plain) == (48, 64, 3, True)


def test_write_map_makes_folders_and_keeps_values(tmp_path):
    path = tmp_path / "set" / "sub" / "a.png"
    write_map(RAMP, path)
    np.testing.assert_array_equal(read_mask(path), RAMP)
    assert [entry.name for entry in path.parent.iterdir()] == ["a.png"]


def test_write_map_failing_leaves_the_old_file_and_no_rubbish(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    write_map(RAMP, path)

    def full(self, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match=r"a\.png.*No space left"):
        write_map(255 - RAMP, path)
    monkeypatch.undo()
    np.testing.assert_array_equal(read_mask(path), RAMP)
    assert len(list(tmp_path.iterdir())) == 1


def test_write_map_refuses_other_arrays_and_impossible_folders(tmp_path):
    with pytest.raises(ValueError, match="uint8"):
        write_map(RAMP.astype(float), tmp_path / "a.png")
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="cannot write"):
        write_map(RAMP, tmp_path / "file" / "a.png")


@pytest.mark.parametrize("name", FORMATS)
def test_a_file_holds_the_bytes_that_encoding_gives(tmp_path, name):
    picture = np.asarray(smooth_photo())
    write_picture(picture, tmp_path / f"a.{name}")
    assert (tmp_path / f"a.{name}").read_bytes() == encode_picture(picture, name)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
@pytest.mark.parametrize("name", FORMATS)
def test_a_full_disk_keeps_its_number_through_every_encoder(tmp_path, monkeypatch, name):
    noise = np.random.default_rng(0).integers(0, 256, (300, 300, 3), np.uint8)
    monkeypatch.setattr(Path, "open", lambda path, mode: io.FileIO("/dev/full", mode))
    with pytest.raises(OSError, match=r"cannot write .*(No space left on device)") as caught:
        write_picture(noise, tmp_path / f"a.{name}")
    assert caught.value.errno == errno.ENOSPC
