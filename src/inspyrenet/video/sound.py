"""Sound tracks out: packets as they are where the container allows, else decoded and encoded anew."""

from fractions import Fraction
from typing import Any, Protocol

from .errors import load_av
from .formats import Encoding

LAYOUTS = {1: "mono", 6: "5.1", 8: "7.1"}  # channels → what both encoders know; others become stereo
OPUS_RATE = 48000
AAC_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000)


class Track(Protocol):
    """One sound track of the result."""

    def put(self, packet: Any) -> None:
        """Take a packet of the source."""

    def finish(self) -> None:
        """Write what is still held back."""


def add_track(container: Any, track: Any, encoding: Encoding, shift: Fraction) -> "Guarded":
    """A track of the result for a track of the source. shift: seconds that all times are moved by."""
    if track.codec_context.name in encoding.copied:
        return Guarded(Copied(container, track, shift))
    return Guarded(Encoded(container, track, encoding.sound, shift))


class Guarded:
    """A track that leaves out what cannot be written, and counts it: pictures are not lost for a packet of sound.

    Raises OSError alone, as where the disk is full.
    """

    def __init__(self, track: Track):
        self._track, self.left_out = track, 0

    def put(self, packet: Any) -> None:
        """See `Track`."""
        self._guarded(self._track.put, packet)

    def finish(self) -> None:
        """See `Track`."""
        self._guarded(self._track.finish)

    def _guarded(self, work: Any, *words: Any) -> None:
        try:
            work(*words)
        except (load_av().error.FFmpegError, ValueError) as error:
            if isinstance(error, OSError):
                raise
            self.left_out += 1


class Copied:
    """Packets go over untouched."""

    def __init__(self, container: Any, track: Any, shift: Fraction):
        self._container, self._shift = container, round(shift / track.time_base)
        self._stream = container.add_stream_from_template(track)
        self._last: int | None = None

    def put(self, packet: Any) -> None:
        """Raises ValueError for one that is not later than the one before: no container takes it."""
        if packet.dts is None:
            return
        if self._last is not None and packet.dts <= self._last:
            raise ValueError("a packet of sound is out of order")
        self._last = packet.dts
        packet.pts = packet.dts if packet.pts is None else packet.pts
        packet.pts -= self._shift
        packet.dts -= self._shift
        packet.stream = self._stream
        self._container.mux(packet)

    def finish(self) -> None:
        """Nothing is held back."""


class Encoded:
    """Decoded, resampled, encoded. What is decoded may change within a track, as between programs of a broadcast."""

    def __init__(self, container: Any, track: Any, codec: str, shift: Fraction):
        self._av, self._container, self._source = load_av(), container, track
        self._shift = round(shift / track.time_base)
        rate = track.codec_context.sample_rate
        rate = rate if codec == "aac" and rate in AAC_RATES else OPUS_RATE
        layout = LAYOUTS.get(track.codec_context.layout.nb_channels, "stereo")
        self._stream = container.add_stream(codec, rate=rate, layout=layout)
        self._resampler: Any = None
        self._decoded: tuple | None = None  # format, layout and rate that it is for

    def put(self, packet: Any) -> None:
        try:
            frames = packet.decode()
        except self._av.error.InvalidDataError:
            return  # a gap of one packet
        self._encode(frames)

    def finish(self) -> None:
        self._encode(self._source.decode(None))
        self._change(None)
        self._container.mux(self._stream.encode(None))

    def _encode(self, frames: list[Any]) -> None:
        for frame in frames:
            if frame.pts is not None:
                frame.pts -= self._shift
            kind = (frame.format.name, frame.layout.name, frame.sample_rate)
            if kind != self._decoded:
                self._change(kind)
            self._write(self._resampler.resample(frame))

    def _change(self, kind: tuple | None) -> None:
        """Sound of another kind comes, or none any more: what is held back goes first."""
        if self._resampler is not None:
            self._write(self._resampler.resample(None))
        wanted = self._stream.codec_context
        self._decoded, self._resampler = kind, None
        if kind is not None:
            self._resampler = self._av.AudioResampler(wanted.format.name, wanted.layout.name, wanted.sample_rate)

    def _write(self, frames: list[Any]) -> None:
        for frame in frames:
            self._container.mux(self._stream.encode(frame))
