"""Reading ahead: the next image while one is cut out, and large ones alone."""

from concurrent.futures import ThreadPoolExecutor
from weakref import WeakSet

import numpy as np
import pytest
from PIL import Image

from inspyrenet.files import jobs, pipeline
from inspyrenet.files.read_ahead import Room, read_ahead
from inspyrenet.files.request import Request, parse_request
from inspyrenet.remover.image_types import Result


def groups(pixels, room, group=1):
    """The groups that are read, and the most pixels that were under way at once; results are written when there is no room."""
    held, most = [], 0

    def make_room():
        room.taken -= held.pop(0)

    with ThreadPoolExecutor(1) as pool:
        found = []
        for readings in read_ahead(range(len(pixels)), str, pixels.__getitem__, pool, room, make_room, group):
            found.append([reading.item for reading in readings])
            assert [reading.future.result() for reading in readings] == [str(item) for item in found[-1]]
            most = max(most, room.taken)
            held += [reading.pixels for reading in readings]
    return found, most


def test_small_images_are_read_in_groups():
    assert groups([1] * 7, Room(100), 3) == ([[0, 1, 2], [3, 4, 5], [6]], 7)


def test_the_room_bounds_what_is_under_way():
    found, most = groups([3, 3, 3, 3, 3], Room(7), 2)
    assert [item for group in found for item in group] == [0, 1, 2, 3, 4] and most == 6


@pytest.mark.parametrize("group", [1, 4])
def test_an_image_beyond_the_room_is_alone(group):
    found, most = groups([2, 50, 40, 2, 0], Room(10), group)
    assert found[:3] == [[0], [1], [2]] and [item for group in found for item in group] == [0, 1, 2, 3, 4]
    assert most == 50


def test_a_folder_of_large_images_has_one_of_them_in_memory(tmp_path, monkeypatch):
    (tmp_path / "in").mkdir()
    for number in range(4):
        Image.fromarray(np.zeros((20, 30, 3), np.uint8)).save(tmp_path / "in" / f"{number}.png")
    monkeypatch.setattr(pipeline, "Room", lambda: Room(100))
    alive, most, read = WeakSet(), [], jobs._read

    def watched(job):
        image = read(job)
        alive.add(image)
        most.append(len(alive))
        return image

    class Cutter:
        batch_size = 1

        def predict(self, images, levels, prompt=None):
            return [image.array[..., 0].copy() for image in images]

        def finish(self, image, maps, *look):
            return Result(maps)

    monkeypatch.setattr(jobs, "_read", watched)
    report = jobs.run_jobs(parse_request(Request(str(tmp_path / "in"), str(tmp_path / "out"), "map")), Cutter())
    assert len(report.done) == 4 and not report.failed
    assert most == [1, 1, 1, 1]
