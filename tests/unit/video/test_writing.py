"""Writing videos: formats, transparency, sizes, times, sound; and the three threads, with a network that is none."""

import io
import signal
import threading
import weakref
from fractions import Fraction
from types import SimpleNamespace

import av
import numpy as np
import pytest

from inspyrenet.networks.network import NotEnoughMemory
from inspyrenet.remover.compositing import OutputStyle
from inspyrenet.video import process, writing
from inspyrenet.video.errors import VideoError
from inspyrenet.video.formats import FORMATS, encoding_of
from inspyrenet.video.opening import open_writer
from inspyrenet.video.process import FrameOptions, cut_video
from inspyrenet.video.raw import RawWriter
from inspyrenet.video.reading import VideoFile
from inspyrenet.video.sound import Copied
from inspyrenet.video.source import Colors, Picture, Sound
from inspyrenet.video.writing import VideoWriter
from tests.moving import look, make_tagged, make_video, painted

BASE = Fraction(1, 600)


class Film:
    """A source of painted pictures, without a file."""

    tracks, shift, aspect, colors, warning, plays = (), Fraction(0), Fraction(1), Colors(), None, 0
    name, time_base, rate = "film", BASE, Fraction(20)

    def __init__(self, count=12, size=(48, 64), is_camera=False, times=None):
        self.count, self.size, self.is_camera, self.frames, self.closed = count, size, is_camera, count, 0
        self.times = times or [30 * number for number in range(count)]
        self.arrays = []

    def __iter__(self):
        for number in range(self.count):
            array = painted(number, *self.size)
            self.arrays.append(weakref.ref(array))
            yield Picture(array, self.times[number], 30)

    def alive(self):
        """How many pictures are held anywhere."""
        return sum(array() is not None for array in self.arrays)

    def close(self):
        self.closed += 1


class FakeRemover:
    """The map is where the picture is red; answers as Remover does."""

    device, edges = "cpu", "multilevel"

    def __init__(self, merging=False, fail=None):
        self.network, self.fail, self.batches, self.seen = SimpleNamespace(merging=merging), fail, [], []

    def process_batch(self, images, type, threshold, reverse, batch_size):
        self.seen.append((type, threshold, reverse, self.edges))
        for start in range(0, len(images), batch_size):
            self.batches.append(len(images[start : start + batch_size]))
            if self.fail:
                self.fail(len(self.batches), self.batches[-1])
        return [(image[..., 0] > 200).astype(np.uint8) * 255 for image in images]


class ColorRemover(FakeRemover):
    """Gives the picture itself."""

    def process_batch(self, images, type, threshold, reverse, batch_size):
        super().process_batch(images, type, threshold, reverse, batch_size)
        return images


def run(tmp_path, source, remover=None, form="mp4", style="map", **options):
    target = tmp_path / f"made.{form}"
    writer = VideoWriter(target, encoding_of(form, style == "rgba", source.is_camera), source)
    return cut_video(source, writer, remover or FakeRemover(), FrameOptions(OutputStyle(style)), **options)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def write(path, arrays, transparent, form, source=None):
    writer = VideoWriter(path, encoding_of(form, transparent), source or Film())
    for number, array in enumerate(arrays):
        writer.picture(Picture(array, 30 * number, 30))
    writer.finish(path)
    return look(path)


# -- formats ------------------------------------------------------------------------------------------------------


def soft(number, height=48, width=64):
    alpha = np.broadcast_to(np.linspace(0, 255, width).astype(np.uint8), (height, width))
    return np.dstack([painted(number, height, width), alpha])


@pytest.mark.parametrize(("form", "codec", "near"), [("webm", "vp9", 6), ("mov", "prores", 2)])
@pytest.mark.parametrize("size", [(48, 64), (47, 63)])
def test_transparency_comes_back(tmp_path, form, codec, near, size):
    seen = write(tmp_path / f"a.{form}", [soft(number, *size) for number in range(4)], True, form)
    assert seen.codec == codec and len(seen.frames) == 4 and seen.rate == 20
    for number, frame in enumerate(seen.frames):
        error = np.abs(frame.astype(int) - soft(number, *size))
        assert frame.shape == (*size, 4) and error[..., 3].max() <= near and error[..., :3].mean() < 5


