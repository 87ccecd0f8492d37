"""Decoding and encoding in processes that can be ended."""

import io
import sys
import threading
import time
from functools import cache

import numpy as np
import pytest
from PIL import Image, ImageCms

from inspyrenet.data.images.decoded import read_decoded
from inspyrenet.data.images.encode import encode
from inspyrenet.serve import codec as module
from inspyrenet.serve.codec import Codec, Refused
from inspyrenet.serve.frames import FrameError, read_frame, write_frame

PICTURE = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)


@pytest.fixture(scope="module")
def codec():
    codec = Codec(pixels=1_000_000, decoding=20, encoding=20, workers=1)
    yield codec
    codec.close()


SLOW_SIDE, SLOW_PIXELS = 5000, 25_000_000


@cache
def slow_bytes(side, scans):
    """A progressive JPEG with so many passes over its pixels."""
    buffer = io.BytesIO()
    Image.new("L", (side, side), 128).save(buffer, "JPEG", progressive=True, quality=10)
    data = buffer.getvalue()
    start = data.rfind(b"\xff\xda")
    return data[:start] + data[start:-2] * (scans - data.count(b"\xff\xda") + 1) + b"\xff\xd9"


def slow_image():
    """As many passes as are allowed: takes many seconds to decode."""
    return io.BytesIO(slow_bytes(SLOW_SIDE, 64))


@pytest.fixture(scope="module")
def patient():
    """A codec that takes the slow image."""
    codec = Codec(pixels=SLOW_PIXELS, decoding=60, encoding=20, workers=1)
    yield codec
    codec.close()


def test_there_and_back(codec):
    file = io.BytesIO(encode(PICTURE))
    assert codec.measure(file).future.result() == (30, 20)
    array = codec.decode(file).future.result().array
    assert np.array_equal(array, PICTURE)
    assert codec.encode(array[:, ::2], "png").future.result() == encode(np.ascontiguousarray(array[:, ::2]))


def test_what_goes_with_the_pixels_comes_through(codec):
    rgba = np.dstack([PICTURE, PICTURE[..., 0]])
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    buffer = io.BytesIO()
    Image.fromarray(rgba).save(buffer, "PNG", icc_profile=profile, dpi=(300, 300), exif=exif)
    here, there = read_decoded(buffer.getvalue()), codec.decode(buffer).future.result()
    assert np.array_equal(there.array, here.array) and np.array_equal(there.alpha, here.alpha)
    assert there.metadata == here.metadata and here.metadata.dpi and here.metadata.exif
    data = codec.encode(rgba, "png", there.metadata).future.result()
    assert data == encode(rgba, "png", here.metadata)


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (9, 1), (1, 1, 4), (2, 1, 3)])
def test_the_smallest_pictures(codec, shape):
    picture = np.full(shape, 77, np.uint8)
    data = codec.encode(picture, "png").future.result()
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(data))), picture)
    assert codec.decode(io.BytesIO(data)).future.result().array.shape == (*shape[:2], 3)


@pytest.mark.parametrize(
    ("data", "status", "message"),
    [
        (b"", 422, "0 bytes"),
        (b"text", 415, "not an image"),
        (slow_bytes(100, 65), 422, "64 scans"),
        (encode(np.zeros((1001, 1000), np.uint8)), 413, "more than the limit of 1 million"),
        (encode(np.zeros((2100, 1000), np.uint8)), 413, "many more pixels"),
    ],
    ids=["empty", "text", "scans", "pixels", "bomb"],
)
def test_what_is_refused_before_it_is_decoded(codec, data, status, message):
    with pytest.raises(Refused, match=message) as caught:
        codec.measure(io.BytesIO(data)).future.result()
    assert caught.value.status == status


def test_what_cannot_be_encoded_is_told(codec):
    with pytest.raises(Refused, match="no transparency") as caught:
        codec.encode(np.zeros((2, 2, 4), np.uint8), "jpg").future.result()
    assert caught.value.status == 422


