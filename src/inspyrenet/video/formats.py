"""The kinds of video file that are written, and how. Imports nothing heavy."""

from dataclasses import dataclass, field

from ..data.images.encode import FormatError
from ..remover import output_paths

FRAMES = output_paths.FRAMES.removeprefix(".")
ANIMATIONS = ("webp", "gif", "apng")
FORMATS = ("mp4", "webm", "mov", *ANIMATIONS, FRAMES)
TRANSPARENT = FORMATS[1:]  # can hold an alpha channel
OTHER_NAMES = {"png": FRAMES}
ANIMATED = (".gif", ".webp", ".png", ".apng")  # suffixes of pictures that may move


@dataclass(frozen=True)
class Encoding:
    """Container, codecs and their settings.

    even: sides must be even numbers. full: holds YUV of the full range, too. sound: codec that sound is encoded with where its
    own does not fit. copied: codecs whose packets are taken as they are.
    """

    container: str
    codec: str
    pixels: str
    sound: str
    copied: tuple[str, ...]
    even: bool = False
    full: bool = True
    options: dict[str, str] = field(default_factory=dict)
    container_options: dict[str, str] = field(default_factory=dict)


MP4_SOUND = ("aac", "mp3", "ac3", "eac3", "alac", "opus", "flac")
MOV_SOUND = ("aac", "mp3", "ac3", "eac3", "alac", "pcm_s16le", "pcm_s16be", "pcm_s24le", "pcm_s24be")
FAST_START = {"movflags": "+faststart"}  # the index in front, so that a player can begin before it has the whole file
VP9 = {
    "crf": "24",
    "b:v": "0",
    "row-mt": "1",
    "deadline": "realtime",
}  # a quarter of the time of "good", for a tenth more bytes


def check_video_format(name: str, transparent: bool = False) -> str:
    """The format's suffix without a dot, in lower case: png is `FRAMES`. Raises FormatError."""
    plain = name.lower().removeprefix(".")
    plain = OTHER_NAMES.get(plain, plain)
    if plain not in FORMATS:
        raise FormatError(f"unknown format {name!r} for videos; there is {', '.join(FORMATS)}")
    if transparent and plain not in TRANSPARENT:
        able = " or ".join(TRANSPARENT)
        raise FormatError(f"{plain} has no transparency: take {able}, or another type than rgba")
    return plain


def default_format(transparent: bool) -> str:
    """webm where there is an alpha channel, else mp4."""
    return "webm" if transparent else "mp4"


def encoding_of(name: str, transparent: bool, is_camera: bool = False) -> Encoding:
    """How mp4, webm and mov are written. is_camera: fast enough for a camera, before small files."""
    if name == "mov":
        settings = {"profile": "4444", "alpha_bits": "16"} if transparent else {"profile": "hq"}
        pixels = "yuva444p10le" if transparent else "yuv422p10le"
        settings["vendor"] = "apl0"  # some editors refuse other encoders' files
        return Encoding("mov", "prores_ks", pixels, "aac", MOV_SOUND, False, False, settings, dict(FAST_START))
    if name == "webm":
        pace = {"cpu-used": "8" if is_camera else "6"}
        pixels = "yuva420p" if transparent else "yuv420p"
        pace |= {"auto-alt-ref": "0"} if transparent else {}  # libvpx has no alternate frames for alpha
        return Encoding("webm", "libvpx-vp9", pixels, "libopus", ("opus", "vorbis"), options={**VP9, **pace})
    settings = {"crf": "18", "preset": "ultrafast" if is_camera else "veryfast"}
    return Encoding("mp4", "libx264", "yuv420p", "aac", MP4_SOUND, True, True, settings, dict(FAST_START))