@pytest.mark.parametrize(("form", "codec"), [("mp4", "h264"), ("webm", "vp9"), ("mov", "prores")])
def test_opaque_videos_and_maps(tmp_path, form, codec):
    ramp = np.broadcast_to(np.linspace(0, 255, 64).astype(np.uint8), (48, 64))
    for name, arrays in (("map", [ramp] * 3), ("color", [painted(number) for number in range(3)])):
        seen = write(tmp_path / f"{name}.{form}", arrays, False, form)
        assert seen.codec == codec
        for frame, array in zip(seen.frames, arrays, strict=True):
            expected = array if array.ndim == 3 else np.repeat(array[..., None], 3, axis=2)
            assert np.abs(frame[..., :3].astype(int) - expected).mean() < 4
            if name == "map":
                assert np.abs(frame[..., 0].astype(int) - ramp).max() < 8  # the whole range


@pytest.mark.parametrize("size", [(47, 63), (1, 1), (48, 63)])
def test_h264_repeats_the_last_line_of_an_odd_side(tmp_path, size):
    frame = write(tmp_path / "a.mp4", [painted(3, *size)] * 2, False, "mp4").frames[0]
    assert frame.shape[:2] == tuple(side + side % 2 for side in size)
    assert np.abs(frame[-1, -1, :3].astype(int) - painted(3, *size)[-1, -1]).max() < 12


def test_an_odd_size_is_kept_or_said(tmp_path):
    outcome = run(tmp_path, Film(2, (47, 64)))
    assert outcome.note.startswith("64×47 became 64×48: ") and look(outcome.path).frames[0].shape[:2] == (48, 64)
    for form, size in (("mp4", (48, 64)), ("webm", (47, 63)), ("mov", (47, 63))):
        outcome = run(tmp_path, Film(2, size), form=form)
        assert outcome.note is None and look(outcome.path).frames[0].shape[:2] == size


def test_a_picture_of_another_size_is_scaled_to_the_first(tmp_path):
    seen = write(tmp_path / "a.mp4", [painted(1), painted(1, 96, 128)], False, "mp4")
    assert seen.frames[1].shape == seen.frames[0].shape
    assert np.abs(seen.frames[1].astype(int) - seen.frames[0]).mean() < 4


def test_large_red_stays_red(tmp_path):
    array = np.full((720, 1280, 3), (230, 20, 20), np.uint8)
    seen = VideoFile(write_and_name(tmp_path / "a.mp4", array))
    assert np.abs(next(iter(seen)).array.astype(int) - array).max() < 5
    seen.close()


def write_and_name(path, array):
    write(path, [array], False, "mp4")
    return path


def test_colors_beyond_bt709_are_carried_over(tmp_path):
    film = Film()
    film.colors = Colors(9, 9, 18)  # BT.2020, HLG
    write(tmp_path / "a.mp4", [painted(0)], False, "mp4", film)
    file = VideoFile(tmp_path / "a.mp4")
    assert np.abs(next(iter(file)).array.astype(int) - painted(0)).mean() < 4
    assert file.colors == film.colors
    file.close()


@pytest.mark.parametrize(("form", "full"), [("mp4", True), ("webm", True), ("mov", False)])
@pytest.mark.parametrize("matrix", [1, 6])
def test_range_and_matrix_are_kept(tmp_path, form, full, matrix):
    """1 and 6: BT.709 and BT.601, as ITU-T H.273 counts them. ProRes knows the limited range alone."""
    clip = make_tagged(tmp_path / "a.mp4", color_range=2, colorspace=matrix)
    run(tmp_path, VideoFile(clip), ColorRemover(), form, "white")
    with av.open(str(tmp_path / f"made.{form}")) as container:
        frame = next(container.decode(video=0))
        assert (int(frame.color_range), int(frame.colorspace)) == (1 + full, matrix)
    file = VideoFile(tmp_path / f"made.{form}")
    assert np.abs(next(iter(file)).array.astype(int) - painted(0)).mean() < 4
    file.close()


