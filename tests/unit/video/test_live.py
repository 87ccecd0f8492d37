"""What somebody sees who watches a camera's results: how old the pictures are, and how many are dropped."""

import io
import threading

import numpy as np
import pytest

from inspyrenet.video.camera import HEIGHT, WIDTH, Camera
from inspyrenet.video.errors import VideoError
from inspyrenet.video.process import FrameOptions, OutputStyle, cut_video, drops_of
from inspyrenet.video.raw import RawWriter
from inspyrenet.video.source import Picture
from tests.unit.video.test_writing import ColorRemover, Film

STEPS = 5  # pictures that the camera takes while the network works on one


class ClockedCamera(Film):
    """Takes a picture whenever its clock ticks, whoever has time for it. Each pixel is the picture's number."""

    def __init__(self, count):
        super().__init__(count, is_camera=True)
        self.ticks, self.taken = threading.Semaphore(1), threading.Semaphore(0)
        self.newest = -1

    def __iter__(self):
        for number in range(self.count):
            self.ticks.acquire()
            yield Picture(np.full((4, 4, 3), number, np.uint8), number, 1)
            self.newest = number  # it was handed over
            self.taken.release()

    def tick(self, times):
        for _ in range(times):
            self.ticks.release()
            self.taken.acquire()


class SlowRemover(ColorRemover):
    """Works as long on a picture as the camera takes STEPS of them."""

    def __init__(self, camera, steps=STEPS):
        super().__init__()
        self.camera, self.steps, self.ages, self.numbers = camera, steps, [], []
        self.first = True

    def process_batch(self, images, *rest):
        if self.first:
            self.camera.taken.acquire()  # the first picture was handed over
            self.first = False
        self.ages.append(self.camera.newest - int(images[0][0, 0, 0]))
        self.numbers.append(int(images[0][0, 0, 0]))
        self.camera.tick(min(self.steps, self.camera.count - 1 - self.camera.newest))
        return images


@pytest.fixture
def watch(monkeypatch):
    def watch(live, count=51, steps=STEPS):
        camera, out = ClockedCamera(count), io.BytesIO()
        remover = SlowRemover(camera, steps)
        monkeypatch.setattr("inspyrenet.video.process.copy", lambda same: same)
        options = FrameOptions(OutputStyle("white"), live=live)
        return cut_video(camera, RawWriter(out), remover, options), remover, out

    return watch


def test_the_newest_picture_is_next_and_the_others_are_counted(watch):
    outcome, remover, out = watch(live=True)
    assert remover.numbers == list(range(0, 51, STEPS))
    assert set(remover.ages) == {0}  # so that a picture is shown one step of the network after it was taken
    assert outcome.frames == 11 and outcome.dropped == 40 and len(out.getvalue()) == 11 * 48
    assert drops_of(outcome).startswith("40 of 51 pictures were dropped")


def test_a_recording_may_lag_and_so_drops_nothing_while_there_is_room(watch):
    outcome, remover, _ = watch(live=False)
    assert outcome.dropped == 0 and outcome.frames == 51 and max(remover.ages) == 40


def test_a_network_that_is_quick_enough_drops_nothing(watch):
    outcome, remover, _ = watch(live=True, steps=1)
    assert outcome.dropped == 0 and outcome.frames == 51 and set(remover.ages) == {0}


class Sized:
    """OpenCV's capture of a camera that has some sizes."""

    def __init__(self, *sizes):
        self.sizes, self.wish, self.released = sizes, {}, False

    def isOpened(self):
        return True

    def set(self, side, pixels):
        self.wish[side] = pixels
        return True

    def get(self, side):
        height, width = (
            (found := (self.wish.get(HEIGHT), self.wish.get(WIDTH))) in self.sizes and found
        ) or self.sizes[0]
        return float({HEIGHT: height, WIDTH: width}.get(side, 30))

    def release(self):
        self.released = True


def test_a_camera_is_asked_for_a_size():
    capture = Sized((480, 640), (720, 1280))
    Camera(0, capture, size=(720, 1280))
    assert capture.get(WIDTH) == 1280 and not capture.released
    with pytest.raises(VideoError, match="camera 0 has no pictures of 800×600, but of 640×480: ask for these"):
        Camera(0, capture, size=(600, 800))
    assert capture.released
