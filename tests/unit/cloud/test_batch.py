"""A batch whose images, results and manifest are objects: what holds for files holds for them."""

import io
from concurrent.futures import ThreadPoolExecutor

import pyarrow.parquet
import pytest

from inspyrenet.batch import job
from inspyrenet.batch.fetch import AHEAD, Fetched
from inspyrenet.batch.inputs import Item
from inspyrenet.batch.manifest import Manifest
from inspyrenet.batch.places import write_result
from inspyrenet.cloud import store
from inspyrenet.cloud.errors import CloudError
from inspyrenet.cloud.lease import Lease
from inspyrenet.cloud.path import CloudPath
from tests import fake_worker, object_store
from tests.fake_worker import NETWORK, ODD
from tests.unit.remover.test_object_files import result_of

IN, OUT = "s3://photos/in", "s3://photos/out"


def request(**options) -> job.BatchRequest:
    words = {"input": IN, "output": OUT, "type": "map", "workers": 1, "network": NETWORK.options, "shard_size": 4}
    return job.BatchRequest(**(words | {"edges": "none"} | options))


def rows(key: str = "out/manifest.parquet") -> dict[str, dict]:
    table = pyarrow.parquet.read_table(io.BytesIO(object_store.get(key)))
    return {row["path"].rpartition("/")[2]: row for row in table.to_pylist()}


@pytest.fixture
def pictures(bucket):
    for number in range(5):
        object_store.put(f"in/s{number % 2}/p{number}.png", object_store.picture(number))


def test_a_batch_from_store_to_store_goes_on_where_it_ended(pictures, capfd):
    object_store.put("in/bad.jpg", b"no image")
    object_store.put("in/odd.png", object_store.picture(9, ODD))
    object_store.put("in/a//b.png", object_store.picture(9))
    first = fake_worker.run(request())
    assert (first.done, len(first.failed), first.exit_code) == (5, 3, 1)
    found = rows()
    assert {name: row["status"] for name, row in found.items() if row["status"] != "done"} == {
        "bad.jpg": "failed", "odd.png": "failed", "b.png": "failed",
    }  # fmt: skip
    assert found["bad.jpg"]["message"].startswith("not an image of a known kind")
    one = found["p1.png"]
    assert (one["path"], one["output"]) == (f"{IN}/s1/p1.png", f"{OUT}/s1/p1.png")
    assert one["bytes"] == len(object_store.get("out/s1/p1.png")) and one["source_bytes"] and one["width"] == 12
    assert object_store.names("out") == ["out/manifest.parquet", *[f"out/s{n % 2}/p{n}.png" for n in (0, 2, 4, 1, 3)]]

    object_store.put("in/s0/p0.png", object_store.picture(77, 20))  # changed
    object_store.client().delete_object(Bucket=object_store.BUCKET, Key="out/s1/p3.png")  # gone
    object_store.put("in/s1/p5.png", object_store.picture(5))  # new
    second = fake_worker.run(request())
    assert (second.done, second.skipped, len(second.failed)) == (3, 3, 3)
    assert rows()["p0.png"]["width"] == 20
    written = capfd.readouterr()
    assert object_store.SECRET not in written.out + written.err
    assert object_store.SECRET.encode() not in object_store.get("out/manifest.parquet")


def test_a_group_may_be_larger_than_what_is_fetched_ahead(bucket):
    items = [Item(f"{IN}/{number:02d}.png", "") for number in range(2 * AHEAD + 1)]
    for number, item in enumerate(items):
        object_store.put(item.path.removeprefix("s3://photos/"), object_store.picture(number))
    with ThreadPoolExecutor(AHEAD) as pool:
        fetched = Fetched(items, pool)
        assert [fetched.pixels(item.path) for item in items] == [8 * 12] * len(items)
        assert fetched.take(items[-1].path)[1] == object_store.picture(len(items) - 1)


def test_results_without_a_row_are_found_again(pictures):
    fake_worker.run(request())
    object_store.client().delete_object(Bucket=object_store.BUCKET, Key="out/manifest.parquet")
    object_store.put("out/s0/p0.png", b"no picture")
    again = fake_worker.run(request())
    assert (again.done, again.skipped) == (1, 4)
    assert {name: row["status"] for name, row in rows().items()} == {
        f"p{number}.png": "skipped" if number else "done" for number in range(5)
    }