@pytest.mark.parametrize("form", ["mp4", "webm", "mov"])
def test_ten_bits_of_hdr_keep_their_tags_and_brightness(tmp_path, form):
    """BT.2020 with PQ; what is written has 8 bits in MP4 and WebM."""
    tags = {"color_range": 1, "colorspace": 9, "color_primaries": 9, "color_trc": 16}
    clip = make_tagged(tmp_path / "a.mp4", "yuv420p10le", **tags)
    run(tmp_path, VideoFile(clip), ColorRemover(), form, "white")
    with av.open(str(tmp_path / f"made.{form}")) as container:
        frame = next(container.decode(video=0))
        assert {name: int(getattr(frame, name)) for name in tags} == tags
    file = VideoFile(tmp_path / f"made.{form}")
    assert np.abs(next(iter(file)).array.astype(int) - painted(0)).mean() < 4
    file.close()


def test_a_source_without_pictures_or_an_unwritable_place_leave_nothing(tmp_path):
    with pytest.raises(VideoError, match="film: no frames could be had"):
        run(tmp_path, Film(0))
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError, match=r"cannot write .*made\.mp4 .*; choose a writable folder"):
        run(tmp_path / "file", Film())
    assert names(tmp_path) == ["file"]


# -- sound and times ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sound", "form", "codec"),
    [("aac", "mp4", "aac"), ("aac", "mov", "aac"), ("aac", "webm", "opus"), ("ac3", "mp4", "ac3")],
)
def test_sound_is_kept(tmp_path, sound, form, codec):
    original = make_video(tmp_path / "in.mkv", 20, sound=sound, form="matroska")
    run(tmp_path, VideoFile(original), form=form)
    before, after = look(original), look(tmp_path / f"made.{form}")
    assert after.sound_codec == codec and after.sound_seconds == pytest.approx(before.sound_seconds, abs=0.06)
    if codec == sound:
        assert after.sound == before.sound  # not one byte is encoded again


def test_sound_in_broadcast_packets_is_unpacked(tmp_path):
    run(tmp_path, VideoFile(make_video(tmp_path / "in.mts", 20, sound="aac", form="mpegts")))
    assert look(tmp_path / "made.mp4").sound_seconds == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("form", ["mp4", "webm"])
@pytest.mark.parametrize(("sound", "container"), [("aac", "mpegts"), ("mp2", "mpegts"), ("mp2", "vob")])
def test_joined_recordings_run_on(tmp_path, sound, container, form):
    rate = Fraction(25)
    part = make_video(tmp_path / "part", 20, sound=sound, form=container, codec="mpeg2video", base=1 / rate, rate=rate)
    (tmp_path / "in.ts").write_bytes(2 * part.read_bytes())
    outcome = run(tmp_path, VideoFile(tmp_path / "in.ts"), form=form)
    seen = look(outcome.path)
    assert len(seen.frames) >= 38  # what lies at the joint may be damaged
    steps = np.diff(seen.times)
    assert steps.min() > 0.03 and seen.times[-1] == pytest.approx(1.56, abs=0.1)
    assert seen.sound_seconds == pytest.approx(1.6, abs=0.15)


def test_sound_that_changes_its_kind_is_written_on(tmp_path):
    for channels in ("mono", "stereo"):
        with av.open(str(tmp_path / channels), "w", format="mpegts") as out:
            video = out.add_stream("mpeg2video", rate=20)
            video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
            track = out.add_stream("mp2", rate=48000, layout=channels)
            for number in range(20):
                frame = av.VideoFrame.from_ndarray(painted(number), format="rgb24").reformat(format="yuv420p")
                frame.pts, frame.time_base = number, Fraction(1, 20)
                out.mux(video.encode(frame))
                wave = np.zeros((1, 2400 * (1 + (channels == "stereo"))), np.int16)
                piece = av.AudioFrame.from_ndarray(wave, format="s16", layout=channels)
                piece.sample_rate, piece.pts, piece.time_base = 48000, 2400 * number, Fraction(1, 48000)
                out.mux(track.encode(piece))
            for stream in (video, track):
                out.mux(stream.encode(None))
    (tmp_path / "in.ts").write_bytes(b"".join((tmp_path / name).read_bytes() for name in ("mono", "stereo")))
    outcome = run(tmp_path, VideoFile(tmp_path / "in.ts"), form="webm")
    seen = look(outcome.path)
    assert len(seen.frames) >= 38 and seen.sound_codec == "opus"
    assert seen.sound_seconds == pytest.approx(2, abs=0.3)


