"""Image files of any common kind in, 8-bit arrays out: the one reader for training, testing and applications.

EXIF orientation is applied, 16-bit values are scaled to 8 bits, palettes and CMYK are converted, transparency is
dropped. Whatever cannot be read raises `ImageError` with the file and what to do about it.
"""

import contextlib
import io
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageMode, UnidentifiedImageError
from PIL.TiffImagePlugin import ImageFileDirectory_v2, TiffImageFile

from . import headers
from .bounds import MAX_PIXELS, bands, size_problem
from .cost import TIFF_ORDERS, CostError, check_cost
from .deep import high_and_low, is_planar
from .formats import EXTENSIONS, PLUGINS, PREFIX, load_plugin, pillow_formats, plugin_of

ORIENTATION_TAG = 0x0112
BITS_TAG = 0x0102
PHOTOMETRIC_TAG, WHITE_IS_ZERO = 0x0106, 0

Source = Path | str | bytes | BinaryIO

_ORIENTATIONS: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    2: lambda array: array[:, ::-1],
    3: lambda array: array[::-1, ::-1],
    4: lambda array: array[::-1],
    5: lambda array: array.swapaxes(0, 1),
    6: lambda array: array.swapaxes(0, 1)[:, ::-1],
    7: lambda array: array.swapaxes(0, 1)[::-1, ::-1],
    8: lambda array: array.swapaxes(0, 1)[::-1],
}


class ImageError(ValueError):
    """A file or byte string is not a usable image. The message names it and the remedy."""


class UnknownFormat(ImageError):
    """The file is of a kind that is not read, or not read here."""


