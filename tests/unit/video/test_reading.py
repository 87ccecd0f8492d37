"""Reading videos and cameras: orientation, times, colors, and whatever can be wrong with a file."""

import sys
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspyrenet.video import reading
from inspyrenet.video.camera import Camera
from inspyrenet.video.errors import VideoError, VideoExtraMissing
from inspyrenet.video.reading import VideoFile, display_matrix, turned
from inspyrenet.video.source import Picture, Sound
from tests.moving import cut_off, make_transparent, make_video, painted


def read(path):
    """(pictures, sounds, the file after reading)"""
    file = VideoFile(path)
    items = list(file)
    file.close()
    pictures = [item for item in items if isinstance(item, Picture)]
    return pictures, [item for item in items if isinstance(item, Sound)], file


def seconds(pictures, file):
    return [float(picture.time * file.time_base) for picture in pictures]


def test_a_file_that_cannot_be_decoded_is_closed(tmp_path, monkeypatch):
    closed = []
    container = SimpleNamespace(close=lambda: closed.append(True))
    monkeypatch.setattr(reading, "_open", lambda av, path: container)
    monkeypatch.setattr(reading, "_picture_stream", lambda container, path: None)
    monkeypatch.setattr(reading, "_decoder_of", lambda *_: (_ for _ in ()).throw(VideoError("built without libvpx")))
    with pytest.raises(VideoError, match="built without libvpx"):
        VideoFile(tmp_path / "a.webm")
    assert closed == [True]


# -- pictures -----------------------------------------------------------------------------------------------------


def test_pictures_are_rgb_and_in_order(tmp_path):
    pictures, sounds, file = read(make_video(tmp_path / "a.mp4", 8, sound="aac"))
    assert file.warning is None and file.frames == 8 and file.rate == 20
    assert len(sounds) > 10 and {sound.track for sound in sounds} == {0}
    for number, picture in enumerate(pictures):
        assert picture.array.dtype == np.uint8 and picture.array.flags.c_contiguous
        assert np.abs(picture.array.astype(int) - painted(number)).mean() < 4
    assert seconds(pictures, file) == pytest.approx([n / 20 for n in range(8)])


@pytest.mark.parametrize("form", ["mp4", "avi"])
def test_titles_in_another_encoding_are_no_damage(tmp_path, form):
    path = make_video(tmp_path / f"a.{form}", 3, form=form)
    data = path.read_bytes()
    assert b"Lavf" in data  # the program that wrote it, as a text in the file
    path.write_bytes(data.replace(b"Lavf", b"L\xe9v\xf6"))
    pictures, _, file = read(path)
    assert len(pictures) == 3 and file.warning is None


@pytest.mark.parametrize("size", [(48, 64), (720, 1280)])
def test_colors_are_converted_as_the_size_suggests(tmp_path, size):
    """An untagged small video is BT.601, a large one BT.709; the helper writes BT.601."""
    array = read(make_video(tmp_path / "a.mp4", 1, size))[0][0].array[5, 5].astype(int)
    error = np.abs(array - (230, 20, 20)).max()
    assert error < 6 if size[0] < 576 else 10 < error < 60


