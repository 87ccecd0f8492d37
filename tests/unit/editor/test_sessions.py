"""How many images that people draw on are kept, and for how long."""

from types import SimpleNamespace

import numpy as np
import pytest

from inspyrenet.data.images.decoded import DecodedImage
from inspyrenet.editor.sessions import Bounds, Sessions
from inspyrenet.serve.errors import ApiError

IMAGE = DecodedImage(np.zeros((10, 10, 3), np.uint8))  # 300 bytes


@pytest.fixture
def now():
    return SimpleNamespace(time=0.0)


@pytest.fixture
def sessions(now):
    return Sessions(Bounds(images=3, bytes=2000, idle=10, kept=100), lambda: now.time)


def add(sessions, nbytes=200):
    return sessions.add(None, IMAGE, SimpleNamespace(nbytes=nbytes))


def refused(status):
    return pytest.raises(ApiError, check=lambda error: error.status_code == status)


def test_an_image_is_found_by_its_id_alone(sessions):
    first, second = add(sessions), add(sessions)
    assert sessions.get(first.id) is first and sessions.get(second.id) is second
    assert len({first.id, second.id}) == 2 and len(first.id) >= 22
    with refused(410):
        sessions.get("0")


def test_the_one_that_waited_longest_makes_room(sessions, now):
    kept = [add(sessions) for _ in range(3)]
    with refused(503) as error:
        add(sessions)
    assert error.value.headers == {"Retry-After": "10"} and "3 images are being drawn on" in error.value.detail
    now.time = 11
    sessions.get(kept[0].id)
    add(sessions)
    assert len(sessions) == 3 and sessions.get(kept[0].id) is kept[0]
    with refused(410):
        sessions.get(kept[1].id)


def test_memory_is_bounded(sessions, now):
    first = add(sessions, 1000)
    with refused(503):
        add(sessions, 1000)
    with refused(413):
        add(sessions, 2000)
    now.time = 11
    add(sessions, 1000)
    assert len(sessions) == 1 and sessions.nbytes == 1300
    with refused(410):
        sessions.get(first.id)


def test_what_nobody_uses_is_forgotten(sessions, now):
    used, left = add(sessions), add(sessions)
    now.time = 90
    sessions.get(used.id)
    now.time = 101
    sessions.sweep()
    assert len(sessions) == 1 and sessions.get(used.id) is used
    sessions.drop(used.id)
    sessions.drop(left.id)
    assert len(sessions) == sessions.nbytes == 0
