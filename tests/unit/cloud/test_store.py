"""Objects of a store: read, written, listed; and what is wrong with it is said without credentials."""

import json
import pickle
import socket
import sys

import pytest

from inspyrenet.cloud import lease, store
from inspyrenet.cloud.errors import CloudError, CloudExtraMissing, NoSuchObject
from inspyrenet.cloud.lease import Lease
from inspyrenet.cloud.path import CloudPath, as_path
from inspyrenet.cloud.sources import find_objects
from inspyrenet.files.sources import JobError
from tests import object_store

URL = "s3://photos"


def test_a_path_stays_an_address():
    path = as_path("s3://photos/a/b.c.jpg")
    assert str(path) == f"{path}" == "s3://photos/a/b.c.jpg"
    assert str(path.parent / "x.png") == "s3://photos/a/x.png" and path.suffix == ".jpg"
    assert str(path.relative_to("s3://photos")) == "a/b.c.jpg"
    assert pickle.loads(pickle.dumps(path)) == path and str(pickle.loads(pickle.dumps(path))) == str(path)
    assert not as_path("s3:/photos").is_relative_to(as_path("/photos"))


@pytest.mark.parametrize("word", ["gs://photos/a", "https://host/a.jpg?X-Amz-Signature=abc", "s3:///a"])
def test_other_addresses_are_refused(word):
    with pytest.raises(CloudError, match="s3://BUCKET/FOLDER is understood") as caught:
        as_path(word)
    assert "abc" not in str(caught.value)


def test_credentials_in_an_address_are_refused_and_not_repeated():
    with pytest.raises(CloudError, match="holds no credentials") as caught:
        as_path(f"s3://key:{object_store.SECRET}@photos/a")
    assert object_store.SECRET not in str(caught.value)


def test_the_extra_is_named(monkeypatch):
    store._store.cache_clear()
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(CloudExtraMissing, match=r"--extras cloud"):
        store.read(f"{URL}/a")


def test_what_is_written_is_read(bucket):
    path = CloudPath(f"{URL}/a/b.bin")
    assert not path.exists()
    path.write_bytes(b"12345")
    assert path.read_bytes() == object_store.get("a/b.bin") == b"12345"
    assert path.stat().st_size == 5 and path.stat()[:2] == next(store.pages(str(path)))[0][1][:2]
    path.unlink()
    assert not path.exists()
    with pytest.raises(NoSuchObject, match=r"s3://photos/a/b.bin: there is no such object"):
        path.read_bytes()


def test_a_listing_comes_page_by_page(bucket, monkeypatch):
    for number in range(7):
        object_store.put(f"in/{number}.png", b"x")
    asked = []
    call = store._call

    def small(*words, **more):
        asked.append(more.get("ContinuationToken"))
        return call(*words, **more, MaxKeys=3)

    monkeypatch.setattr(store, "_call", small)
    pages = store.pages(f"{URL}/in/")
    assert len(next(pages)) == 3 and len(asked) == 1  # the rest is not asked for before it is wanted
    assert [len(page) for page in pages] == [3, 1] and len(set(asked)) == 3


def test_a_folder_a_pattern_and_an_object(bucket):
    names = ("a.jpg", "s/b.png", "s/.hidden.png", "s/b.out.png", "notes.txt", "out/a.png", "s//odd.png", "s/")
    for name in names:
        object_store.put(f"in/{name}", b"x")

    def find(word):
        return find_objects(word, CloudPath(f"{URL}/in/out"))

    found, states, odd = find(f"{URL}/in")
    assert [str(path) for path in found.files] == list(states) == [f"{URL}/in/a.jpg", f"{URL}/in/s/b.png"]
    assert odd == (f"{URL}/in/s//odd.png",) and len(found.like_results) == len(found.others) == 1
    assert str(found.root) == f"{URL}/in"
    assert list(find(f"{URL}/in/*/*.png")[1]) == [f"{URL}/in/s/b.png"]
    assert list(find(f"{URL}/in/**/*.jpg")[1]) == list(find(f"{URL}/in/a.jpg")[1]) == [f"{URL}/in/a.jpg"]
    for word in (f"{URL}/none", f"{URL}/in/*.bmp"):
        with pytest.raises(JobError, match=r"no such object|no images there"):
            find(word)
    with pytest.raises(JobError, match="bucket is named without wildcards"):
        find("s3://pho*/a.jpg")


