"""Small videos for tests, made with PyAV, and what is in a video, read back."""

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

RATE = 48000
BASE = Fraction(1, 600)


def painted(number: int, height: int = 48, width: int = 64) -> np.ndarray:
    """A frame whose gray says its number (10 more for each), with a red corner above left; uint8 RGB."""
    image = np.full((height, width, 3), 40 + 10 * (number % 20), np.uint8)
    image[: height // 4, : width // 4] = (230, 20, 20)
    return image


def make_video(
    path: Path,
    frames: int = 12,
    size: tuple[int, int] = (48, 64),
    *,
    times: list[int] | None = None,
    base: Fraction = BASE,
    rate: Fraction | int = 20,
    sound: str | None = None,
    seconds: float | None = None,
    turn: int | None = None,
    form: str = "mp4",
    codec: str = "libx264",
    options: dict[str, str] | None = None,
    pictures: list[np.ndarray] | None = None,
) -> Path:
    """H.264 (or another codec) with or without sound. times: of each frame in units of base; turn: degrees anticlockwise.

    pictures: uint8 RGB of one size, in place of painted ones.
    """
    pictures = [painted(number, *size) for number in range(frames)] if pictures is None else pictures
    size = pictures[0].shape[:2] if pictures else size
    with av.open(str(path), "w", format=form, options=options or {}) as out:
        video = out.add_stream(codec, rate=rate, options={"crf": "10", "g": "5", "b:v": "0", "cpu-used": "8"})
        video.width, video.height, video.pix_fmt = size[1], size[0], "yuv420p"
        video.codec_context.time_base = 1 / Fraction(rate) if form == "avi" else base  # it has no times of its own
        if turn is not None:
            video.set_display_rotation(turn)
        track = out.add_stream(sound, rate=RATE, layout="mono") if sound else None
        out.start_encoding()
        step = round(1 / (base * Fraction(rate)))
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base, frame.duration = times[number] if times else number * step, base, step
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
        if track:
            _hum(out, track, seconds or len(pictures) / float(rate))
    return path


def make_transparent(path: Path, alpha: np.ndarray, frames: int = 5) -> Path:
    """VP9 or ProRes with an alpha channel, by the suffix; alpha: uint8 (48, 64), the same for all frames."""
    codec, pixels, options = {
        ".webm": ("libvpx-vp9", "yuva420p", {"crf": "10", "b:v": "0", "auto-alt-ref": "0", "cpu-used": "8"}),
        ".mov": ("prores_ks", "yuva444p10le", {"profile": "4444", "alpha_bits": "16"}),
    }[path.suffix]
    with av.open(str(path), "w") as out:
        video = out.add_stream(codec, rate=20, options=options)
        video.width, video.height, video.pix_fmt = alpha.shape[1], alpha.shape[0], pixels
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(np.dstack([painted(number, *alpha.shape), alpha]), format="rgba")
            frame = frame.reformat(format=pixels)
            frame.pts, frame.time_base = number, Fraction(1, 20)
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
    return path


def make_tagged(path: Path, pixels: str = "yuv420p", frames: int = 2, **tags: int) -> Path:
    """H.264 whose file says how YUV is meant: color_range, colorspace, color_primaries, color_trc as ITU-T H.273 counts them."""
    matrix = {6: 5}.get(tags["colorspace"], tags["colorspace"])  # swscale counts BT.601 otherwise
    with av.open(str(path), "w") as out:
        video = out.add_stream("libx264", rate=20, options={"crf": "5"})
        video.width, video.height, video.pix_fmt = 64, 48, pixels
        for name, number in tags.items():
            setattr(video.codec_context, name, number)
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(painted(number), format="rgb24")
            frame = frame.reformat(format=pixels, dst_colorspace=matrix, dst_color_range=tags["color_range"])
            frame.pts, frame.time_base = number, Fraction(1, 20)
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
    return path


def _hum(out, track, seconds: float) -> None:
    wave = np.sin(np.arange(int(seconds * RATE)) / 20).astype(np.float32) * 0.3
    for start in range(0, len(wave), 960):
        frame = av.AudioFrame.from_ndarray(wave[None, start : start + 960], format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE, start, Fraction(1, RATE)
        out.mux(track.encode(frame))
    out.mux(track.encode(None))


def cut_off(path: Path, target: Path, part: float = 0.6) -> Path:
    """The first part of a file."""
    data = path.read_bytes()
    target.write_bytes(data[: int(len(data) * part)])
    return target


@dataclass
class Seen:
    """A video as it was read back; frames are RGBA."""

    frames: list[np.ndarray] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    sound: list[bytes] = field(default_factory=list)
    sound_codec: str | None = None
    sound_seconds: float = 0.0
    codec: str = ""
    rate: Fraction | None = None
    seconds: float = 0.0


def look(path: Path) -> Seen:
    """Read a video back; VP9 by libvpx, since FFmpeg's own decoder drops the alpha channel."""
    seen = Seen()
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        seen.codec, seen.rate = video.codec_context.name, video.average_rate
        seen.seconds = container.duration / 1e6
        decoder = av.CodecContext.create("libvpx-vp9", "r") if seen.codec == "vp9" else video
        tracks = container.streams.audio
        seen.sound_codec = tracks[0].codec_context.name if tracks else None
        for packet in container.demux():
            if packet.stream.type == "audio" and packet.size:
                seen.sound.append(bytes(packet))
                seen.sound_seconds = float((packet.pts + packet.duration) * packet.time_base)
            if packet.stream is not video:
                continue
            for frame in decoder.decode(packet if packet.size else None):
                seen.frames.append(frame.to_ndarray(format="rgba"))
                seen.times.append(float(frame.pts * video.time_base))
    return seen
