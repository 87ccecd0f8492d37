"""The reader and the writer of a kind of video, by its name."""

from pathlib import Path
from typing import TYPE_CHECKING

from .animations.frames import FramesWriter
from .animations.reading import AnimatedFile
from .animations.writing import AnimationWriter
from .formats import ANIMATED, ANIMATIONS, FRAMES, encoding_of
from .reading import VideoFile
from .source import Source
from .writing import VideoWriter

if TYPE_CHECKING:
    from .process import Writer


def needs_av(source: Path, target: Path) -> bool:
    """Animations and folders of pictures come and go without PyAV."""
    return not is_animation(source) or target.suffix.lower()[1:] not in (*ANIMATIONS, FRAMES)


def is_animation(path: Path) -> bool:
    """Its suffix is one of animated pictures."""
    return path.suffix.lower() in ANIMATED


def open_file(path: Path) -> Source:
    """Raises VideoError, VideoExtraMissing, and ImageError for an animation that is none."""
    return AnimatedFile(path) if is_animation(path) else VideoFile(path)


def open_writer(target: Path, source: Source, transparent: bool, colors: bool, request: str) -> "Writer":
    """By the suffix. colors: results show the source's own colors. request: see `FramesWriter`."""
    kind = target.suffix.lower().removeprefix(".")
    if kind == FRAMES:
        return FramesWriter(target, source, request)
    if kind in ANIMATIONS:
        return AnimationWriter(target, kind, source)
    return VideoWriter(target, encoding_of(kind, transparent, source.is_camera), source, colors)