def test_decoding_ends_at_its_deadline_and_the_next_image_is_decoded():
    codec = Codec(pixels=SLOW_PIXELS, decoding=0.5, encoding=20, workers=1)
    with pytest.raises(Refused, match=r"longer than 0\.5 s"):
        codec.decode(slow_image()).future.result()
    codec.seconds["decode"] = 20  # on a busy machine half a second may be too little for any image
    assert codec.decode(io.BytesIO(encode(PICTURE))).future.result().array.shape == PICTURE.shape
    codec.close()
    assert codec._processes == set()


def test_what_nobody_waits_for_any_more_is_ended(patient):
    codec = patient
    call = codec.decode(slow_image())
    waiting = codec.decode(slow_image())
    while call._process is None:
        time.sleep(0.005)
    process = call._process
    waiting.stop()
    assert waiting.future.cancelled()
    call.stop()
    assert process.wait(20) != 0
    assert codec.decode(io.BytesIO(encode(PICTURE))).future.result().array.shape == PICTURE.shape


def test_a_process_that_dies_fails_its_image_alone(patient):
    codec = patient
    call = codec.decode(slow_image())
    while call._process is None:
        time.sleep(0.005)
    call._process.kill()
    with pytest.raises(Refused, match="ended the process"):
        call.future.result()
    assert codec.decode(io.BytesIO(encode(PICTURE))).future.result().array.shape == PICTURE.shape


def test_closing_ends_what_is_under_way():
    codec = Codec(pixels=SLOW_PIXELS, decoding=20, encoding=20, workers=2)
    codec.warm()
    assert len(codec._processes) == 2
    call = codec.decode(slow_image())
    while call._process is None:
        time.sleep(0.005)
    codec.close()
    with pytest.raises(Refused):
        call.future.result()


def test_a_process_that_cannot_start_is_told_and_the_codec_says_that_it_is_broken(monkeypatch):
    monkeypatch.setattr(module, "COMMAND", [sys.executable, "-c", "raise SystemExit(1)"])
    codec = Codec(pixels=1000, decoding=5, encoding=5, workers=1)
    with pytest.raises(Refused, match="cannot be started") as caught:
        codec.decode(io.BytesIO(encode(PICTURE))).future.result()
    assert caught.value.status == 503 and "cannot be started" in codec.broken
    codec.close()


def test_the_process_runs_nothing_from_the_current_folder(tmp_path, monkeypatch):
    (tmp_path / "json.py").write_text("raise SystemExit('run from the current folder')")
    monkeypatch.chdir(tmp_path)
    codec = Codec(pixels=1000, decoding=20, encoding=5, workers=1)
    assert codec.decode(io.BytesIO(encode(PICTURE))).future.result().array.shape == PICTURE.shape
    codec.close()


def test_frames_are_bounded():
    stream = io.BytesIO()
    write_frame(stream, {"a": 1}, [b"12345", np.zeros((2, 2), np.uint8).data])
    stream.seek(0)
    assert read_frame(stream, 9) == ({"a": 1}, [bytearray(b"12345"), bytearray(4)])
    stream.seek(0)
    with pytest.raises(FrameError, match="9 bytes"):
        read_frame(stream, 8)
    with pytest.raises(EOFError):
        read_frame(io.BytesIO(b"\x01"), 8)
    with pytest.raises(FrameError):
        read_frame(io.BytesIO(b"\xff\xff\xff\xff"), 8)


def test_calls_are_counted_until_they_end(codec):
    gate = threading.Event()

    class Slow(io.BytesIO):
        def read(self, *size):
            gate.wait(20)
            return super().read(*size)

    calls = [codec.decode(Slow(encode(PICTURE))) for _ in range(3)]
    assert codec.waiting == 2
    gate.set()
    for call in calls:
        call.future.result()
