"""Which files are read as pictures and as videos: the one list, for commands, training, evaluation and servers alike.

Pillow knows more kinds than these. Left out is what runs other programs (EPS asks Ghostscript), what only some systems draw
(WMF), what holds no picture that Pillow itself can read (FITS, GRIB, HDF5), and animations of another age (FLI).
What is written is said in `encode.py` and `video/formats.py`.
"""

import importlib
from pathlib import Path
from types import MappingProxyType

from PIL import Image

PICTURES = MappingProxyType(  # Pillow's name of a format → its suffixes; TGA last, since any bytes may be one
    {
        "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"),
        "PNG": (".png", ".apng"),
        "WEBP": (".webp",),
        "AVIF": (".avif", ".avifs"),
        "BMP": (".bmp",),
        "DIB": (".dib",),
        "TIFF": (".tif", ".tiff"),
        "GIF": (".gif",),
        "JPEG2000": (".jp2", ".j2k", ".jpc", ".jpf", ".jpx", ".j2c"),
        "PPM": (".ppm", ".pgm", ".pbm", ".pnm", ".pfm"),
        "ICO": (".ico",),
        "ICNS": (".icns",),
        "DDS": (".dds",),
        "PSD": (".psd",),
        "QOI": (".qoi",),
        "PCX": (".pcx",),
        "SGI": (".sgi",),
        "SUN": (".ras",),
        "TGA": (".tga",),
    }
)
PLUGINS = MappingProxyType(  # Pillow's name → suffixes, package that brings it, its module
    {
        "HEIF": ((".heic", ".heif", ".hif"), "pillow-heif", "pillow_heif"),
        "JXL": ((".jxl",), "pillow-jxl-plugin", "pillow_jxl"),
    }
)
EXTENSIONS = tuple(
    name for names in [*PICTURES.values(), *(suffixes for suffixes, *_ in PLUGINS.values())] for name in names
)
VIDEO_EXTENSIONS = (
    ".mp4", ".m4v", ".mov", ".qt", ".3gp", ".3g2", ".f4v", ".webm", ".mkv", ".avi", ".divx", ".mpg", ".mpeg", ".mpe", ".m2v",
    ".vob", ".ts", ".m2t", ".mts", ".m2ts", ".wmv", ".asf", ".flv", ".ogv", ".ogm",
)  # fmt: skip
KNOWN = (*EXTENSIONS, *VIDEO_EXTENSIONS)
JUNK = ("thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r")  # what systems put into folders of pictures

PREFIX = 64  # bytes that tell the formats below apart
_MAGIC = (
    b"\xff\xd8\xff",
    b"\x89PNG\r\n\x1a\n",
    b"GIF8",
    b"II*\0",
    b"MM\0*",
    b"\0\0\0\x0cjP  ",
    b"8BPS",
    b"qoif",
    b"DDS ",
)
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_AVIF_BRANDS = (b"avif", b"avis")  # beside mif1, which HEIC has, too
_JXL = (b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n")


def pillow_formats() -> list[str]:
    """Formats that Pillow may open here, plug-ins that were loaded included."""
    Image.init()
    return [name for name in (*PICTURES, *PLUGINS) if name in Image.OPEN]


def plugin_of(data: bytes) -> str | None:
    """The key of PLUGINS whose files begin like `data`."""
    brands = data[8:PREFIX] if data[4:8] == b"ftyp" else b""
    if any(brand in brands for brand in _HEIF_BRANDS) and not any(brand in brands for brand in _AVIF_BRANDS):
        return "HEIF"
    return "JXL" if data.startswith(_JXL) else None


def load_plugin(name: str) -> bool:
    """Teach Pillow a format of PLUGINS; False where its package is not installed."""
    try:
        module = importlib.import_module(PLUGINS[name][2])
    except ImportError:
        return False
    if name == "HEIF":
        module.register_heif_opener()
    return True


def is_picture(path: Path) -> bool:
    """The file begins as pictures do, whatever it is called; False where it cannot be read."""
    if not path.is_file():  # opening a pipe would wait for somebody who writes to it
        return False
    try:
        with path.open("rb") as file:
            data = file.read(PREFIX)
    except OSError:
        return False
    boxed = data[4:8] == b"ftyp" and b"avif" in data[8:]
    return (
        data.startswith(_MAGIC)
        or (data[:4] == b"RIFF" and data[8:12] == b"WEBP")
        or boxed
        or plugin_of(data) is not None
    )


def is_known(path: Path) -> bool:
    """A folder's file of this name is read as an image or video. A .ts counts by its content, since it may be TypeScript."""
    suffix = path.suffix.lower()
    return suffix in KNOWN and (suffix != ".ts" or _is_transport_stream(path))


def _is_transport_stream(path: Path) -> bool:
    """MPEG-TS: packets of 188 bytes, with 4 bytes more in front of each on some disks, that begin with 0x47."""
    if not path.is_file():
        return True  # reading it says why
    try:
        with path.open("rb") as file:
            data = file.read(197)
    except OSError:
        return True  # reading it says why
    return any(
        data[start : start + 1] == data[start + step : start + step + 1] == b"G" for start, step in ((0, 188), (4, 192))
    )
