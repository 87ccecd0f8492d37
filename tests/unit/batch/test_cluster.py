"""Workers as actors of Ray: what they raise comes back as words. Ray itself takes no part."""

import json
import sys
from dataclasses import asdict
from types import SimpleNamespace

import pyarrow
import pytest

from inspyrenet.batch import cluster
from inspyrenet.batch.errors import BatchError
from inspyrenet.batch.inputs import Item
from inspyrenet.batch.manifest import DONE, Row


@pytest.fixture(autouse=True)
def ray(monkeypatch):
    context = SimpleNamespace(get_actor_id=lambda: "one")
    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace(get_runtime_context=lambda: context))


def rows_of(make):
    """What a batch gets of an actor that is given one image."""
    task = json.dumps([asdict(Item("/a.jpg", "/a.png", shard=3))])
    answer = cluster.Actor(make, "cpu", 1)(pyarrow.table({"task": [task]}))
    return cluster._unpack(answer["rows"][0].as_py())


def fails(error):
    def fail(*_):
        raise error

    return fail


def test_rows_come_back():
    row = Row("/a.jpg", "/a.png", DONE, shard=3, bbox=(1, 2, 3, 4))
    (back,) = rows_of(lambda *_: lambda items: [row] if items == [Item("/a.jpg", "/a.png", shard=3)] else [])
    assert (back.path, back.status, back.shard, list(back.bbox)) == ("/a.jpg", DONE, 3, [1, 2, 3, 4])


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError("no room for marks"), "^no room for marks$"),
        (KeyError("a bug"), "(?s)^a worker failed:.*Traceback.*KeyError: 'a bug'"),
        (MemoryError(), "(?s)^a worker failed:.*MemoryError"),
    ],
)
def test_whatever_a_worker_raises_ends_the_batch_in_words(error, said):
    """Also while it is made: Ray would try again what was raised, without end."""
    for make in (fails(error), lambda *_: fails(error)):
        with pytest.raises(BatchError, match=said):
            rows_of(make)
