"""Parts of the video way that need no video: the queue between threads, formats, names, requests, a missing package."""

import builtins
import signal
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from inspyrenet.data.images.encode import FormatError
from inspyrenet.files import request
from inspyrenet.remover import output_paths
from inspyrenet.video.bounded_queue import BoundedQueue, Closed
from inspyrenet.video.errors import VideoExtraMissing, load_av
from inspyrenet.video.formats import check_video_format, default_format, encoding_of
from inspyrenet.video.stopping import Stop

# -- the queue ----------------------------------------------------------------------------------------------------


@settings(max_examples=30)
@given(st.lists(st.integers(1, 20), max_size=40), st.integers(1, 30))
def test_everything_arrives_in_order_and_never_more_than_the_room_waits(weights, room):
    bounded_queue = BoundedQueue(room, lambda item: item[1])
    waiting = []

    def send():
        for item in enumerate(weights):
            bounded_queue.put(item)
            waiting.append(bounded_queue._weight)
        bounded_queue.end()

    sender = threading.Thread(target=send)
    sender.start()
    assert list(bounded_queue) == list(enumerate(weights))
    sender.join()
    assert all(weight <= max(room, *weights) for weight in waiting)


def test_an_offer_drops_what_has_waited_longest_where_there_is_no_room():
    bounded_queue = BoundedQueue(10, lambda item: item)
    assert [bounded_queue.offer(weight) for weight in (4, 5, 7, 50, 1)] == [0, 0, 2, 1, 1]  # one item always fits
    bounded_queue.end()
    assert list(bounded_queue) == [1]


def test_the_senders_error_comes_after_its_items():
    bounded_queue = BoundedQueue(10, lambda item: 1)
    bounded_queue.put("a")
    bounded_queue.end(ValueError("broken"))
    items = iter(bounded_queue)
    assert next(items) == "a"
    with pytest.raises(ValueError, match="broken"):
        next(items)


def test_who_waits_can_look_up_now_and_then():
    bounded_queue = BoundedQueue(10, lambda item: item)
    items = bounded_queue.polled(0.001)
    assert next(items) is None and next(items) is None
    bounded_queue.put(5)
    assert next(items) == 5
    bounded_queue.end()
    assert list(items) == []


def test_a_receiver_that_is_gone_frees_a_waiting_sender():
    bounded_queue = BoundedQueue(1, lambda item: 1)
    bounded_queue.put("a")
    caught = []

    def send():
        try:
            bounded_queue.put("b")
        except Closed as error:
            caught.append(error)

    sender = threading.Thread(target=send)
    sender.start()
    bounded_queue.abandon()
    sender.join(5)
    assert len(caught) == 1 and list(bounded_queue) == []


def test_the_receivers_error_reaches_the_sender_and_stays():
    bounded_queue = BoundedQueue(1, lambda item: 1)
    bounded_queue.abandon(OSError(28, "full"))
    with pytest.raises(OSError, match="full"):
        bounded_queue.put("a")
    bounded_queue.end()
    with pytest.raises(OSError, match="full"):
        bounded_queue.raise_error()


# -- stopping -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_is_a_wish_and_the_second_interrupts(number, capfd):
    before = signal.getsignal(number)
    with Stop() as stop:
        assert not stop.wanted
        signal.raise_signal(number)
        assert stop.wanted and "finishing the file" in capfd.readouterr().err
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)
    assert signal.getsignal(number) is before


# -- formats ------------------------------------------------------------------------------------------------------


def test_formats():
    assert [check_video_format(name) for name in (".MP4", "webm", "mov")] == ["mp4", "webm", "mov"]
    assert (
        check_video_format("webm", True) == "webm" and default_format(True) == "webm" and default_format(False) == "mp4"
    )
    assert check_video_format("PNG", True) == "frames"
    with pytest.raises(FormatError, match="mp4 has no transparency: take webm or mov or webp or gif"):
        check_video_format("mp4", True)
    with pytest.raises(FormatError, match="there is mp4, webm, mov, webp, gif, apng, frames"):
        check_video_format("flv")


def test_a_camera_is_encoded_faster():
    assert encoding_of("mp4", False, is_camera=True).options["preset"] == "ultrafast"
    assert int(encoding_of("webm", True, True).options["cpu-used"]) > int(encoding_of("webm", True).options["cpu-used"])


# -- names --------------------------------------------------------------------------------------------------------


def test_names_of_videos_among_images():
    sources = [Path("in", name) for name in ("a.jpg", "a.mp4", "b.mov", "b.mp4", "c.webm")]
    made = output_paths.plan(sources, Path("in"), Path("out"), "png", "mp4")
    assert [(str(job.target), job.kind) for job in made] == [
        ("out/a.png", "image"),
        ("out/a.mp4", "video"),
        ("out/b.mov.mp4", "video"),
        ("out/b.mp4.mp4", "video"),
        ("out/c.mp4", "video"),
    ]
    among = output_paths.plan(sources, Path("in"), Path("in"), "png", "webm")
    assert [job.target.name for job in among][1:3] == ["a.out.webm", "b.mov.out.webm"]


def test_a_live_photo_is_no_twin_of_its_video(tmp_path):
    for name in ("a.mov", "a.jpg"):
        (tmp_path / name).touch()
    both = [tmp_path / "a.jpg", tmp_path / "a.mov"]
    assert [job.target.name for job in output_paths.plan_beside(both, ("png", "webm"))] == ["a.out.png", "a.out.webm"]
    (tmp_path / "a.mp4").touch()
    assert output_paths.plan_beside(both[1:], ("png", "webm"))[0].target.name == "a.mov.out.webm"


