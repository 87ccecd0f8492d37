"""Video files out: pictures at their own times, sound beside them; whole, or under a name that says it is not."""

import contextlib
import secrets
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ..data.whole_file import sync_file
from .bounded_queue import BoundedQueue
from .errors import explained_writing, load_av
from .formats import Encoding
from .sound import Guarded, add_track
from .source import FULL, LIMITED, MATRICES, Colors, Picture, Sound, Source

NUMBERS = {swscale: number for number, swscale in MATRICES.items() if number not in (5, 10)}  # swscale's → H.273's
EARLY = 64 * 2**20  # bytes of sound that are kept until the first picture comes
FORMATS = {2: "gray", 3: "rgb24", 4: "rgba"}


class VideoWriter:
    """Writes beside `target` under a name of its own, until `finish` gives the file its name.

    Raises OSError where it cannot be written, VideoError where the pictures cannot be encoded.
    """

    skipped = 0

    def __init__(self, target: Path, encoding: Encoding, source: Source, colors: bool = True):
        self.target, self.frames, self.seconds = target, 0, 0.0
        self._encoding, self._source, self._keeps_colors = encoding, source, colors
        self._colors, self._range = Colors(), LIMITED
        self._temporary = target.parent / f".{secrets.token_hex(8)}.part"
        self._container: Any = None
        self._stream: Any = None
        self._tracks: list[Guarded] = []
        # before the first picture, which says how large the video is
        self._early: BoundedQueue[Sound] = BoundedQueue(EARLY, lambda sound: sound.nbytes)
        self._lost = 0
        self._size = (0, 0)
        self._square: Fraction | None = None  # the shape that pixels had which are square now

    def picture(self, picture: Picture) -> None:
        """Encode a result (H, W), (H, W, 3) or (H, W, 4)."""
        with explained_writing(self.target):
            if self._container is None:
                self._start(picture.array)
            frame = self._frame(picture.array)
            frame.pts, frame.duration, frame.time_base = picture.time, picture.duration, self._source.time_base
            self._container.mux(self._stream.encode(frame))
        self.frames += 1
        self.seconds = float((picture.time + picture.duration) * self._source.time_base)

    def sound(self, sound: Sound) -> None:
        """Take over a packet of sound."""
        if self._container is None:
            self._lost += self._early.offer(sound)
            return
        with explained_writing(self.target):
            self._tracks[sound.track].put(sound.packet)

    def finish(self, name: Path) -> None:
        """End the file and give it its name, in one step."""
        with explained_writing(self.target):
            self._container.mux(self._stream.encode(None))
            for track in self._tracks:
                track.finish()
            self._container.close()
            sync_file(self._temporary)
            self._temporary.replace(name)

    def discard(self) -> None:
        """Leave nothing behind; after `finish` it does nothing."""
        if self._container is not None:
            av = load_av()
            with contextlib.suppress(av.error.FFmpegError, OSError):
                self._container.close()
        with contextlib.suppress(OSError):
            self._temporary.unlink(missing_ok=True)

    @property
    def note(self) -> str | None:
        """What the pictures' size became, where the codec could not keep it; and how much sound was left out."""
        parts, sides = [], self._size[::-1]  # width, height
        if self._encoding.even and any(side % 2 for side in sides):
            was, now = (f"{width}×{height}" for width, height in (sides, [side + side % 2 for side in sides]))
            parts.append(
                f"{was} became {now}: H.264 in MP4 has even sides, the last line is there twice; webm and mov keep the size"
            )
        if self._square is not None:
            across, down = self._square.numerator, self._square.denominator
            parts.append(
                f"pixels of {across}:{down} became square, {sides[0]}×{sides[1]} of them: webm does not keep their shape here"
            )
        left_out = sum(track.left_out for track in self._tracks)
        if left_out:
            parts.append(f"{left_out} packets of sound left out: they are damaged, or out of order")
        if self._lost:
            parts.append(
                f"{self._lost} packets of sound left out: until the first picture, {EARLY / 2**20:g} MiB are kept at most"
            )
        return "; ".join(parts) or None

    # -- parts ------------------------------------------------------------------------------------------------------

    def _start(self, array: np.ndarray) -> None:
        """Open the file, for pictures like this one."""
        av, encoding, source = load_av(), self._encoding, self._source
        self.target.parent.mkdir(parents=True, exist_ok=True)
        options = dict(encoding.container_options)
        if encoding.container in ("mp4", "mov"):  # else the beginning of each track is rounded to milliseconds
            options["movie_timescale"] = str(_fine(source.time_base.denominator))
        self._container = av.open(f"file:{self._temporary}", "w", format=encoding.container, options=options)
        self._stream = self._container.add_stream(encoding.codec, rate=source.rate, options=dict(encoding.options))
        self._size = array.shape[:2]
        if encoding.container == "webm" and source.aspect != 1:  # PyAV cannot tell it of pixels' shape
            self._square, self._size = source.aspect, squared(self._size, source.aspect)
        height, width = self._even(fitted(array, self._size)).shape[:2]
        stream, context = self._stream, self._stream.codec_context
        stream.width, stream.height, stream.pix_fmt = width, height, encoding.pixels
        context.time_base = source.time_base
        context.sample_aspect_ratio = source.aspect if self._square is None else Fraction(1)
        context.thread_type = "AUTO"
        if self._keeps_colors:
            self._colors = source.colors
        context.color_range = self._range = FULL if self._colors.full and encoding.full else LIMITED
        context.colorspace = NUMBERS[self._colors.matrix]
        context.color_primaries, context.color_trc = self._colors.primaries, self._colors.transfer
        self._tracks = [add_track(self._container, track, encoding, source.shift) for track in source.tracks]
        self._early.end()
        for sound in self._early:
            self._tracks[sound.track].put(sound.packet)

    def _frame(self, array: np.ndarray) -> Any:
        """A frame of the encoder's kind of pixels, at the size of the first."""
        av = load_av()
        array = np.ascontiguousarray(self._even(fitted(array, self._size)))
        kind = FORMATS[array.shape[2] if array.ndim == 3 else 2]
        frame = av.VideoFrame.from_ndarray(array, format=kind)
        pixels = self._encoding.pixels
        frame = frame.reformat(format=pixels, dst_colorspace=self._colors.matrix, dst_color_range=self._range)
        if hasattr(
            frame, "color_trc"
        ):  # PyAV 16 and later; ProRes takes them from each frame, other codecs from the context
            frame.color_primaries, frame.color_trc = self._colors.primaries, self._colors.transfer
        return frame

    def _even(self, array: np.ndarray) -> np.ndarray:
        """The last row or column once more, where the codec wants even sides."""
        if not self._encoding.even or not (array.shape[0] % 2 or array.shape[1] % 2):
            return array
        more = [(0, side % 2) for side in array.shape[:2]] + [(0, 0)] * (array.ndim - 2)
        return np.pad(array, more, mode="edge")


def squared(size: tuple[int, int], aspect: Fraction) -> tuple[int, int]:
    """(height, width) of a picture whose pixels have this shape, in square ones; no side becomes shorter."""
    height, width = size
    return (height, round(width * aspect)) if aspect > 1 else (round(height / aspect), width)


def fitted(array: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A picture at the size (height, width) of the first one: a video may change its own."""
    if array.shape[:2] == size:
        return array
    return np.asarray(Image.fromarray(array).resize(size[::-1], Image.Resampling.HAMMING))


def _fine(denominator: int) -> int:
    """A multiple of it that is 1000 at least, so that times of sound fit too."""
    return denominator * -(-1000 // denominator)
