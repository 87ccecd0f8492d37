"""Raw pictures in and out."""

import io
import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from inspyrenet.video.errors import VideoError
from inspyrenet.video.raw import RawSource, RawWriter
from inspyrenet.video.source import Picture


@pytest.mark.parametrize(("pixels", "channels"), [("rgb24", 3), ("rgba", 4)])
def test_pictures_come_and_go_as_they_are(pixels, channels):
    arrays = np.random.default_rng(0).integers(0, 256, (4, 5, 7, channels), dtype=np.uint8)  # odd sides
    source, out = RawSource(io.BytesIO(arrays.tobytes()), (5, 7), pixels), io.BytesIO()
    writer = RawWriter(out)
    for number, picture in enumerate(source):
        assert (picture.time, picture.duration) == (number, 1)
        writer.picture(picture)
    assert out.getvalue() == arrays.tobytes() and writer.frames == 4 and source.warning is None


def test_gray_is_one_byte_of_a_pixel():
    out = io.BytesIO()
    RawWriter(out).picture(Picture(np.arange(6, dtype=np.uint8).reshape(3, 2).T, 0, 1))
    assert out.getvalue() == bytes([0, 2, 4, 1, 3, 5])


def test_a_part_of_a_picture_at_the_end_is_told():
    source = RawSource(io.BytesIO(bytes(2 * 12 + 5)), (2, 2))
    assert len(list(source)) == 2 and "ends within a picture: 5 of 12 bytes" in source.warning


def test_a_pipe_gives_a_picture_in_pieces():
    class Pipe:
        """At most five bytes at a time."""

        def __init__(self, data):
            self.raw, self.left = self, data

        def readinto(self, room):
            part, self.left = self.left[: min(5, len(room))], self.left[min(5, len(room)) :]
            room[: len(part)] = part
            return len(part)

    data = bytes(range(43))
    source = RawSource(Pipe(data), (3, 4))
    assert [picture.array.tobytes() for picture in source] == [data[:36]] and "7 of 36 bytes" in source.warning


def test_a_process_ends_while_a_thread_waits_for_a_picture():
    code = """
import sys, threading
from inspyrenet.video.raw import RawSource
begun, pictures = threading.Event(), iter(RawSource(sys.stdin.buffer, (1, 1)))
threading.Thread(target=lambda: [begun.set() for _ in pictures], daemon=True).start()
assert begun.wait(20)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdin.write(bytes(3))
        process.stdin.flush()
        assert process.wait(30) == 0, process.stderr.read().decode()


def test_a_process_ends_while_a_thread_waits_for_a_reader():
    code = """
import sys, threading
import numpy as np
from inspyrenet.video.raw import RawWriter
from inspyrenet.video.source import Picture
writer, picture = RawWriter(sys.stdout.buffer), Picture(np.zeros((1000, 1000, 3), np.uint8), 0, 1)
threading.Thread(target=writer.picture, args=(picture,), daemon=True).start()
sys.stdin.read()
"""
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen([sys.executable, "-c", code], **pipes) as process:
        assert process.stdout.read(1) == b"\0"  # the thread is at work, and a pipe holds less than a picture
        process.stdin.close()
        assert process.wait(30) == 0, process.stderr.read().decode()


def test_a_pipe_takes_a_picture_in_pieces():
    class Pipe(io.RawIOBase):
        """At most five bytes at a time, and in the end nothing more."""

        data = b""

        def writable(self):
            return True

        def write(self, data):
            if len(self.data) >= 36:
                return None
            self.data += bytes(data[:5])
            return min(5, len(data))

    array = np.arange(36, dtype=np.uint8).reshape(3, 4, 3)
    pipe = Pipe()
    writer = RawWriter(pipe)
    writer.picture(Picture(array, 0, 1))
    assert pipe.data == array.tobytes() and writer.frames == 1
    with pytest.raises(BlockingIOError, match="stdout"):
        writer.picture(Picture(array, 1, 1))


@pytest.mark.parametrize(("size", "pixels"), [((0, 4), "rgb24"), ((4, 4), "yuv420p")])
def test_sizes_and_pixels_that_cannot_be(size, pixels):
    with pytest.raises(VideoError, match="stdin: pictures are 1×1 at least, of rgb24 or rgba"):
        RawSource(io.BytesIO(), size, pixels)


def test_a_pipe_that_is_set_not_to_wait_is_waited_for():
    ours, theirs = os.pipe()
    os.set_blocking(ours, False)
    data = bytes(range(36))

    def write():
        for part in (data[:10], data[10:]):
            time.sleep(0.1)
            os.write(theirs, part)
        os.close(theirs)

    writer = threading.Thread(target=write)
    writer.start()
    with open(ours, "rb", buffering=0) as stream:  # noqa: PTH123
        source = RawSource(stream, (3, 4))
        assert [picture.array.tobytes() for picture in source] == [data] and source.warning is None
    writer.join()