def test_a_list_may_lie_anywhere_and_results_come_here(pictures, tmp_path):
    object_store.put("lists/some.txt", b"../in/s0/p0.png\ns3://photos/in/s1/p1.png\n")
    done = fake_worker.run(request(input="s3://photos/lists/some.txt", output=str(tmp_path / "out")))
    assert done.done == 2 and sorted(path.name for path in tmp_path.rglob("*.png")) == ["p0.png", "p1.png"]
    done = fake_worker.run(request(manifest=str(tmp_path / "m.parquet")))
    assert done.done == 5 and object_store.names("out/m") == []


def test_a_second_command_and_a_missing_bucket_are_refused(pictures):
    lease = Lease(CloudPath(f"{OUT}/manifest.parts/lock"))
    with pytest.raises(CloudError, match="another inspyrenet batch is at work"):
        fake_worker.run(request())
    lease.release()
    with pytest.raises(CloudError, match="there is no bucket nowhere"):
        fake_worker.run(request(output="s3://nowhere/out"))
    with pytest.raises(CloudError, match="there is no bucket nowhere"):
        fake_worker.run(request(input="s3://nowhere/in"))


def test_a_lost_lease_ends_the_work_and_nothing_of_the_next_one_is_touched(bucket):
    manifest = Manifest(CloudPath(f"{OUT}/manifest.parquet"))
    table = manifest.open({"type": "map"})
    object_store.put("out/manifest.parts/lock", b"{}")
    for act in (lambda: manifest.save(table), manifest.finish):
        with pytest.raises(CloudError, match=r"another inspyrenet batch took s3://photos/out/manifest\.parts/lock"):
            act()
    object_store.client().delete_object(Bucket=object_store.BUCKET, Key="out/manifest.parts/run.json")
    manifest.close()
    assert object_store.names("out") == ["out/manifest.parts/clock", "out/manifest.parts/lock"]


def test_the_lock_of_a_finished_batch_goes_last(bucket, monkeypatch):
    removed, remove = [], store.remove
    monkeypatch.setattr(store, "remove", lambda url: removed.append(url) or remove(url))
    manifest = Manifest(CloudPath(f"{OUT}/manifest.parquet"))
    manifest.open({"type": "map"})
    manifest.finish()
    assert [url.rpartition("/")[2] for url in removed] == ["clock", "run.json", "lock"]
    assert object_store.names("out") == ["out/manifest.parquet"]


def test_a_finished_batch_does_not_fail_because_something_cannot_be_removed(bucket, monkeypatch, capsys):
    def fail(url):
        raise CloudError(f"cannot remove {url}: no connection")

    manifest = Manifest(CloudPath(f"{OUT}/manifest.parquet"))
    manifest.open({"type": "map"})
    monkeypatch.setattr(store, "remove", fail)
    manifest.finish()
    manifest.close()  # nothing is left to do
    said = capsys.readouterr().err
    assert said == f"while cleaning up: cannot remove {OUT}/manifest.parts/lock: no connection\n"


def test_results_of_the_second_before_overwriting_are_made_again(bucket):
    result = CloudPath(f"{OUT}/a.png")
    result.write_bytes(b"old")
    manifest = Manifest(CloudPath(f"{OUT}/manifest.parquet"))
    manifest.open({"type": "map"}, overwrite=True)
    assert manifest.since is not None and result.stat().st_mtime_ns < manifest.since
    manifest.close()


def test_objects_lie_beside_their_result_and_replace_no_other(bucket):
    target = CloudPath(f"{OUT}/photo.png")
    for value in (1, 9):  # the second time over the first
        assert write_result(result_of(value), target, "png") == len(object_store.get("out/photo.png"))
    names = [".photo.objects", "photo.out.1.png", "photo.out.2.png", "photo.png"]
    assert object_store.names("out") == [f"out/{name}" for name in names]
    object_store.put("out/photo.out.2.png", b"a photograph")
    with pytest.raises(FileExistsError, match=r"^s3://photos/out/photo\.out\.2\.png: an object's own file"):
        write_result(result_of(5), target, "png")
    assert object_store.get("out/photo.out.2.png") == b"a photograph"