def read_image(source: Source, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """An image as a contiguous uint8 array (H, W, 3), RGB, 0..255, upright.

    `source` is a path, the encoded bytes, or a binary file. Of an animation the first frame is taken.
    Raises ImageError where it is missing, empty, damaged, of an unknown kind or larger than `max_pixels`.
    """
    return _read(source, _to_rgb, max_pixels)


def find_images(folder: Path | str) -> list[Path]:
    """Of `find_files`, those whose suffix is an image's."""
    return [path for path in find_files(folder) if path.suffix.lower() in EXTENSIONS]


def find_files(folder: Path | str) -> list[Path]:
    """All files below `folder`, sorted by path.

    Hidden files are left out, linked folders followed once. Raises ImageError where the folder does not exist.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ImageError(f"{folder}: no such folder")
    return sorted(_walk(folder))


def upright_size(path: Path) -> tuple[int, int]:
    """(height, width) of an image file after its orientation is applied, decoding only where a header is not enough.

    Raises ImageError where the file is unreadable or shorter than it says. Damage in its middle is found on reading.
    """
    check_regular(path)
    try:
        header, complete = headers.probe(path)
        if header is None:
            complete = path.stat().st_size > 0
    except OSError as error:
        raise ImageError(f"{path}: cannot be read ({error.strerror or error})") from error
    if complete and header is not None and header.plain:
        check_pixels(str(path), header.width, header.height, MAX_PIXELS)
        return header.height, header.width
    size = _size_without_decoding(path) if complete else None
    if size is None:
        height, width, _ = read_image(path).shape
        size = height, width
    return size


def check_regular(path: Path | str | os.PathLike) -> None:
    """Raises ImageError for a pipe, a socket or a device, which nobody may ever write to. What is not there passes."""
    try:
        mode = Path(path).stat().st_mode
    except (OSError, ValueError):
        return
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise ImageError(f"{path}: is no regular file, but a pipe, a socket or a device; copy it into a file first")


def count_pixels(path: Path | str) -> int:
    """Pixels of an image file by its header; 0 where it cannot be read, which reading it will say."""
    try:
        check_regular(path)
        with decoding(str(path)), _open(Path(path), str(path), MAX_PIXELS) as image:
            return image.width * image.height
    except ImageError:
        return 0


def _size_without_decoding(path: Path) -> tuple[int, int] | None:
    """Size by Pillow's header reader; None where only decoding tells size, orientation or wholeness."""
    with decoding(str(path)), _open(path, str(path), MAX_PIXELS) as image:
        tags = _tiff_tags(image)
        turned = tags is not None and image.getexif().get(ORIENTATION_TAG, 1) != 1  # by XMP as well: Pillow turns these
        if turned or image.format == "PNG" or _declared_length(image, path) > path.stat().st_size:
            return None
        width, height = image.size
        return (width, height) if orientation_of(image) >= 5 else (height, width)


def _tiff_tags(image: Image.Image) -> ImageFileDirectory_v2 | None:
    return image.tag_v2 if isinstance(image, TiffImageFile) and image.format == "TIFF" else None


def _declared_length(image: Image.Image, path: Path) -> int:
    """Bytes that the file must have by its own header; 0 where the format does not say."""
    if (tags := _tiff_tags(image)) is not None:
        for start, length in ((273, 279), (324, 325)):  # strips, tiles
            if start in tags and length in tags:
                return max(a + b for a, b in zip(tags[start], tags[length], strict=False))
    with path.open("rb") as file:
        prefix = file.read(12)
    if image.format == "WEBP":
        return int.from_bytes(prefix[4:8], "little") + 8
    return int.from_bytes(prefix[2:6], "little") if image.format == "BMP" else 0


def _walk(folder: Path) -> Iterator[Path]:
    visited = set()
    for parent, folders, names in os.walk(folder, followlinks=True, onerror=_refuse_folder):
        real = Path(parent).resolve()
        if real in visited:
            folders.clear()
            continue
        visited.add(real)
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            if not name.startswith("."):
                yield Path(parent, name)


def _refuse_folder(error: OSError) -> None:
    raise ImageError(f"{error.filename}: the folder cannot be read ({error.strerror or error})") from error


def _read(source: Source, convert: Callable[[Image.Image, bytes, str], np.ndarray], max_pixels: int) -> np.ndarray:
    with loaded(source, max_pixels) as (image, data, label):
        return upright(convert(image, data, label), orientation_of(image))


@contextlib.contextmanager
def loaded(source: Source, max_pixels: int = MAX_PIXELS) -> Iterator[tuple[Image.Image, bytes, str]]:
    """The decoded Pillow image, its file's bytes, and how to call it in a message; what is wrong with it is an ImageError.

    That covers the block below `with`, too, since Pillow finds some damage only when pixels are converted.
    """
    data, label = bytes_of(source)
    with loaded_bytes(data, label, max_pixels) as image:
        yield image, data, label


@contextlib.contextmanager
def loaded_bytes(data: bytes, label: str, max_pixels: int = MAX_PIXELS) -> Iterator[Image.Image]:
    """`loaded` for encoded bytes that messages call `label`."""
    try:
        check_cost(data)
    except CostError as error:
        raise ImageError(f"{label}: {error}") from error
    with decoding(label), _open(io.BytesIO(data), label, max_pixels) as image:
        image.load()
        _scale_transparency(image, data)
        yield image


def _scale_transparency(image: Image.Image, data: bytes) -> None:
    """Bring the transparent gray of a PNG of 2 or 4 bits to 0..255, to which Pillow has brought the pixels alone."""
    hidden = image.info.get("transparency")
    if image.format == "PNG" and image.mode == "L" and isinstance(hidden, int):
        header = headers.parse(data[: headers.PREFIX])
        if header is not None and header.depth in (2, 4):
            image.info["transparency"] = hidden * 255 // (2**header.depth - 1)


def upright(array: np.ndarray, orientation: int) -> np.ndarray:
    """(H, W[, C]) as it is meant to be seen by its EXIF orientation 1..8; contiguous."""
    return np.ascontiguousarray(_ORIENTATIONS.get(orientation, lambda same: same)(array))


def bytes_of(source: Source) -> tuple[bytes, str]:
    """(encoded bytes, how to call it in a message)."""
    if isinstance(source, bytes | bytearray | memoryview):
        data, label = bytes(source), "image bytes"
    elif isinstance(source, str | os.PathLike):
        label = str(source)
        check_regular(source)
        try:
            data = Path(source).read_bytes()
        except FileNotFoundError as error:
            raise ImageError(f"{label}: no such file") from error
        except OSError as error:
            raise ImageError(f"{label}: cannot be read ({error.strerror or error})") from error
    else:
        data, label = source.read(), str(getattr(source, "name", "image stream"))
    if not data:
        raise ImageError(f"{label}: the file is empty (0 bytes); replace it or leave it out")
    return data, label


@contextlib.contextmanager
def decoding(label: str) -> Iterator[None]:
    """Whatever is raised within leaves as an ImageError about `label`: for a damaged file, decoders raise errors of any class."""
    try:
        yield
    except ImageError:
        raise
    except Image.DecompressionBombError as error:
        raise ImageError(f"{label}: {error}; scale the image down first") from error
    except UnidentifiedImageError as error:
        known = " ".join(EXTENSIONS)
        raise UnknownFormat(f"{label}: not an image of a known kind ({known}), or damaged at its start") from error
    except MemoryError as error:
        raise ImageError(f"{label}: not enough memory to decode it; scale the image down first") from error
    except Exception as error:
        usual = isinstance(error, OSError | SyntaxError | ValueError) and str(error)
        reason = error if usual else f"{type(error).__name__}: {error}"
        raise ImageError(f"{label}: the image is damaged ({reason}); replace the file or leave it out") from error


def _open(source: Path | io.BytesIO, label: str, max_pixels: int) -> Image.Image:
    """Opened, not decoded; size checked first, so that a small file cannot claim the whole memory."""
    image = identify(source, label)
    check_pixels(label, *image.size, max_pixels)
    return image


def identify(source: Path | io.BytesIO, label: str) -> Image.Image:
    """Image.open for the formats of formats.py. A plug-in is loaded when the first image asks for it.

    Raises what Image.open raises, ImageError where a plug-in is not installed.
    """
    try:
        return Image.open(source, formats=pillow_formats())
    except UnidentifiedImageError:
        prefix = _prefix(source)
        plugin = plugin_of(prefix)
        if prefix[:4] in TIFF_ORDERS:
            text = "a TIFF of a kind that is not read, such as floating point colors; save it with 8 or 16 bits"
            raise UnknownFormat(f"{label}: {text}") from None
        if plugin is None:
            raise
        if not load_plugin(plugin):
            package = PLUGINS[plugin][1]
            raise UnknownFormat(f"{label}: reading {plugin} needs a package: pip install {package}") from None
        return Image.open(source, formats=pillow_formats())


def _prefix(source: Path | io.BytesIO) -> bytes:
    if isinstance(source, io.BytesIO):
        return source.getvalue()[:PREFIX]
    with source.open("rb") as file:
        return file.read(PREFIX)


def check_pixels(label: str, width: int, height: int, max_pixels: int) -> None:
    """Raises ImageError for a size above the limits."""
    if problem := size_problem(width, height, max_pixels):
        raise ImageError(f"{label}: {problem}")


def orientation_of(image: Image.Image) -> int:
    """EXIF orientation 1..8, or TIFF's, not that of XMP, as in browsers; a damaged block counts as upright, as in every viewer."""
    try:
        if (tags := _tiff_tags(image)) is not None:
            return int(tags.get(ORIENTATION_TAG, 1))
        exif = image.getexif()
        if image.info.keys() & {"xmp", "XML:com.adobe.xmp"}:  # which Pillow looks at, too
            exif = Image.Exif()
            exif.load(image.info.get("exif", b""))
        return int(exif.get(ORIENTATION_TAG, 1))
    except Exception:  # the parser's errors are of any class, as a decoder's are
        return 1


def _to_rgb(image: Image.Image, data: bytes, label: str) -> np.ndarray:
    deep = deep_pixels(image, data, label)
    if deep is not None:
        return deep[..., :3]
    if is_deep_gray(image):
        return np.repeat(gray_pixels(image, label)[..., None], 3, axis=2)
    return pixels_of(without_palette(image), "RGB")


def pixels_of(image: Image.Image, mode: str) -> np.ndarray:
    """uint8 (H, W[, C]) of an image in another mode, band by band: for the whole, Pillow holds two copies more."""
    width, height = image.size
    array = np.empty((height, width, *(len(ImageMode.getmode(mode).bands),) * (mode != "L")), np.uint8)
    for top, stop in bands(width, height):
        array[top:stop] = np.asarray(image.crop((0, top, width, stop)).convert(mode))
    return array


def without_palette(image: Image.Image) -> Image.Image:
    """Without premultiplied or palette transparency, which a direct conversion would warn about or mix in."""
    if image.mode in ("RGBa", "La"):
        return image.convert("RGBA" if image.mode == "RGBa" else "LA")
    if image.mode in ("P", "PA") and image.has_transparency_data:  # of one color, or of every color of the palette
        return image.convert("RGBA")
    return image


def is_deep_gray(image: Image.Image) -> bool:
    """Gray with more than 8 bits."""
    return image.mode in ("I", "F") or image.mode.startswith("I;16")


def is_deep(image: Image.Image, data: bytes) -> bool:
    """Whether it is a PNG or TIFF with 16 bits per color, which Pillow cuts to 8 by dropping bits."""
    header = headers.parse(data[: headers.PREFIX]) if image.format == "PNG" else None
    tags = _tiff_tags(image)
    deep_tiff = tags is not None and max(tags.get(BITS_TAG, (8,))) == 16 and image.mode.startswith("RGB")
    return deep_tiff or (header is not None and header.depth == 16 and header.channels >= 2)


def deep_pixels(image: Image.Image, data: bytes, label: str) -> np.ndarray | None:
    """uint8 (H, W, 3 or 4) of an image with 16 bits per color, rounded; None for others, and without the file's bytes."""
    if not data or not is_deep(image, data):
        return None
    if is_planar(image):
        raise UnknownFormat(
            f"{label}: a TIFF of 16 bits with one color after the other; save it with pixels interleaved"
        )
    high, low = high_and_low(image, data)
    channels, hidden = len(low.getbands()), image.info.get("transparency")  # a color of 16 bits
    result = np.full((image.height, image.width, channels if hidden is None else 4), 255, np.uint8)
    for top, stop in bands(image.width, image.height):
        box = (0, top, image.width, stop)
        values = np.asarray(high.crop(box)) * np.uint16(256) + np.asarray(low.crop(box))
        result[top:stop, :, :channels] = to_8_bits(values)
        if hidden is not None:
            result[top:stop, :, 3] *= (values != hidden).any(axis=2)
    return result


def deep_gray(image: Image.Image) -> np.ndarray:
    """(H, W) values of a gray image with more than 8 bits, 0 is black. Of TIFFs whose 0 is white, Pillow turns 8 bits alone, and
    gives those of 12 bits as they are: here, as of 16."""
    values, tags = np.asarray(image), _tiff_tags(image)
    bits = max(tags.get(BITS_TAG, (16,))) if tags is not None else 16
    if values.dtype == np.uint16 and 8 < bits < 16:
        highest = 2**bits - 1
        values = ((values.astype(np.uint32) * 65535 + highest // 2) // highest).astype(np.uint16)
    white = {"uint16": np.uint16(65535), "float32": np.float32(1)}.get(values.dtype.name)
    turned = white is not None and tags is not None and tags.get(PHOTOMETRIC_TAG) == WHITE_IS_ZERO
    return white - values if turned else values


def gray_pixels(image: Image.Image, label: str) -> np.ndarray:
    """(H, W) uint8 of a 16-bit, 32-bit or floating point gray image."""
    values = deep_gray(image)
    if values.dtype.kind == "u" or (image.mode == "I" and values.min() >= 0 and 255 < values.max() <= 65535):
        return to_8_bits(values)
    lowest, highest = float(values.min()), float(values.max())
    if image.mode == "F" and lowest >= 0 and highest <= 1:
        return np.rint(values * 255).astype(np.uint8)
    if image.mode != "F" and lowest >= 0 and highest <= 255:
        return values.astype(np.uint8)
    raise ImageError(f"{label}: {unknown_scale(values)}")


def unknown_scale(values: np.ndarray) -> str:
    """What is wrong with gray values of no known scale, and what to do."""
    span = f"{float(values.min()):g} to {float(values.max()):g}"
    if values.dtype.kind == "f":
        return f"floating point values are 0..1, not {span}; scale them, or save the image with 8 or 16 bits"
    return f"gray values from {span} have no known scale; save the image with 8 or 16 bits"


def to_8_bits(values: np.ndarray) -> np.ndarray:
    """65535 becomes 255, rounded to nearest."""
    result = np.empty(values.shape, np.uint8)
    for top, stop in bands(values.shape[1], len(values)):
        result[top:stop] = (values[top:stop].astype(np.uint32) + 128) // 257
    return result
