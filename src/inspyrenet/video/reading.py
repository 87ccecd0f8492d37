"""Video files in: upright RGB pictures with their own times, and the packets of the sound."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from .errors import VideoError, load_av, reason_of
from .source import BT601, BT709, FULL, MATRICES, UNSPECIFIED, Colors, Picture, Sound
from .timeline import Timeline

MISSING = 0.5  # seconds that may lack at the end before a file counts as cut short
CONTAINERS = (
    "mov",
    "matroska",
    "avi",
    "mpeg",
    "mpegvideo",
    "mpegts",
    "asf",
    "flv",
    "ogg",
    "m4v",
    "h264",
    "hevc",
    "gif",
)
SELF_CONTAINED = {  # a playlist or list of files under a video's name reads neither the network nor its neighbors
    "protocol_whitelist": "file",
    "format_whitelist": ",".join(CONTAINERS),
    "enable_drefs": "0",  # tracks of a QuickTime file that lie in other files
}
DEFAULT_RATE = Fraction(25)
ALPHA_DECODERS = {"vp8": "libvpx", "vp9": "libvpx-vp9"}  # FFmpeg's own decoders of these leave transparency out
ATTACHED = 1 << 10  # FFmpeg's disposition of a cover image


class VideoFile:
    """A video file as a `Source`. Times are the file's own, moved so that it begins at 0; rotation and mirroring are applied.

    Raises VideoError where it is no video, VideoExtraMissing without PyAV. Damage is met on reading: what can be decoded
    is given, and `warning` says what was not.
    """

    is_camera = False
    plays = 0

    def __init__(self, path: Path):
        self.name = str(path)
        self.warning: str | None = None
        self._av = load_av()
        self._container = _open(self._av, path)
        try:
            self._begin(path)
        except BaseException:
            self._container.close()
            raise

    def _begin(self, path: Path) -> None:
        """What the file says of itself."""
        self._stream = stream = _picture_stream(self._container, path)
        self._decoder = _decoder_of(self._av, stream, path)
        self._decoder.thread_type = "AUTO"
        self.time_base: Fraction = stream.time_base
        self.rate = stream.average_rate or stream.guessed_rate
        self.tracks = tuple(track for track in self._container.streams.audio if _has_sound(track))
        self.shift = Fraction(max(self._container.start_time or 0, 0), 1_000_000)
        self.aspect = stream.sample_aspect_ratio or Fraction(1)  # the container's, else the codec's
        self.colors = Colors()
        self.frames = self._expected_frames()
        self._turn: np.ndarray | None = None
        self._last: int | None = None  # time of the picture before
        self._step = max(1, round(1 / ((self.rate or DEFAULT_RATE) * self.time_base)))
        self._end, self._packets, self._bad = 0.0, 0, 0

    def close(self) -> None:
        self._container.close()

    def __iter__(self) -> Iterator[Picture | Sound]:
        """Everything in the order of the file."""
        try:
            yield from self._items()
        except self._av.error.FFmpegError as error:
            self.warning = f"cannot be read to its end ({reason_of(error)})"
            return
        self.warning = self._what_lacks()

    # -- parts ------------------------------------------------------------------------------------------------------

    def _items(self) -> Iterator[Picture | Sound]:
        numbers = {track.index: number for number, track in enumerate(self.tracks)}
        timeline = Timeline()
        for packet in self._container.demux(self._stream, *self.tracks):
            timeline.move(packet)
            self._note_end(packet)
            if packet.stream.index in numbers:
                if packet.size and not packet.is_corrupt:
                    yield Sound(numbers[packet.stream.index], packet)
                continue
            for frame in self._decode(packet):
                yield self._picture(frame)

    def _decode(self, packet: Any) -> list:
        """The frames that a packet completes; a damaged packet is counted, and gives none."""
        self._packets += 1
        if packet.is_corrupt:
            self._bad += 1
            return []
        try:
            return self._decoder.decode(packet)
        except (self._av.error.InvalidDataError, self._av.error.ExternalError):
            self._bad += 1
            return []

    def _picture(self, frame: Any) -> Picture:
        if self._turn is None:
            self._turn = display_matrix(frame)
            self.colors = _colors(frame)
            self.aspect = 1 / self.aspect if swaps_sides(self._turn) else self.aspect
        transparent = any(component.is_alpha for component in frame.format.components)
        array = frame.to_ndarray(format="rgba" if transparent else "rgb24", src_colorspace=_matrix(frame))
        return Picture(turned(array, self._turn), self._time(frame), frame.duration or self._step)

    def _time(self, frame: Any) -> int:
        """The frame's time from the file's start; one step on where it has none. Times grow: encoders want it so."""
        if frame.pts is None:
            time = 0 if self._last is None else self._last + self._step
        else:
            time = frame.pts - round(self.shift / self.time_base)
        self._last = time if self._last is None else max(time, self._last + 1)
        return self._last

    def _note_end(self, packet: Any) -> None:
        """The latest time that any packet reaches to, in seconds."""
        if packet.pts is not None and packet.time_base:
            self._end = max(self._end, float((packet.pts + (packet.duration or 0)) * packet.time_base))

    def _what_lacks(self) -> str | None:
        start = (self._container.start_time or 0) / 1e6
        promised, found = (self._container.duration or 0) / 1e6, self._end - start
        if promised - found > MISSING:
            return f"is cut short: {found:.1f} of {promised:.1f} seconds are there"
        if self._bad:
            return f"is damaged: {self._bad} of {self._packets} packets could not be decoded"
        return None

    def _expected_frames(self) -> int | None:
        if self._stream.frames:
            return self._stream.frames
        duration = self._container.duration
        return round(duration / 1e6 * self.rate) if duration and self.rate else None


def _open(av: Any, path: Path) -> Any:
    if path.exists() and not path.is_file():
        raise VideoError(f"{path}: is no regular file, but a pipe, a socket, a device or a folder")
    if path.is_file() and path.stat().st_size == 0:
        raise VideoError(f"{path}: the file is empty (0 bytes); replace it or leave it out")
    try:
        return av.open(f"file:{path}", options=dict(SELF_CONTAINED), metadata_errors="replace")
    except (av.error.InvalidDataError, av.error.ArgumentError) as error:  # the latter: not on the list
        index = "its index is missing, so it was cut short or its recording never ended"
        hint = index if _begins_as_mp4(path) else "not a video of a known kind, or damaged at its start"
        raise VideoError(f"{path}: {hint}; replace the file or leave it out") from error
    except (av.error.FFmpegError, OSError) as error:
        raise VideoError(f"{path}: cannot be read ({reason_of(error)})") from error


def _begins_as_mp4(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(8)[4:] == b"ftyp"


def _picture_stream(container: Any, path: Path) -> Any:
    """The first stream of pictures that is not a cover image. Raises VideoError."""
    streams = [stream for stream in container.streams.video if not int(stream.disposition) & ATTACHED]
    if not streams:
        raise VideoError(f"{path}: holds no video (a file of {_contents(container)}); leave it out")
    if streams[0].codec_context is None:
        raise VideoError(f"{path}: its video codec is unknown here; convert it to mp4 first")
    return streams[0]


def _has_sound(track: Any) -> bool:
    """Its codec is known, and so is its sound: broadcasts announce tracks that never come."""
    context = track.codec_context
    return context is not None and context.sample_rate > 0 and context.layout.nb_channels > 0


def _decoder_of(av: Any, stream: Any, path: Path) -> Any:
    """The stream's own decoder, or the one that decodes its transparency, too. Raises VideoError where PyAV lacks that one."""
    name = ALPHA_DECODERS.get(stream.codec_context.name)
    if name is None or stream.metadata.get("alpha_mode") != "1":
        return stream.codec_context
    try:
        decoder = av.CodecContext.create(name, "r")
    except av.codec.codec.UnknownCodecError as error:
        raise VideoError(f"{path}: PyAV was built without {name}, which reads its transparency") from error
    decoder.extradata = stream.codec_context.extradata
    return decoder


