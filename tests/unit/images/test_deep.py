"""Images with 16 bits per color: every bit counts for the rounding, whatever the file's kind. The files are written here."""

import struct
import sys
import zlib

import numpy as np
import pytest

from inspyrenet.data.images.decoded import read_decoded
from inspyrenet.data.images.mask_layers import decode_layer
from inspyrenet.data.images.read import ImageError, read_image

DEEP = np.random.default_rng(7).integers(0, 65536, (23, 31, 4), dtype=np.uint16)
ROUNDED = ((DEEP.astype(np.uint32) + 128) // 257).astype(np.uint8)
WHITE_IS_ZERO, RGB = 0, 2  # its photometric interpretations
UNSPECIFIED, MULTIPLIED, STRAIGHT = 0, 1, 2  # TIFF's extra samples


@pytest.fixture(autouse=True)
def no_opencv(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)


def png(values: np.ndarray, hidden: np.ndarray | None = None, bits: int = 16) -> bytes:
    """hidden: the color that is transparent. bits: of a value, 8 divided by it of them in a byte."""
    height, width, channels = values.shape
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0))]
    if hidden is not None:
        chunks.append((b"tRNS", hidden.astype(">u2").tobytes()))
    if bits == 16:
        lines = [row.astype(">u2").tobytes() for row in values]
    else:
        digits = (values[..., 0, None] >> np.arange(bits)[::-1] & 1).reshape(height, -1)
        lines = [row.tobytes() for row in np.packbits(digits.astype(bool), axis=1)]
    rows = b"".join(b"\0" + line for line in lines)
    chunks += [(b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    parts = [
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def tiff(
    values: np.ndarray,
    order: str = "<",
    extra: int | None = None,
    packed: bool = False,
    planar: bool = False,
    photometric: int = RGB,
    bits: int = 16,
) -> bytes:
    """order: "<" Intel, ">" Motorola. In one strip: planar files only claim to be so. bits: 16, or 12 of a gray image."""
    height, width, channels = values.shape
    body = values.astype(f"{order}u2").tobytes()
    if bits == 12:
        digits = (values[..., 0, None] >> np.arange(12)[::-1] & 1).reshape(height, -1)
        body = np.packbits(digits.astype(bool), axis=1).tobytes()
    body = zlib.compress(body) if packed else body
    tags = {
        256: width,
        257: height,
        258: (bits,) * channels,
        259: 8 if packed else 1,
        262: photometric,
        273: 8,
        277: channels,
        278: height,
    }
    tags |= {279: len(body), 284: 2 if planar else 1} | ({} if extra is None else {338: extra})
    depths = struct.pack(f"{order}{channels}H", *tags[258])
    entries = b""
    for tag, value in tags.items():
        count, number = (channels, 8 + len(body)) if tag == 258 else (1, value)
        if count == 1 and tag == 258:  # a single value stands in the entry itself
            number = bits
        entries += struct.pack(f"{order}HHII", tag, 3 if tag == 258 else 4, count, number)
    head = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HI", 42, 8 + len(body) + len(depths))
    return head + body + depths + struct.pack(f"{order}H", len(tags)) + entries + bytes(4)


FILES = {
    "PNG": (png, {}, 3),
    "PNG with alpha": (png, {}, 4),
    **{
        f"TIFF {order} {extra} {packed}": (tiff, {"order": order, "extra": extra, "packed": packed}, channels)
        for order in "<>"
        for packed in (False, True)
        for extra, channels in ((None, 3), (None, 4), (STRAIGHT, 4))
    },
}


@pytest.mark.parametrize("name", FILES)
def test_colors_and_alpha_are_rounded(name):
    write, options, channels = FILES[name]
    image = read_decoded(write(DEEP[..., :channels], **options))
    np.testing.assert_array_equal(image.array, ROUNDED[..., :3])
    if channels == 3:
        assert image.alpha is None
    else:
        np.testing.assert_array_equal(image.alpha, ROUNDED[..., 3])


def test_gray_with_alpha():
    image = read_decoded(png(DEEP[..., 2:]))
    np.testing.assert_array_equal(image.array, np.repeat(ROUNDED[..., 2:3], 3, axis=2))
    np.testing.assert_array_equal(image.alpha, ROUNDED[..., 3])


def test_one_transparent_color_is_told_by_all_its_bits():
    values = DEEP[..., :3].copy()
    values[5, 6] = values[3, 4] ^ 1
    alpha = read_decoded(png(values, hidden=values[3, 4])).alpha
    assert alpha[3, 4] == 0 and np.count_nonzero(alpha == 255) == alpha.size - 1


@pytest.mark.parametrize("order", "<>")
def test_colors_that_are_multiplied_with_alpha_are_divided(order):
    alpha = np.full((23, 31, 1), 32768, np.uint16)
    image = read_decoded(tiff(np.dstack([DEEP[..., :3] // 2, alpha]), order, MULTIPLIED))
    assert np.abs(image.array.astype(int) - ROUNDED[..., :3]).max() <= 2  # 8 bits of half the brightness
    assert (image.alpha == 128).all()


def test_a_fourth_channel_that_is_not_said_to_be_alpha_is_dropped_as_with_8_bits():
    image = read_decoded(tiff(DEEP, extra=UNSPECIFIED))
    assert image.alpha is None
    np.testing.assert_array_equal(image.array, ROUNDED[..., :3])


def test_one_color_after_the_other_is_refused():
    with pytest.raises(ImageError, match="one color after the other; save it with pixels interleaved"):
        read_image(tiff(DEEP[..., :3], planar=True))


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_the_transparent_gray_of_a_png_is_transparent(bits):
    values = (np.arange(23 * 31).reshape(23, 31, 1) * 7 % 2**bits).astype(np.uint16)
    hidden = values[2, 3]
    image = read_decoded(png(values, hidden, bits))
    assert np.array_equal(image.alpha == 0, values[..., 0] == hidden) and set(np.unique(image.alpha)) == {0, 255}
    assert np.array_equal(image.array[..., 0], np.rint(values[..., 0] * (255 / (2**bits - 1))).astype(np.uint8))


def test_a_deep_gray_tiff_whose_zero_is_white_is_not_negative():
    values = DEEP[..., :1]
    dark, light = (tiff(values, photometric=kind) for kind in (1, WHITE_IS_ZERO))
    assert np.array_equal(read_image(dark)[..., 0], ROUNDED[..., 0])
    assert np.array_equal(read_image(light)[..., 0], 255 - ROUNDED[..., 0])
    mask = tiff((values > 30000).astype(np.uint16) * 65535, photometric=WHITE_IS_ZERO)
    assert np.array_equal(decode_layer(mask, "mask.tif")[0] == 255, values[..., 0] <= 30000)


def test_gray_of_12_bits_is_as_bright_as_of_16():
    values = DEEP[:, :30, :1] >> 4
    expected = np.rint(values[..., 0] * (255 / 4095)).astype(int)
    data = tiff(values, photometric=1, bits=12)
    for found in (read_image(data)[..., 0], read_decoded(data).array[..., 0]):
        assert np.abs(found.astype(int) - expected).max() <= 1
