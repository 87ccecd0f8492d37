"""A batch from its request to its manifest, without workers."""

import contextlib

import pytest

from inspyrenet.batch import job
from inspyrenet.batch.errors import BatchError
from inspyrenet.batch.in_flight import InFlight
from inspyrenet.batch.layout import Node
from inspyrenet.batch.manifest import DONE, Row, read_table
from tests import fake_worker


class Breaking(contextlib.AbstractContextManager):
    """An executor that fails after its first image."""

    name = "local"

    def __init__(self, *_):
        pass

    def __exit__(self, *_):
        pass

    def nodes(self):
        return [Node(1)]

    def run(self, tasks, make, layout):
        first = tasks[0][0]
        yield [Row(first.path, first.output, DONE)]
        raise BatchError("the first error")


def test_what_fails_while_cleaning_up_hides_no_error_and_keeps_the_rows(tmp_path, monkeypatch, capsys):
    def fail(_):
        raise OSError("no connection")

    monkeypatch.setattr(job, "LocalExecutor", Breaking)
    monkeypatch.setattr(InFlight, "clear", fail)
    fake_worker.write_pictures(tmp_path / "in", 2)
    with pytest.raises(BatchError, match="the first error"):
        fake_worker.run(fake_worker.request(tmp_path))
    assert "while cleaning up: no connection\n" in capsys.readouterr().err
    (part,) = (tmp_path / "out" / "manifest.parts").glob("part-*")
    assert read_table(part)[0]["path"].to_pylist() == [str(tmp_path / "in" / "p000.png")]


def test_a_background_among_the_results_is_not_replaced(tmp_path):
    fake_worker.write_pictures(tmp_path / "in", 2)
    (tmp_path / "out").mkdir()
    picture = tmp_path / "out" / "p001.png"
    picture.write_bytes((tmp_path / "in" / "p001.png").read_bytes())
    with pytest.raises(BatchError, match=r"p001\.png: its result would replace .*p001\.png, the background"):
        fake_worker.run(fake_worker.request(tmp_path, type=str(picture), overwrite=True))