@pytest.mark.parametrize("form", ["webm", "mov"])
def test_transparency_is_read(tmp_path, form):
    alpha = np.zeros((48, 64), np.uint8)
    alpha[:, :32], alpha[:, 16:32] = 255, 128
    pictures, _, file = read(make_transparent(tmp_path / f"a.{form}", alpha))
    assert len(pictures) == 5 and file.warning is None
    assert all(np.abs(picture.array[..., 3].astype(int) - alpha).mean() < 2 for picture in pictures)
    assert seconds(pictures, file) == pytest.approx([n / 20 for n in range(5)])


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
def test_a_rotated_video_is_read_upright(tmp_path, turn):
    pictures, _, _ = read(make_video(tmp_path / "a.mp4", 2, turn=turn))
    expected = np.rot90(painted(1), turn // 90)  # anticlockwise, both
    assert pictures[1].array.shape == expected.shape
    assert np.abs(pictures[1].array.astype(int) - expected).mean() < 5


def framed(matrix):
    full = np.zeros((3, 3), np.int32)
    full[:2, :2] = matrix
    return SimpleNamespace(side_data={"DISPLAYMATRIX": full.tobytes()})


@given(st.sampled_from([(x, y) for x in (65536, -65536) for y in (65536, -65536)]), st.booleans(), st.integers(-9, 9))
def test_any_turn_and_mirror_puts_each_corner_where_the_matrix_says(signs, swap, tilt):
    """The matrix says where a step right and a step down go on the screen; a small tilt is ignored."""
    matrix = np.array([[tilt, signs[0]], [signs[1], tilt]] if swap else [[signs[0], tilt], [tilt, signs[1]]])
    image = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    shown = turned(image, display_matrix(framed(matrix)))
    places = np.array([[x, y] for y in range(2) for x in range(3)]) @ np.sign(np.where(abs(matrix) > 9, matrix, 0))
    places -= places.min(axis=0)
    for (x, y), color in zip(places, image.reshape(-1, 3), strict=True):
        assert (shown[y, x] == color).all()


def test_a_senseless_matrix_counts_as_upright():
    image = painted(0)
    assert (turned(image, display_matrix(framed([[0, 0], [0, 0]]))) == image).all()
    assert (turned(image, display_matrix(SimpleNamespace(side_data={}))) == image).all()


def test_variable_times_are_kept(tmp_path):
    times = [0, 30, 40, 120, 360, 372, 600]
    pictures, _, file = read(make_video(tmp_path / "a.mp4", 7, times=times))
    assert seconds(pictures, file) == pytest.approx([time / 600 for time in times])


def test_a_broadcast_that_begins_late_begins_at_zero(tmp_path):
    times = [6000 + 30 * number for number in range(6)]
    pictures, _, file = read(make_video(tmp_path / "a.mts", 6, times=times, form="mpegts"))
    assert seconds(pictures, file)[0] < 0.2 and file.warning is None
    assert [b - a for a, b in pairwise(seconds(pictures, file))] == pytest.approx([0.05] * 5)


def test_frames_without_usable_times_get_growing_ones(tmp_path):
    file = VideoFile(make_video(tmp_path / "a.mp4", 2))
    step = round(Fraction(1, 20) / file.time_base)
    given_times = [None, None, 5 * step, 5 * step, 2 * step, None]
    made = [file._time(SimpleNamespace(pts=time)) for time in given_times]
    assert made == [0, step, 5 * step, 5 * step + 1, 5 * step + 2, 6 * step + 2]
    file.close()


# -- files that are none ------------------------------------------------------------------------------------------

SUBTITLES = "1\n00:00:01,000 --> 00:00:02,000\nhello\n\n2\n00:00:03,000 --> 00:00:04,000\nthere\n"
PLAYLIST = "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nhttp://127.0.0.1:9/never.ts\n#EXT-X-ENDLIST\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"empty \(0 bytes\)"),
        (b"hello, this is a letter and no video\n" * 30, "not a video of a known kind"),
        (SUBTITLES.encode(), "not a video of a known kind"),
        (PLAYLIST.encode(), "x.mp4: "),
        (None, "no such file|No such file"),
    ],
)
def test_what_is_no_video(tmp_path, content, message):
    path = tmp_path / "x.mp4"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(VideoError, match=message) as caught:
        VideoFile(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_sound_alone_is_no_video(tmp_path):
    with pytest.raises(VideoError, match=r"holds no video \(a file of audio\)"):
        VideoFile(make_video(tmp_path / "a.mp4", 0, sound="aac", seconds=0.2))


def test_a_video_without_frames_gives_none(tmp_path):
    path = make_video(tmp_path / "a.mkv", 0, form="matroska", sound="aac", seconds=0.2)
    pictures, sounds, _ = read(path)
    assert pictures == [] and sounds


def test_a_name_that_looks_like_an_address(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_video(tmp_path / "plain.mp4", 2)
    Path("plain.mp4").rename("http:a.mp4")
    assert len(read(Path("http:a.mp4"))[0]) == 2


# -- cut short ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "options"), [("mp4", {"movflags": "faststart"}), ("matroska", {}), ("avi", {}), ("webm", {})]
)
def test_a_video_cut_short_gives_what_is_there_and_says_so(tmp_path, form, options):
    codec = "libvpx-vp9" if form == "webm" else "libx264"
    whole = make_video(tmp_path / "whole", 60, (192, 256), form=form, options=options, codec=codec)
    assert read(whole)[2].warning is None
    pictures, _, file = read(cut_off(whole, tmp_path / "cut"))
    assert 5 < len(pictures) < 60
    assert "cut short" in file.warning or "damaged" in file.warning


def test_an_mp4_without_its_index_says_what_happened(tmp_path):
    cut = cut_off(make_video(tmp_path / "whole.mp4", 30), tmp_path / "cut.mp4")
    with pytest.raises(VideoError, match="index is missing, so it was cut short"):
        VideoFile(cut)


def test_damage_in_the_middle_costs_its_frames_only(tmp_path):
    path = make_video(tmp_path / "a.avi", 40, (96, 128), form="avi")
    data = bytearray(path.read_bytes())
    middle = data.index(b"00dc", len(data) // 2) + 8
    data[middle : middle + 12] = b"\xff" * 12
    path.write_bytes(data)
    pictures, _, file = read(path)
    assert 25 < len(pictures) <= 40 and (len(pictures) == 40 or "damaged" in file.warning)


# -- a camera -----------------------------------------------------------------------------------------------------


class FakeCapture:
    """What OpenCV gives, BGR; after the last picture it fails, as an unplugged camera does."""

    def __init__(self, pictures=(), opened=True, rate=25.0):
        self.pictures, self.opened, self.rate, self.released = list(pictures), opened, rate, 0

    def isOpened(self):
        return self.opened

    def read(self):
        return (True, self.pictures.pop(0)) if self.pictures else (False, None)

    def get(self, property):
        return self.rate

    def release(self):
        self.released += 1


def test_a_camera_gives_rgb_timed_by_the_clock():
    clock = iter([100.0, 100.04, 100.0405, 101.0])
    capture = FakeCapture([painted(number)[..., ::-1] for number in range(4)])
    camera = Camera(0, capture, lambda: next(clock))
    pictures = list(camera)
    assert [picture.time * camera.time_base for picture in pictures] == [0, Fraction(40, 1000), Fraction(41, 1000), 1]
    for number, picture in enumerate(pictures):
        assert (picture.array == painted(number)).all() and picture.array.flags.c_contiguous
    camera.close()
    assert capture.released == 1 and camera.rate == 25 and camera.is_camera


@pytest.mark.parametrize(("told", "rate"), [(0.0, 30), (-1.0, 30), (float("nan"), 30), (59.94, 60), (1e9, 30)])
def test_a_camera_that_does_not_know_its_rate(told, rate):
    assert Camera(0, FakeCapture(rate=told)).rate == rate


def test_a_camera_that_is_not_there():
    capture = FakeCapture(opened=False)
    with pytest.raises(VideoError, match="camera 7 is not there, is in use, or may not be opened"):
        Camera(7, capture)
    assert capture.released == 1


LISTS = {
    "ffconcat": "ffconcat version 1.0\nfile secret.mp4\n",
    "concat": "file 'secret.mp4'\n",
    "m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nsecret.mp4\n#EXT-X-ENDLIST\n",
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n",
    "mpd": '<MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><BaseURL>secret.mp4</BaseURL></MPD>',
    "subtitles": "1\n00:00:00,000 --> 00:00:01,000\nhello\n",
    "vobsub": "# VobSub index file, v7\nsize: 64x48\nid: en, index: 0\ntimestamp: 00:00:00:000, filepos: 000000000\n",
}


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi", ".ts"])
@pytest.mark.parametrize("kind", LISTS)
def test_a_list_of_other_files_is_no_video(tmp_path, kind, suffix):
    """Whatever it is called, it does not show what lies beside it."""
    make_video(tmp_path / "secret.mp4", 1)
    (tmp_path / f"list{suffix}").write_text(LISTS[kind])
    with pytest.raises(VideoError, match="not a video of a known kind"):
        VideoFile(tmp_path / f"list{suffix}")


def test_a_video_under_another_name_is_read(tmp_path):
    make_video(tmp_path / "a.webm", 2).rename(tmp_path / "b.mp4")
    assert len(read(tmp_path / "b.mp4")[0]) == 2


def test_a_camera_without_opencv_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(VideoExtraMissing, match=r"cameras .* need OpenCV, of the extra video"):
        Camera(0)