def test_partial_results_are_no_inputs():
    assert output_paths.partial(Path("x/clip.out.webm")) == Path("x/clip.out.partial.webm")
    assert output_paths.is_result(Path("clip.out.partial.webm")) and not output_paths.is_result(
        Path("clip.partial.webm")
    )


# -- requests -----------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(request, "_check_videos", lambda jobs, steady: None)
    for name in ("a.jpg", "b.mp4", "sub/c.MOV", "notes.txt", "d.out.webm"):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"content")
    return tmp_path


def targets(*words, **options):
    return sorted(
        (job.target.as_posix(), job.kind) for job in request.parse_request(request.Request(*words, **options)).jobs
    )


def test_a_folder_of_both(folder):
    expected = [("out/a.png", "image"), ("out/b.webm", "video"), ("out/sub/c.webm", "video")]
    assert targets("in", "out") == expected
    assert targets("in", "out", type="map")[1:] == [("out/b.mp4", "video"), ("out/sub/c.mp4", "video")]
    assert targets("in", "out", format="mov") == [(n.replace("webm", "mov"), kind) for n, kind in expected]
    assert targets("in", "out", type="map", format="jpg")[:2] == [("out/a.jpg", "image"), ("out/b.mp4", "video")]
    assert str(request.parse_request(request.Request("in", "out"))) == "1 image, 2 videos"


def test_one_video(folder):
    assert targets("in/b.mp4") == [("in/b.out.webm", "video")]
    assert targets("in/b.mp4", "cut") == [("cut/b.webm", "video")]
    assert targets("in/b.mp4", "cut.mov") == [("cut.mov", "video")]


def test_what_moves_is_a_video_where_the_result_can_move(folder):
    for name in ("still.gif", "film.gif", "film.webp", "film.png"):
        frames = [Image.new("RGB", (8, 8), color) for color in ("red", "blue")[: 1 + ("film" in name)]]
        frames[0].save(folder / "in" / name, save_all=True, append_images=frames[1:])
    found = dict(targets("in", "out", format="webp"))
    assert found["out/still.webp"] == "image" and found["out/b.webp"] == "video"
    assert [found[f"out/film.{name}.webp"] for name in ("gif", "png", "webp")] == ["video"] * 3
    assert targets("in/film.gif", "cut.apng") == [("cut.apng", "video")]
    assert targets("in/film.gif", format="gif") == [("in/film.gif.out.gif", "video")]
    assert targets("in/film.png", format="png") == [("in/film.png.out.png", "image")]  # its first frame
    assert dict(targets("in", "out"))["out/film.gif.png"] == "image"


def test_frames_of_a_video_go_to_a_folder(folder):
    assert targets("in/b.mp4", format="png") == [("in/b.out.frames", "video")]
    assert targets("in/b.mp4", "shot.frames") == [("shot.frames", "video")]
    assert dict(targets("in", "out", format="png"))["out/b.webm"] == "video"  # png is what the images become
    (folder / "shot.frames").mkdir()
    work = request.parse_request(request.Request("in/b.mp4", "shot.frames"))
    assert not work.jobs and [job.target.name for job in work.skipped] == ["shot.frames"]
    (folder / "in" / "b.out.frames").mkdir()
    (folder / "in" / "b.out.frames" / "000001.png").write_bytes(b"content")
    assert all("000001" not in name for name, _ in targets("in", "out"))  # results are no sources


def test_a_camera(folder):
    assert targets("0") == [("camera0.out.webm", "camera")]
    assert targets("1", "cut", type="green") == [("cut/camera1.mp4", "camera")]
    assert targets("0", "cut/me.mov") == [("cut/me.mov", "camera")]
    (folder / "0").mkdir()
    with pytest.raises(request.JobError, match="0: no images in this folder"):
        targets("0")


@pytest.mark.parametrize(
    ("words", "options", "message"),
    [
        (("in/b.mp4", "b.png"), {}, "png is a format of images; for videos there is mp4, webm, mov"),
        (("in/b.mp4",), {"format": "flv"}, "flv is unknown as a format; for videos"),
        (("in/a.jpg",), {"format": "gif"}, "gif is a format of videos; for images"),
        (("in/b.mp4", "x.jpg"), {}, "jpg is a format of images"),
        (("in/b.mp4", "x.mp4"), {}, "mp4 has no transparency"),
        (("in/a.jpg", "x.mp4"), {}, "mp4 is a format of videos; for images"),
        (("in", "out"), {"format": "mp4"}, "mp4 has no transparency"),
        (("0",), {"format": "tif"}, "tif is a format of images"),
        (("in/b.mp4", "in/b.mp4"), {"type": "map"}, "would replace the video itself"),
    ],
)
def test_requests_that_cannot_be(folder, words, options, message):
    with pytest.raises(ValueError, match=message):
        targets(*words, **options)


def test_without_pyav_the_extra_is_named(monkeypatch):
    original = builtins.__import__

    def without(name, *rest, **options):
        if name == "av":
            raise ImportError("No module named 'av'", name="av")
        return original(name, *rest, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(VideoExtraMissing, match=r"\./install\.sh --extras video"):
        load_av()
