"""Sound tracks out: packets as they are where the container allows, else decoded and encoded anew."""

from fractions import Fraction
from typing import Any, Protocol

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


def add_track(container: Any, track: Any, encoding: Encoding, shift: Fraction) -> Track:
    """A track of the result for a track of the source. shift: seconds that all times are moved by."""
    if track.codec_context.name in encoding.copied:
        return Copied(container, track, shift)
    return Encoded(container, track, encoding.sound, shift)


class Copied:
    """Packets go over untouched."""

    def __init__(self, container: Any, track: Any, shift: Fraction):
        self._container, self._shift = container, round(shift / track.time_base)
        self._stream = container.add_stream_from_template(track)

    def put(self, packet: Any) -> None:
        if packet.dts is None:
            return
        packet.pts = packet.dts if packet.pts is None else packet.pts
        packet.pts -= self._shift
        packet.dts -= self._shift
        packet.stream = self._stream
        self._container.mux(packet)

    def finish(self) -> None:
        """Nothing is held back."""


class Encoded:
    """Decoded, resampled where the codec needs it, encoded."""

    def __init__(self, container: Any, track: Any, codec: str, shift: Fraction):
        import av

        self._av, self._container, self._source = av, container, track
        self._shift = round(shift / track.time_base)
        rate = track.codec_context.sample_rate
        rate = rate if codec == "aac" and rate in AAC_RATES else OPUS_RATE
        layout = LAYOUTS.get(track.codec_context.layout.nb_channels, "stereo")
        self._stream = container.add_stream(codec, rate=rate, layout=layout)

    def put(self, packet: Any) -> None:
        try:
            frames = packet.decode()
        except self._av.error.InvalidDataError:
            return  # a gap of one packet
        self._encode(frames)

    def finish(self) -> None:
        self._encode(self._source.decode(None))
        self._container.mux(self._stream.encode(None))

    def _encode(self, frames: list[Any]) -> None:
        for frame in frames:
            if frame.pts is not None:
                frame.pts -= self._shift
            self._container.mux(self._stream.encode(frame))