def test_sound_that_cannot_be_written_costs_no_picture(tmp_path, monkeypatch):
    def put(self, packet):
        raise av.error.ArgumentError(22, "Invalid argument")

    monkeypatch.setattr(Copied, "put", put)
    outcome = run(tmp_path, VideoFile(make_video(tmp_path / "in.mp4", 20, sound="aac")))
    assert outcome.frames == 20 and "packets of sound left out" in outcome.note


@pytest.mark.parametrize(("form", "codec"), [("matroska", "libvpx-vp9"), ("mov", "prores_ks"), ("mp4", "libx264")])
def test_the_shape_of_pixels_is_kept_or_said(tmp_path, form, codec):
    path = tmp_path / "in.video"
    with av.open(str(path), "w", format=form) as out:
        video = out.add_stream(codec, rate=20)
        video.width, video.height = 64, 48
        video.pix_fmt = "yuv422p10le" if form == "mov" else "yuv420p"
        video.codec_context.sample_aspect_ratio = Fraction(4, 3)
        for number in range(4):
            frame = av.VideoFrame.from_ndarray(painted(number), format="rgb24").reformat(format=video.pix_fmt)
            frame.pts, frame.time_base = number, Fraction(1, 20)
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
    with av.open(str(path)) as written:
        aspect = written.streams.video[0].sample_aspect_ratio or 1
    for target in ("mp4", "webm"):
        outcome = run(tmp_path, VideoFile(path), form=target)
        with av.open(str(outcome.path)) as made:
            stream = made.streams.video[0]
            shown = Fraction(stream.width, stream.height) * (stream.sample_aspect_ratio or 1)
        assert float(shown) == pytest.approx(float(aspect * 64 / 48), rel=0.02)
        assert ("became square" in (outcome.note or "")) == (target == "webm" and aspect != 1)


@pytest.mark.parametrize("form", ["mp4", "webm", "mov"])
def test_variable_times_are_kept(tmp_path, form):
    times = [0, 30, 40, 120, 360, 372, 600]
    run(tmp_path, VideoFile(make_video(tmp_path / "in.mp4", 7, times=times)), form=form)
    assert look(tmp_path / f"made.{form}").times == pytest.approx([time / 600 for time in times], abs=0.0011)


@pytest.mark.parametrize("rate", [Fraction(30000, 1001), 24, Fraction(25, 2)])
def test_the_frame_rate_is_kept(tmp_path, rate):
    base = Fraction(1, rate.numerator if isinstance(rate, Fraction) else 600)
    original = make_video(tmp_path / "in.mp4", 25, rate=rate, base=base)
    run(tmp_path, VideoFile(original))
    before, after = look(original), look(tmp_path / "made.mp4")
    assert after.rate == before.rate and after.times == pytest.approx(before.times)


# -- the three threads --------------------------------------------------------------------------------------------


def test_frames_go_through_the_network_in_batches_and_come_out_in_order(tmp_path):
    remover, ticks = FakeRemover(), []
    film = Film(10)
    outcome = run(tmp_path, film, remover, on_progress=ticks.append)
    assert (outcome.frames, outcome.seconds, outcome.warning, outcome.stopped) == (10, 0.5, None, False)
    assert remover.batches == ticks == [4, 4, 2] and film.closed
    assert look(tmp_path / "made.mp4").times == pytest.approx([number / 20 for number in range(10)])
    assert outcome.path == tmp_path / "made.mp4" and names(tmp_path) == ["made.mp4"]


def test_edges_are_left_as_they_are_unless_asked_for(tmp_path):
    remover = FakeRemover()
    run(tmp_path, Film(4), remover)
    assert remover.seen[0][3] == "none" and remover.edges == "multilevel"
    writer = VideoWriter(tmp_path / "b.mp4", encoding_of("mp4", False), Film())
    cut_video(Film(4), writer, remover, FrameOptions(OutputStyle("map"), 0.5, True, edges="multilevel"))
    assert remover.seen[1] == (OutputStyle("map"), 0.5, True, "multilevel")


