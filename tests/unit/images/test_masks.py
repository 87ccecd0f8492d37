"""What masks are understood, and which are refused with the file and the remedy."""

import io
import pickle
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from inspyrenet.data.images.mask_layers import MaskError
from inspyrenet.data.images.masks import Coding, coding_of, read_mask, survey
from inspyrenet.data.images.read import ImageError

SHAPE = np.zeros((24, 40), np.uint8)
SHAPE[6:18, 10:30] = 255
SOFT = cv2.GaussianBlur(SHAPE, (0, 0), 2)
INSIDE = SHAPE > 0
EMPTY = np.zeros_like(SHAPE)
VOC = bytes([0, 0, 0, 128, 0, 0, 0, 128, 0, 128, 128, 0])


def encoded(image, kind="PNG", **options) -> bytes:
    buffer = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(buffer, kind, **options)
    return buffer.getvalue()


def in_palette(indices, palette) -> Image.Image:
    image = Image.fromarray(indices)
    image.putpalette(bytes(palette))
    return image


def labels(value, palette=None) -> Image.Image:
    indices = np.uint8(INSIDE * value)
    return Image.fromarray(indices) if palette is None else in_palette(indices, palette)


def colored(color, ground=(0, 0, 0)) -> np.ndarray:
    return np.where(INSIDE[..., None], np.uint8(color), np.uint8(ground))


def with_alpha(color, alpha) -> np.ndarray:
    return np.dstack([color, alpha])


def deep_png(array) -> bytes:
    return cv2.imencode(".png", array)[1].tobytes()


