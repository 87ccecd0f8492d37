"""One worker: rows for whatever happens to an image, and what it does with the work of one that died."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from inspyrenet.batch import network, progress
from inspyrenet.batch.errors import BatchError
from inspyrenet.batch.in_flight import TRIES, InFlight
from inspyrenet.batch.inputs import Item
from inspyrenet.batch.manifest import DONE, FAILED
from inspyrenet.batch.worker import PENDING, Settings, Worker
from inspyrenet.engine.network_options import NetworkOptions
from inspyrenet.engine.presets import MissingWeights
from inspyrenet.remover import image_types
from inspyrenet.remover.compositing import OutputStyle
from tests.fake_worker import HEAVY, NETWORK, ODD, FakeRemover, write_pictures


@pytest.fixture
def place(tmp_path):
    (tmp_path / "marks").mkdir()
    return tmp_path


def worker(place, **options):
    settings = Settings(NETWORK, OutputStyle("map"), "png", str(place / "marks"), 0, **options)
    return Worker(settings, "one", lambda _: FakeRemover(place))


def items(place, **widths):
    pictures = write_pictures(place / "in", 0, **widths)
    return [Item(str(path), str(place / "out" / path.name), shard=3) for path in pictures]


def test_a_worker_limits_threads_without_loading_what_has_them():
    """Packages that are loaded later take the number from the variables."""
    code = """
import sys
from inspyrenet.batch.worker import limit_threads
limit_threads(1)
assert not {"torch", "cv2"} & set(sys.modules), "loaded"
import cv2, torch
print(torch.get_num_threads(), cv2.getNumThreads())
limit_threads(2)
print(torch.get_num_threads(), cv2.getNumThreads())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.stdout.split(), done.stderr) == (["1", "1", "2", "2"], "")


def test_each_image_gets_its_row_and_its_result(place):
    rows = worker(place)(items(place, a=12, b=20))
    assert [(row.status, row.width, row.height, row.shard, row.attempts) for row in rows] == [
        (DONE, 12, 8, 3, 1),
        (DONE, 20, 8, 3, 1),
    ]
    for place_, row in enumerate(rows):
        assert Path(row.output).stat().st_size == row.bytes
        assert np.array_equal(np.asarray(Image.open(row.output)), np.full((8, row.width), place_, np.uint8))
        assert row.source_mtime_ns == Path(row.path).stat().st_mtime_ns
        assert row.seconds > 0 and row.worker.endswith(f":{os.getpid()}")
    assert list((place / "marks").iterdir()) == []


@pytest.mark.parametrize("batch_size", [1, 2, 3, 8])
def test_bad_images_do_not_stop_the_rest(place, batch_size):
    wanted = items(place, a=12, b=HEAVY, c=ODD, d=12, e=12)
    Path(wanted[3].path).write_bytes(b"no image")
    Path(wanted[4].path).unlink()
    rows = {Path(row.path).stem: row for row in worker(place, batch_size=batch_size)(wanted)}
    assert "".join(name for name, row in rows.items() if row.status == DONE) == "ab"
    assert "".join(name for name, row in rows.items() if row.status == FAILED) == "cde"
    assert "not an image of a known kind" in rows["d"].message and "d.png" not in rows["d"].message
    assert rows["e"].message == "no such file" and rows["c"].message == "KeyError: 'a bug'"
    assert not any(row.fatal for row in rows.values())


def test_a_row_tells_of_the_image_before_it_was_read(place, monkeypatch):
    """What changes meanwhile is not in the result, and so has to be seen by the next run."""
    read = image_types.read_upright

    def read_and_change(source):
        image = read(source)
        os.utime(source, ns=(1, 1))
        return image

    monkeypatch.setattr(image_types, "read_upright", read_and_change)
    wanted = items(place, a=12)
    before = Path(wanted[0].path).stat().st_mtime_ns
    (row,) = worker(place)(wanted)
    assert row.status == DONE and row.source_mtime_ns == before != 1


def test_a_full_disk_is_hopeless(place, monkeypatch):
    def fail(array, path, *more):
        raise OSError(errno.ENOSPC, f"cannot write {path} (No space left on device)")

    one = worker(place)
    wanted = items(place, **{f"p{number}": 12 for number in range(9)})
    one.in_flight.leave = one.in_flight.enter = lambda *_: 0
    monkeypatch.setattr("inspyrenet.remover.writing.write_picture", fail)
    row, *more = one(wanted)
    assert len(more) <= PENDING  # the rest is not tried
    assert row.status == FAILED and row.fatal and "No space left" in row.message and row.bytes is None