@pytest.mark.parametrize(("is_camera", "merging"), [(True, False), (False, True)])
def test_one_at_a_time_from_a_camera_and_with_merged_patches(tmp_path, is_camera, merging):
    remover = FakeRemover(merging)
    run(tmp_path, Film(3, is_camera=is_camera), remover)
    assert set(remover.batches) == {1}


def test_a_batch_that_the_memory_does_not_hold_is_halved_for_good(tmp_path):
    def fail(number, size):
        if size > 2:
            raise NotEnoughMemory(f"not enough memory for {size} images")

    remover = FakeRemover(fail=fail)
    assert run(tmp_path, Film(12), remover).frames == 12
    assert remover.batches == [4, 2, 2, 2, 2, 2, 2]


@pytest.mark.parametrize("form", FORMATS)
def test_memory_does_not_grow_with_the_length(tmp_path, monkeypatch, form):
    """Pictures held at once, of a clip and of one ten times as long."""
    monkeypatch.setattr(process, "ROOM", 6 * painted(0).nbytes)
    most = []
    for count in (20, 200):
        film, held = Film(count), []
        remover = ColorRemover(fail=lambda *_, held=held, film=film: held.append(film.alive()))
        writer = open_writer(tmp_path / f"{count}.{form}", film, False, True, "")
        cut_video(film, writer, remover, FrameOptions(OutputStyle("white")))
        assert writer.frames == count
        most.append(max(held))
    assert max(most) < 22  # six wait on each side, four are in the network, two in the writer, a few are on their way


def test_memory_does_not_grow_with_the_sound_between_two_pictures(monkeypatch):
    monkeypatch.setattr(process, "ROOM", 10_000)
    held, alive = [], weakref.WeakSet()

    class Loud(Film):
        def __iter__(self):
            yield from super().__iter__()
            for _ in range(200):
                sound = Sound(0, SimpleNamespace(size=1000))
                alive.add(sound)
                held.append(len(alive))
                yield sound

    cut_video(Loud(1), RawWriter(io.BytesIO()), FakeRemover(), FrameOptions(OutputStyle("map")))
    assert len(held) == 200 and max(held) < 40  # ten wait on each side, eleven are in a group, a few are on their way


def test_sound_before_the_first_picture_is_kept_as_far_as_there_is_room(tmp_path, monkeypatch):
    file = VideoFile(make_video(tmp_path / "in.mp4", 20, sound="aac"))
    items = list(file)
    sounds = [item for item in items if isinstance(item, Sound)]
    monkeypatch.setattr(writing, "EARLY", sum(sound.nbytes for sound in sounds[-10:]))
    writer = VideoWriter(tmp_path / "a.mp4", encoding_of("mp4", False), file)
    for sound in sounds:
        writer.sound(sound)
    for item in items:
        if isinstance(item, Picture):
            writer.picture(item)
    writer.finish(tmp_path / "a.mp4")
    file.close()
    assert look(tmp_path / "a.mp4").sound == look(tmp_path / "in.mp4").sound[-10:]
    assert f"{len(sounds) - 10} packets of sound left out" in writer.note


def test_a_wish_to_stop_leaves_a_playable_part(tmp_path):
    film, remover = Film(40), FakeRemover()
    outcome = run(tmp_path, film, remover, wanted=lambda: len(remover.batches) < 2)
    assert outcome.stopped and outcome.path.name == "made.partial.mp4" and outcome.frames == 8
    assert len(look(outcome.path).frames) == 8 and names(tmp_path) == ["made.partial.mp4"] and film.closed


class Stalled(Film):
    """After five pictures, nothing comes for a long time."""

    def __init__(self):
        super().__init__(6)
        self.goes_on = threading.Event()

    def __iter__(self):
        for picture in super().__iter__():
            yield picture
            if len(self.arrays) == 5:
                self.goes_on.wait(60)