def _contents(container: Any) -> str:
    return ", ".join(sorted({stream.type for stream in container.streams})) or "nothing"


# -- orientation --------------------------------------------------------------------------------------------------


def display_matrix(frame: Any) -> np.ndarray:
    """(2, 2): where a step to the right and a step down in the stored picture go on the screen; rows are (x, y)."""
    data = frame.side_data.get("DISPLAYMATRIX")
    if data is None:
        return np.eye(2, dtype=np.int64)
    matrix = np.frombuffer(bytes(data), np.int32)[:9].reshape(3, 3)[:2, :2].astype(np.int64)
    return matrix if np.linalg.det(matrix.astype(np.float64)) else np.eye(2, dtype=np.int64)


def swaps_sides(matrix: np.ndarray) -> bool:
    """Turned by a quarter, nearly enough."""
    return bool(abs(matrix[0, 1]) > abs(matrix[0, 0]))


def turned(array: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """The stored picture (H, W, 3 or 4) as it is meant to be seen; turns are rounded to quarters. Contiguous."""
    if swaps_sides(matrix):
        array, across, down = array.swapaxes(0, 1), matrix[1, 0], matrix[0, 1]
    else:
        across, down = matrix[0, 0], matrix[1, 1]
    return np.ascontiguousarray(array[:: -1 if down < 0 else 1, :: -1 if across < 0 else 1])


# -- colors ------------------------------------------------------------------------------------------------------


def _matrix(frame: Any) -> int:
    """swscale's number of the frame's matrix; where the file does not say, by the size, as players guess."""
    return MATRICES.get(int(frame.colorspace), BT709 if frame.height > 576 or frame.width >= 1280 else BT601)


def _colors(frame: Any) -> Colors:
    """What the result is to be written with: the file's own, so that HDR stays HDR."""
    primaries, transfer = (int(getattr(frame, name, 0) or 0) for name in ("color_primaries", "color_trc"))
    known = {"primaries": primaries, "transfer": transfer}
    given = {name: value for name, value in known.items() if value not in (0, UNSPECIFIED)}
    full = int(frame.color_range) == FULL and not frame.format.is_rgb
    return Colors(_matrix(frame), **given, full=full)