def test_work_of_a_worker_that_died_is_kept(place):
    wanted = items(place, a=12, b=12)
    one = worker(place)
    one(wanted[:1])
    made = Path(wanted[0].output).stat().st_mtime_ns
    one.in_flight.enter(f"task {wanted[0].path} 2")  # and then it was killed
    first, second = worker(place)(wanted)
    assert Path(wanted[0].output).stat().st_mtime_ns == made
    assert first.message == "made by a worker that died later" and (first.width, first.height) == (12, 8)
    assert (first.status, second.status, first.attempts, second.attempts) == (DONE, DONE, 2, 2)


def test_older_results_are_not_taken_for_a_dead_workers(place):
    wanted = items(place, a=12)
    worker(place)(wanted)
    os.utime(wanted[0].output, ns=(1, 1))
    one = worker(place)
    one.settings = Settings(NETWORK, OutputStyle("map"), "png", str(place / "marks"), started=2)
    one.in_flight.enter(f"task {wanted[0].path} 1")
    assert one(wanted)[0].message == ""
    assert Path(wanted[0].output).stat().st_mtime_ns > 2


def test_an_image_that_kills_is_given_up(place):
    wanted = items(place, a=12, b=12)
    one = worker(place)
    for _ in range(TRIES):
        one.in_flight.enter(f"image {wanted[0].path}")
    first, second = one([Item(item.path, item.output, suspect=True) for item in wanted])
    assert first.status == FAILED and f"died {TRIES} times" in first.message and not Path(first.output).exists()
    assert second.status == DONE


def test_a_network_that_kills_is_given_up(place):
    for _ in range(TRIES):
        InFlight(place / "marks").enter("start one")
    with pytest.raises(BatchError, match="while it loaded the network"):
        worker(place)


def test_marks_name_the_suspects(place):
    in_flight = InFlight(place / "marks")
    assert [
        in_flight.enter("task", ["a", "b"]),
        in_flight.enter("task", ["a", "b"]),
        in_flight.enter("image", ["c"]),
    ] == [0, 1, 0]
    (place / "marks" / "trying-torn").write_bytes(b'{"beg')
    assert in_flight.crash_suspects() == {"a", "b", "c"}
    in_flight.leave("task")
    in_flight.leave("never")
    assert in_flight.crash_suspects() == {"c"}
    in_flight.clear()
    assert in_flight.crash_suspects() == set() == set((place / "marks").iterdir())


# -- which network ------------------------------------------------------------------------------------------------


def test_weights_are_pinned_by_content_and_whole_path(tmp_path, monkeypatch):
    (tmp_path / "mine.onnx").write_bytes(b"one")
    monkeypatch.chdir(tmp_path)
    first = network.resolve_network(NetworkOptions(ckpt="mine.onnx", device="cpu"))
    assert first.name == "mine" and first.options == NetworkOptions(ckpt=str(tmp_path / "mine.onnx"), device="cpu")
    assert network.resolve_network(NetworkOptions(mode="mine.onnx", device="cpu")) == first
    (tmp_path / "mine.onnx").write_bytes(b"two")
    assert network.resolve_network(NetworkOptions(ckpt="mine.onnx")).digest != first.digest
    with pytest.raises(MissingWeights, match=r"no such weights: other\.onnx"):
        network.resolve_network(NetworkOptions(ckpt="other.onnx"))


# -- what people see ----------------------------------------------------------------------------------------------


def test_progress_tells_speed_and_time_left_without_the_start(monkeypatch, capsys):
    now = iter([50.0, 60.0, 80.0, 81.0, 10**7])
    monkeypatch.setattr(progress.time, "perf_counter", lambda: next(now))
    with progress.Progress(1_000_000, bar=False) as shown:
        for count in (100, 20, 40, 5, 10):
            shown.add(count)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "160 of 1,000,000, 2.00 images/s, 5 d 18:52:00 left"
    assert len(lines) == 2


def test_a_bar_can_be_talked_over(capsys):
    with progress.Progress(3, bar=True) as shown:
        shown.say("a worker died")
        shown.add(3)
    said = capsys.readouterr().err
    assert "a worker died" in said and "3/3" in said


def test_a_summary_says_what_to_do():
    summary = progress.Summary(
        Path("m.parquet"), done=1200, skipped=3, retried=4, left=5, seconds=10.0, first=2.0, at_first=200
    )
    text = str(summary)
    assert summary.exit_code == 1 and summary.rate == 125
    for part in (
        "1,200 done, 3 skipped",
        "5 not tried",
        "4 were taken up again",
        "125.00 images/s",
        "make room",
        "m.parquet",
    ):
        assert part in text
    assert "images/s" not in str(progress.Summary(Path("m"), done=1, seconds=3.0, first=3.0, at_first=1))