def test_a_missing_bucket_is_told(bucket):
    for act in (lambda: list(store.pages("s3://nowhere/a")), lambda: store.write("s3://nowhere/a", b"")):
        with pytest.raises(CloudError, match="there is no bucket nowhere"):
            act()


def test_no_connection_is_told_after_a_few_tries(bucket, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    store._store.cache_clear()
    with pytest.raises(CloudError, match=r"cannot read s3://photos/a: no connection .* after several tries"):
        store.read(f"{URL}/a")


def test_no_credentials_is_told(bucket, monkeypatch, tmp_path):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    store._store.cache_clear()
    with pytest.raises(CloudError, match="no credentials were found"):
        store.write(f"{URL}/a", b"")


def test_no_permission_is_told_without_the_stores_words(bucket, monkeypatch):
    said = {"Error": {"Code": "AccessDenied", "Message": f"Credential={object_store.SECRET}"}}
    error = object_store.client().exceptions.ClientError(said, "PutObject")

    def refuse(*_, **__):
        raise PermissionError(object_store.SECRET) from error

    monkeypatch.setattr(store._store(), "pipe_file", refuse)
    with pytest.raises(CloudError, match=r"no permission \(AccessDenied\).*s3:PutObject") as caught:
        store.write(f"{URL}/a", b"")
    assert object_store.SECRET not in str(caught.value)


def test_one_command_at_a_time(bucket, monkeypatch):
    place = CloudPath(f"{URL}/out/lock")
    first = Lease(place)
    with pytest.raises(CloudError, match="another inspyrenet batch is at work on s3://photos/out"):
        Lease(place)
    first.release()
    Lease(place).release()
    object_store.put(
        "out/lock", json.dumps({"host": socket.gethostname(), "pid": 2**22 + 1}).encode()
    )  # no such process
    Lease(place).release()
    object_store.put("out/lock", json.dumps({"host": "elsewhere", "pid": 1}).encode())
    with pytest.raises(CloudError, match="process 1 on elsewhere"):
        Lease(place)
    monkeypatch.setattr(lease, "ENDS", 0)
    Lease(place).release()


def test_a_lost_lease_is_noticed(bucket, monkeypatch):
    monkeypatch.setattr(lease, "RENEWED", 0.01)
    held = Lease(CloudPath(f"{URL}/out/lock"))
    object_store.put("out/lock", b"{}")
    held._thread.join(20)
    with pytest.raises(CloudError, match="another inspyrenet batch took"):
        held.check()
    held.release()
    assert object_store.get("out/lock") == b"{}"  # it is the other's


def test_a_request_that_is_sent_twice_meets_its_own_note(bucket, monkeypatch):
    """As a library does where the answer to the first was lost."""
    call = store._call

    def twice(doing, url, method, **words):
        if method == "put_object":
            call(doing, url, method, **words)
        return call(doing, url, method, **words)

    monkeypatch.setattr(store, "_call", twice)
    held = Lease(CloudPath(f"{URL}/out/lock"))
    held.check()
    held.release()
    assert object_store.names("out") == []


def test_what_was_renewed_meanwhile_is_not_taken_over(bucket, monkeypatch):
    place = CloudPath(f"{URL}/out/lock")
    first, write = Lease(place), store.write

    def write_late(url, data):
        write(url, data)
        first.check()

    monkeypatch.setattr(lease, "ENDS", 0)
    monkeypatch.setattr(store, "write", write_late)  # of the clock, after the look at the lease
    with pytest.raises(CloudError, match="on s3://photos/out just now: run the same command again"):
        Lease(place)
    first.check()
    first.release()


def test_a_store_that_is_busy_is_asked_again(bucket, monkeypatch):
    said = {"Error": {"Code": "ConditionalRequestConflict"}}
    answers = [object_store.client().exceptions.ClientError(said, "PutObject")] * len(store.BUSY)
    call = store._store().call_s3

    def busy(*words, **more):
        if answers:
            raise answers.pop()
        return call(*words, **more)

    monkeypatch.setattr(store, "BUSY", [0] * len(store.BUSY))
    monkeypatch.setattr(store._store(), "call_s3", busy)
    tag = store.write_if(f"{URL}/a", b"1", None)
    assert store.write_if(f"{URL}/a", b"2", tag) != tag and object_store.get("a") == b"2"
    answers += [object_store.client().exceptions.ClientError(said, "PutObject")] * (len(store.BUSY) + 1)
    with pytest.raises(CloudError, match="ConditionalRequestConflict"):
        store.write_if(f"{URL}/a", b"3", None)