@pytest.fixture
def stalled(monkeypatch):
    monkeypatch.setattr(process, "PATIENCE", 0.01)
    monkeypatch.setattr(process, "GRACE", 0.05)
    film = Stalled()
    yield film
    film.goes_on.set()


def test_a_wish_to_stop_is_heard_while_no_picture_comes(tmp_path, stalled):
    remover = FakeRemover()
    outcome = run(tmp_path, stalled, remover, wanted=lambda: not remover.batches)
    assert outcome.stopped and outcome.frames == 4 and names(tmp_path) == ["made.partial.mp4"]
    assert len(stalled.arrays) == 5 and not stalled.closed  # a thread is still in it


def test_an_interrupt_does_not_wait_for_the_next_picture(tmp_path, stalled):
    writer = VideoWriter(tmp_path / "made.mp4", encoding_of("mp4", False), stalled)

    def interrupted():
        if writer.frames == 4:  # it has nothing to do
            raise KeyboardInterrupt
        return True

    with pytest.raises(KeyboardInterrupt):
        cut_video(stalled, writer, FakeRemover(), FrameOptions(OutputStyle("map")), interrupted)
    assert len(stalled.arrays) == 5 and names(tmp_path) == []


def test_an_interrupt_does_not_wait_for_a_writer_that_is_stuck(stalled):
    """Nobody takes what goes to stdout."""
    main, written = threading.main_thread().ident, []

    class Stuck:
        def write(self, data):
            signal.pthread_kill(main, signal.SIGINT)
            stalled.goes_on.wait(60)
            written.append(data)
            return len(data)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a program in the background may ignore it
    try:
        with pytest.raises(KeyboardInterrupt):
            cut_video(stalled, RawWriter(Stuck()), FakeRemover(), FrameOptions(OutputStyle("map")))
    finally:
        signal.signal(signal.SIGINT, before)
    assert written == []


def test_a_stop_before_the_first_picture_is_no_error_of_the_video(tmp_path):
    film = Film(4)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, film, wanted=lambda: False)
    assert names(tmp_path) == [] and film.closed


def test_a_camera_that_is_stopped_is_whole(tmp_path):
    remover, camera = FakeRemover(), Film(40, is_camera=True)
    outcome = run(tmp_path, camera, remover, "webm", wanted=lambda: len(remover.batches) < 3)
    assert outcome.stopped and outcome.path.name == "made.webm" and len(look(outcome.path).frames) == 3


def test_a_camera_drops_what_nobody_has_time_for(tmp_path, monkeypatch):
    monkeypatch.setattr(process, "ROOM", 2 * painted(0).nbytes)
    ended = threading.Event()

    class Quick(Film):
        def __iter__(self):
            yield from super().__iter__()
            ended.set()

    remover = FakeRemover(fail=lambda number, size: ended.wait(10))  # the camera never waits for the network
    outcome = run(tmp_path, Quick(50, is_camera=True), remover)
    assert ended.is_set() and 1 <= outcome.frames < 6 and outcome.path.name == "made.mp4"
    assert outcome.dropped == 50 - outcome.frames


def test_a_network_that_fails_in_the_middle_costs_only_what_comes_after(tmp_path):
    def fail(number, size):
        if number > 2:
            raise RuntimeError("the device is gone")

    outcome = run(tmp_path, Film(40), FakeRemover(fail=fail))
    assert outcome.warning == "could not be taken further (the device is gone)" and not outcome.stopped
    assert outcome.path.name == "made.partial.mp4" and len(look(outcome.path).frames) == 8


def test_an_interrupt_leaves_nothing(tmp_path):
    def fail(number, size):
        raise KeyboardInterrupt

    film = Film(40)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, film, FakeRemover(fail=fail))
    assert names(tmp_path) == [] and film.closed and threading.active_count() < 5


def test_a_full_disk_ends_it_and_leaves_nothing(tmp_path, monkeypatch):
    def full(self, picture):
        raise OSError(28, "cannot write made.mp4 (No space left on device)")

    monkeypatch.setattr(VideoWriter, "picture", full)
    with pytest.raises(OSError, match="No space left") as caught:
        run(tmp_path, Film(200))
    assert caught.value.errno == 28 and names(tmp_path) == []
