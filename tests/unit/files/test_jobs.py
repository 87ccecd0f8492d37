"""Many images: the network sees the next one while a result is made, and what fails fails alone."""

import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from inspyrenet.files import jobs
from inspyrenet.files.request import Request, parse_request
from inspyrenet.remover.image_types import Result


@pytest.fixture
def work(tmp_path):
    (tmp_path / "in").mkdir()
    for number in range(4):
        Image.fromarray(np.full((20, 30, 3), number, np.uint8)).save(tmp_path / "in" / f"{number}.png")
    return parse_request(Request(str(tmp_path / "in"), str(tmp_path / "out"), "map"))


class Remover:
    """The red channel as the map; each part can be told what to do before, by the value of the image."""

    def __init__(self, before_predict=lambda value: None, before_finish=lambda value: None, batch_size=1):
        self.before_predict, self.before_finish, self.batch_size = before_predict, before_finish, batch_size
        self.batches = []

    def predict(self, images, levels, prompt=None):
        self.batches.append(len(images))
        for image in images:
            self.before_predict(int(image.array[0, 0, 0]))
        return [image.array[..., 0] for image in images]

    def finish(self, image, maps, *look):
        self.before_finish(int(maps[0, 0]))
        return Result(maps, {"composing": 0.25})


def fail_at(number):
    def check(value):
        if value == number:
            raise KeyError("a bug")

    return check


def test_the_network_sees_the_next_image_while_a_result_is_made(work):
    seen = [threading.Event() for _ in work.jobs]

    def wait_for_the_next(value):
        if value + 1 < len(seen) and not seen[value + 1].wait(30):
            raise TimeoutError("the network waits for this result")

    report = jobs.run_jobs(work, Remover(lambda value: seen[value].set(), wait_for_the_next))
    assert not report.failed and len(report.done) == 4


@pytest.mark.parametrize("part", ["before_predict", "before_finish"])
def test_one_that_fails_does_not_stop_the_rest(work, part):
    report = jobs.run_jobs(work, Remover(**{part: fail_at(1)}))
    assert [(path.name, reason) for path, reason in report.failed] == [("1.png", "KeyError: 'a bug'")]
    assert [job.target.name for job in report.done] == ["0.png", "2.png", "3.png"]
    assert all(Path(job.target).exists() for job in report.done) and report.left == 0


def test_images_go_through_in_groups_and_alone_where_a_group_fails(work):
    remover = Remover(fail_at(2), batch_size=3)
    report = jobs.run_jobs(work, remover)
    assert remover.batches == [3, 1, 1, 1, 1]
    assert [path.name for path, _ in report.failed] == ["2.png"] and len(report.done) == 3


def test_the_seconds_of_all_parts_are_told(work):
    said = []
    report = jobs.run_jobs(work, Remover(), say=said.append)
    assert set(report.seconds) == {"network", "composing", "writing"} and report.seconds["composing"] == 1
    assert len(said) == 4 and "composing 0.25 s, writing 0." in said[0]