def few_bits(values, depth) -> bytes:
    """A gray PNG with 2 or 4 bits, which Pillow does not write."""
    rows = np.packbits(np.unpackbits(values[..., None], axis=2)[..., -depth:].reshape(len(values), -1), axis=1)
    lines = b"".join(b"\0" + row.tobytes() for row in rows)
    head = struct.pack(">IIBBBBB", values.shape[1], values.shape[0], depth, 0, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", zlib.compress(lines)), (b"IEND", b"")]
    parts = [
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def array_file(array) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def photo() -> np.ndarray:
    y, x = np.mgrid[:24, :40]
    return np.stack([x * 6, y * 9, x + y], axis=2).astype(np.uint8)


RED, WHITE, BLACK = colored((255, 0, 0)), np.full((24, 40, 3), 255, np.uint8), np.zeros((24, 40, 3), np.uint8)
DEEP = SHAPE.astype(np.uint16)
BINARY = {
    "0 and 255": encoded(SHAPE),
    "JPEG": encoded(np.kron(SHAPE, np.ones((8, 8), np.uint8)), "JPEG", quality=100),
    "1 bit": encoded(Image.fromarray(SHAPE).convert("1")),
    "1 bit BMP": encoded(Image.fromarray(SHAPE).convert("1"), "BMP"),
    "1 bit TIFF": encoded(Image.fromarray(SHAPE).convert("1"), "TIFF", compression="group4"),
    "1 bit PBM": encoded(Image.fromarray(SHAPE).convert("1"), "PPM"),
    "2 bits, black and white": few_bits(np.uint8(INSIDE) * 3, 2),
    "0 and 1": encoded(labels(1)),
    "0 and 2": encoded(labels(2)),
    "label 20": encoded(labels(20)),
    "palette": encoded(labels(1, VOC)),
    "palette, third color": encoded(labels(3, VOC)),
    "palette, 1 bit": encoded(labels(1, VOC[:6]), bits=1),
    "palette, black and white": encoded(labels(1, bytes([0, 0, 0, 255, 255, 255]))),
    "palette, white first": encoded(in_palette(np.uint8(~INSIDE), [255, 255, 255, 0, 0, 0])),
    "palette of one color": encoded(labels(1, bytes(6))),
    "palette, transparent ground": encoded(labels(1, VOC), transparency=0),
    "gray RGB": encoded(colored((255, 255, 255))),
    "red": encoded(RED),
    "dark red": encoded(colored((128, 0, 0))),
    "label in red": encoded(colored((1, 0, 0))),
    "pink": encoded(colored((224, 100, 192))),
    "white with alpha": encoded(with_alpha(WHITE, SHAPE)),
    "black with alpha": encoded(with_alpha(BLACK, SHAPE)),
    "red on transparent black": encoded(with_alpha(RED, SHAPE)),
    "gray and alpha": encoded(with_alpha(WHITE, SHAPE)[..., 2:]),
    "opaque RGBA": encoded(with_alpha(colored((255, 255, 255)), np.full_like(SHAPE, 255))),
    "alpha of 0 and 1": encoded(with_alpha(WHITE, SHAPE // 255)),
    "16 bit, 0 and 1": encoded(DEEP // 255),
    "16 bit, 0 and 255": encoded(DEEP),
    "16 bit, 0 and 65535": encoded(DEEP * 257),
    "16 bit TIFF": encoded(DEEP * 257, "TIFF"),
    "16 bit RGB, 0 and 255": deep_png(np.dstack([DEEP] * 3)),
    "16 bit RGB": deep_png(np.dstack([DEEP * 257] * 3)),
    "16 bit alpha": deep_png(np.dstack([DEEP * 0, DEEP * 0, DEEP * 0, DEEP * 257])),
    "32 bit integers": encoded(SHAPE.astype(np.int32) // 255, "TIFF"),
    "float": encoded(SHAPE.astype(np.float32) / 255, "TIFF"),
    "float, 0 and 255": encoded(SHAPE.astype(np.float32), "TIFF"),
    "array of bool": array_file(INSIDE),
    "array of labels": array_file(INSIDE.astype(np.int64)),
}


@pytest.mark.parametrize("name", BINARY)
def test_each_coding_of_one_shape_is_read_as_that_shape(name):
    data = BINARY[name]
    expected = SHAPE if name != "JPEG" else np.kron(SHAPE, np.ones((8, 8), np.uint8))
    coding = coding_of([("a.png", survey(data)), ("empty.png", survey(encoded(EMPTY)))])
    for mask in (read_mask(data), read_mask(data, pickle.loads(pickle.dumps(coding)))):
        assert mask.dtype == np.uint8 and mask.flags.c_contiguous
        np.testing.assert_array_equal(mask, expected)
    assert (coding.count, coding.empty) == (2, 1)


SOFT_FILES = {
    "8 bit": (encoded(SOFT), 0),
    "RGB": (encoded(np.dstack([SOFT] * 3)), 0),
    "gray palette": (encoded(Image.fromarray(SOFT).convert("P")), 0),
    "16 bit": (encoded(SOFT.astype(np.uint16) * 257), 0),
    "16 bit of 0 to 255": (encoded(SOFT.astype(np.uint16)), 0),
    "float": (encoded(SOFT.astype(np.float32) / 255, "TIFF"), 0),
    "float array": (array_file(SOFT / 255), 0),
    "alpha": (encoded(with_alpha(WHITE, SOFT)), 0),
    "premultiplied": (encoded(np.dstack([SOFT] * 4)), 0),
    "red": (encoded(np.dstack([SOFT, EMPTY, EMPTY])), 0),
    "JPEG": (encoded(SOFT, "JPEG", quality=95), 4),
    "color JPEG": (encoded(np.dstack([SOFT] * 3), "JPEG", quality=95), 4),
    "WebP": (encoded(np.dstack([SOFT] * 3), "WEBP", quality=90), 16),
}


@pytest.mark.parametrize("name", SOFT_FILES)
def test_soft_masks_keep_their_values(name):
    data, tolerance = SOFT_FILES[name]
    assert np.abs(read_mask(data).astype(int) - SOFT).max() <= tolerance
    assert coding_of([("a", survey(data))]).label == 0


@pytest.mark.parametrize("values", [SHAPE, SOFT, EMPTY, SHAPE | 255])
@pytest.mark.parametrize("options", [{}, {"optimize": True}, {"dpi": (72, 72)}])
def test_gray_files_are_read_bit_for_bit_as_pillow_does(values, options):
    data = encoded(values, **options)
    np.testing.assert_array_equal(read_mask(data), np.asarray(Image.open(io.BytesIO(data))))


def several(*values) -> np.ndarray:
    array = EMPTY.copy()
    for row, value in enumerate(values):
        array[row * 2 : row * 2 + 2] = value
    return array


REFUSED = {
    "several labels": (several(0, 1, 2), "0, 1 and 2"),
    "labels without a ground": (several(*[1] * 6, *[2] * 6), "1 and 2"),
    "labels and void": (several(0, 1, 255), "border"),
    "labels and void in a palette": (
        in_palette(several(0, 1, 255), VOC + bytes(3 * 251) + bytes([224, 224, 192])),
        "border",
    ),
    "several labels in a palette": (in_palette(several(0, 1, 2), VOC), "0, 1 and 2"),
    "a gray level": (several(0, 38), "0 and 38"),
    "high labels and void": (several(0, 3, 17, 90, 255), "border"),
    "high labels": (several(0, 3, 17, 87, 142), "ends at 142"),
    "instances": (np.arange(960, dtype=np.uint8).reshape(24, 40) % 201, "ends at 200"),
    "2 bits": (few_bits(np.uint8(INSIDE) * 2, 2), "of 2 bits"),
    "4 bits": (few_bits(several(0, 1, 7, 15), 4), "of 4 bits"),
    "a transparent object": (with_alpha(colored((255, 255, 255)), 255 - SHAPE), "picture with transparency"),
    "a ground that is half transparent": (with_alpha(WHITE, SHAPE | 128), "picture with transparency"),
    "a palette that is red first": (in_palette(np.uint8(~INSIDE), [255, 255, 255, 255, 0, 0]), "index 0 is not black"),
    "too dark": (SOFT // 3, "may be labels"),
    "too dark for 16 bits": (SOFT.astype(np.uint16) * 4, "may be labels"),
    "several colors": (np.where((np.arange(40) < 20)[:, None], RED, RED[..., ::-1]), "several colors"),
    "classes in one hue": (np.dstack([several(0, 64, 192), EMPTY, EMPTY]), "several colors"),
    "two colors without black": (colored((255, 0, 0), (0, 0, 255)), "several colors"),
    "a photograph": (photo(), "several colors"),
    "a cut-out": (with_alpha(photo(), SHAPE), "alpha channel"),
    "an opaque photograph": (with_alpha(photo(), EMPTY + 255), "several colors"),
    "a palette that starts with the object": (labels(1, [255, 0, 0, 0, 0, 0]), "index 0 is not black"),
    "values without a scale": (SOFT.astype(np.float32) * 9, "floating point values are 0..1"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_certain_is_refused_with_file_and_remedy(name, tmp_path):
    image, message = REFUSED[name]
    path = tmp_path / "mask.tiff"
    data = image if isinstance(image, bytes) else encoded(image, "TIFF" if "scale" in name else "PNG")
    path.write_bytes(data)
    with pytest.raises(ImageError, match=r"mask\.tiff.*" + message + ".*save"):
        read_mask(path)


def layers(**files):
    return [(f"{name}.png", survey(data if isinstance(data, bytes) else encoded(data))) for name, data in files.items()]


CONTRADICTIONS = {
    "0 and 1 among 0 and 255": {"a": SHAPE, "b": labels(1)},
    "0 and 1 among soft": {"a": SOFT, "b": labels(1)},
    "a gray level among 0 and 255": {"a": SHAPE, "b": several(0, 40)},
    "gray levels among 0 and 255": {"a": SHAPE, "b": several(0, 200)},
    "two labels": {"a": labels(1), "b": labels(2)},
    "two labels of a palette": {"a": labels(1, VOC), "b": labels(2, VOC)},
    "palette among 0 and 255": {"a": SHAPE, "b": labels(1, VOC)},
    "two colors": {"a": RED, "b": RED[..., ::-1].copy()},
    "red and white": {"a": RED, "b": SHAPE},
    "two scales of 16 bit": {"a": SOFT.astype(np.uint16), "b": SOFT.astype(np.uint16) * 257},
    "alpha, and opaque black": {"a": with_alpha(BLACK, SHAPE), "b": with_alpha(BLACK, EMPTY + 255)},
}


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_files_that_contradict_each_other_are_both_named(name):
    for files in (CONTRADICTIONS[name], dict(reversed(CONTRADICTIONS[name].items()))):
        with pytest.raises(MaskError) as caught:
            coding_of(layers(**files, empty=EMPTY))
        assert "a.png" in str(caught.value) and "b.png" in str(caught.value) and "save the masks" in str(caught.value)


SAID = {
    "2 masks of 0 and 255, 1 of them empty": {"a": SHAPE, "b": EMPTY},
    "3 masks of soft values, 0 to 255": {"a": SHAPE, "b": several(0, 128, 255), "c": BINARY["16 bit, 0 and 65535"]},
    "2 masks of soft values, 0 to 255, 1 of them empty": {
        "a": several(0, 3, 90, 200, 255),
        "faint": several(0, 2, 3, 4, 5),
    },
    "1 mask of 0 and 1": {"a": labels(1)},
    "2 masks of 0 and 1": {"a": labels(1), "full": EMPTY + 1},
    "1 mask of the palette indices 0 and 3": {"a": labels(3, VOC)},
    "1 mask of the color (128, 0, 0) on black": {"a": colored((128, 0, 0))},
    "2 masks in the alpha channel, 1 of them empty": {"a": with_alpha(BLACK, SHAPE), "b": with_alpha(BLACK, EMPTY)},
    "2 masks of 0 and 255": {"a": SHAPE, "full": EMPTY + 255},
    "1 mask of 0 and 255, 1 of them empty": {"a": EMPTY},
}


@pytest.mark.parametrize("text", SAID)
def test_it_is_said_what_a_set_was_taken_for(text):
    assert str(coding_of(layers(**SAID[text]))) == text


def test_a_file_that_changed_after_the_set_was_looked_at_is_refused():
    with pytest.raises(MaskError, match="holds 0 and 255 but its set was taken for masks of 0 and 1"):
        read_mask(encoded(SHAPE), coding_of(layers(a=labels(1))))
    with pytest.raises(MaskError, match="holds 0 and 1 but"):
        read_mask(encoded(labels(1, VOC)), Coding())


def test_damage_in_the_middle_of_a_plain_png_is_found():
    noise = np.random.default_rng(0).integers(0, 2, (64, 64), np.uint8) * 255
    data = bytearray(encoded(noise))
    data[len(data) // 2] ^= 0x55
    with pytest.raises(ImageError, match="damaged"):
        read_mask(bytes(data))
