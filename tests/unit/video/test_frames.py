"""A video as a folder of numbered PNG files: whole ones, with their times, and gone on with after a stop."""

import threading
from fractions import Fraction
from itertools import pairwise

import av
import numpy as np
import pytest
from PIL import Image

from inspyrenet.video import process
from inspyrenet.video.animations import frames
from inspyrenet.video.animations.frames import AGAIN, LIST, FramesWriter
from inspyrenet.video.process import FrameOptions, OutputStyle, cut_video
from tests.moving import painted
from tests.unit.video.test_writing import ColorRemover, Film


def run(tmp_path, count=40, stop=10**9, request="white", times=None):
    """(outcome, the numbers of pictures that went through the network)"""
    source, remover = Film(count, times=times), Counting()
    writer = FramesWriter(tmp_path / "a.frames", source, request)
    wanted = lambda: len(remover.sizes) < stop  # noqa: E731
    outcome = cut_video(source, writer, remover, FrameOptions(OutputStyle("white")), wanted)
    return outcome, sum(remover.sizes)


class Counting(ColorRemover):
    def __init__(self):
        super().__init__()
        self.sizes = []

    def process_batch(self, images, *rest):
        self.sizes.append(len(images))
        return images


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def pictures(folder):
    return [np.asarray(Image.open(path)) for path in sorted(folder.glob("*.png"))]


def is_whole(folder, count):
    return len(pictures(folder)) == count and all(
        np.array_equal(found, painted(number)) for number, found in enumerate(pictures(folder))
    )


def test_every_picture_is_a_file(tmp_path):
    outcome, _ = run(tmp_path, 5)
    assert outcome.path == tmp_path / "a.frames" and outcome.frames == 5 and names(tmp_path) == ["a.frames"]
    assert names(outcome.path) == ["000001.png", "000002.png", "000003.png", "000004.png", "000005.png", LIST]
    assert is_whole(outcome.path, 5)


def test_ffmpeg_reads_the_pictures_with_their_times(tmp_path):
    times = [0, 30, 40, 120, 360]
    outcome, _ = run(tmp_path, 5, times=times)
    with av.open(str(outcome.path / LIST), format="concat", options={"safe": "0"}) as container:
        found = [(float(frame.time), frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)]
    assert [time for time, _ in found] == pytest.approx([time / 600 for time in times], abs=1e-3)
    assert all(np.array_equal(array, painted(number)) for number, (_, array) in enumerate(found))
    assert (outcome.path / LIST).read_text().endswith("file 000005.png\noption framerate 1000\nduration 0.050000\n")


def test_a_run_that_was_stopped_is_gone_on_with(tmp_path):
    outcome, _ = run(tmp_path, stop=7)  # batches of four
    assert outcome.stopped and outcome.path.name == "a.partial.frames" and outcome.frames == 28
    before = {path.name: path.stat().st_mtime_ns for path in outcome.path.glob("*.png")}
    outcome, count = run(tmp_path)
    assert outcome.path.name == "a.frames" and outcome.frames == 40 and names(tmp_path) == ["a.frames"]
    assert count == 40 - (27 - AGAIN) and is_whole(outcome.path, 40)
    del before["000028.png"]  # the run that was stopped did not know how long it is shown
    assert all((outcome.path / name).stat().st_mtime_ns == time for name, time in before.items())
    assert (outcome.path / LIST).read_text().count("duration 0.050000\n") == 40


def test_after_a_stop_times_are_still_those_of_the_video(tmp_path):
    times = [30 * number + 300 * (number // 4) for number in range(12)]  # each fourth one is shown for longer
    run(tmp_path, 12, stop=1, times=times)
    outcome, _ = run(tmp_path, 12, times=times)
    listed = (outcome.path / LIST).read_text().split("duration ")[1:]
    steps = [(after - before) / 600 for before, after in pairwise(times)]
    assert [float(entry.split()[0]) for entry in listed] == pytest.approx([*steps, 0.05], abs=1e-6)


def test_a_wish_to_stop_is_heard_while_pictures_are_skipped(tmp_path, monkeypatch):
    monkeypatch.setattr(process, "PATIENCE", 0.01)
    run(tmp_path, stop=7)
    left, abandon = threading.Event(), process.BoundedQueue.abandon
    monkeypatch.setattr(process.BoundedQueue, "abandon", lambda *given: (abandon(*given), left.set()))

    class Slow(Film):
        def __iter__(self):
            for picture in super().__iter__():
                yield picture
                if len(self.arrays) == 5:
                    left.wait(60)

    film = Slow(40)
    writer = FramesWriter(tmp_path / "a.frames", film, "white")
    outcome = cut_video(film, writer, Counting(), FrameOptions(OutputStyle("white")), lambda: False)
    assert outcome.stopped and len(film.arrays) < 40 and film.closed
    assert (outcome.frames, outcome.seconds) == (
        27,
        pytest.approx(1.35),
    )  # they are still there; the last is made again
    assert is_whole(run(tmp_path)[0].path, 40)


def test_after_a_kill_only_whole_pictures_count(tmp_path):
    folder = run(tmp_path, stop=7)[0].path
    (folder / ".0123.partial.png").write_bytes(b"torn")
    (folder / "000025.png").unlink()
    text = (folder / LIST).read_text()
    (folder / LIST).write_text(text[: text.index("file 000027") + 14])  # a torn entry
    outcome, count = run(tmp_path)
    assert count == 40 - (24 - AGAIN) and is_whole(outcome.path, 40) and len(names(outcome.path)) == 41


def test_pictures_of_another_request_are_made_again(tmp_path):
    run(tmp_path, stop=7)
    outcome, count = run(tmp_path, 30, request="green")
    assert count == 30 and is_whole(outcome.path, 30)


def test_a_folder_that_is_there_is_replaced_as_a_whole(tmp_path):
    run(tmp_path, 9)
    outcome, count = run(tmp_path, 5)
    assert count == 5 and is_whole(outcome.path, 5) and names(tmp_path) == ["a.frames"]


def test_an_error_keeps_what_is_there(tmp_path, monkeypatch):
    write, left = frames.write_picture, iter(range(10))

    def full(array, path):
        if next(left, None) is None:
            raise OSError(28, "cannot write (No space left on device)")
        write(array, path)

    monkeypatch.setattr(frames, "write_picture", full)
    with pytest.raises(OSError, match="No space left"):
        run(tmp_path)
    monkeypatch.undo()
    assert names(tmp_path) == ["a.partial.frames"]
    assert is_whole(run(tmp_path)[0].path, 40)


def test_sound_is_gone_and_that_is_said(tmp_path):
    film = Film(2)
    film.tracks = ("aac",)
    writer = FramesWriter(tmp_path / "a.frames", film, "")
    assert writer.note == "a folder of pictures has no sound; mp4, webm and mov keep it"
    assert film.time_base == Fraction(1, 600)
