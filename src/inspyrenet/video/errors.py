"""What can be wrong with a video, and the one place that loads PyAV and OpenCV."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from ..utils.system.extras import how_to_install


class VideoError(ValueError):
    """A file or camera that gives no video, or a video that cannot be encoded; the message names it and the remedy."""


class VideoExtraMissing(RuntimeError):
    """PyAV or OpenCV is not installed; the message names the extra."""


def load_av() -> ModuleType:
    """PyAV. Raises VideoExtraMissing where it is not installed or cannot be loaded."""
    try:
        import av
    except ImportError as error:
        raise VideoExtraMissing(
            f"videos need the extra video: {how_to_install('video')} (PyAV cannot be loaded: {error})"
        ) from error
    return av


def load_cv2() -> ModuleType:
    """OpenCV. Raises VideoExtraMissing where it is not installed or cannot be loaded."""
    try:
        import cv2
    except ImportError as error:
        raise VideoExtraMissing(
            f"cameras and maps that hold still need OpenCV, of the extra video: {how_to_install('video')}, or for files take "
            f"--no-steady ({error})"
        ) from error
    return cv2


def reason_of(error: BaseException) -> str:
    """An error of PyAV or of the system in a few words."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


@contextlib.contextmanager
def explained_system(target: Path) -> Iterator[None]:
    """What goes wrong while a file is written, as OSError with the system's number that names the target."""
    try:
        yield
    except OSError as error:
        message = f"cannot write {target} ({reason_of(error)}); choose a writable folder with free space"
        raise OSError(error.errno, message) from error


@contextlib.contextmanager
def explained_writing(target: Path) -> Iterator[None]:
    """`explained_system`, and what PyAV raises as VideoError that names the target."""
    av = load_av()
    try:
        with explained_system(target):
            yield
    except av.codec.codec.UnknownCodecError as error:
        raise VideoError(
            f"{target}: PyAV was built without the encoder {error}; take another --format, or pip install --force-reinstall av"
        ) from error
    except av.error.FFmpegError as error:
        raise VideoError(f"{target}: cannot be encoded ({reason_of(error)}); try another --format") from error
