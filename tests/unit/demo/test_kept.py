"""The images of visitors: bounded by bytes and by time."""

import numpy as np
import pytest

from inspyrenet.data.images.decoded import DecodedImage
from inspyrenet.demo import kept as module
from inspyrenet.demo.kept import Kept
from inspyrenet.demo.pictures import Prediction


def prediction(pixels):
    """4 bytes a pixel: the network saw the image as it came."""
    image = np.zeros((1, pixels, 3), np.uint8)
    return Prediction(image, np.zeros((1, pixels), np.uint8), [("level",)], DecodedImage(image))


@pytest.fixture
def now(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: clock[0])
    return clock


def test_the_one_that_was_not_used_for_longest_makes_room(now):
    kept = Kept(most=1000)
    kept.put("a", prediction(100))
    kept.put("b", prediction(100))
    assert kept.get("a").stages == [] and kept.bytes == 800
    kept.put("c", prediction(100))
    assert kept.get("b") is None and kept.get("a") and kept.get("c") and kept.bytes == 800
    kept.put("d", prediction(240))
    assert kept.bytes == 960 and kept.get("a") is None and kept.get("d")


def test_what_is_larger_than_everything_is_not_kept(now):
    kept = Kept(most=1000)
    kept.put("a", prediction(251))
    assert kept.get("a") is None and kept.bytes == 0


def test_the_same_upload_counts_once(now):
    kept = Kept(most=1000)
    for _ in range(5):
        kept.put("a", prediction(200))
    assert kept.bytes == 800


def test_what_nobody_uses_is_forgotten(now):
    kept = Kept(most=1000, seconds=10)
    kept.put("a", prediction(10))
    kept.put("b", prediction(10))
    now[0] = 8
    assert kept.get("a")
    now[0] = 11
    kept.sweep()
    assert kept.bytes == 40 and kept.get("b") is None and kept.get("a")
    now[0] = 30
    assert kept.get("a") is None and kept.bytes == 0
