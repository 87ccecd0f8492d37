"""One store for all tests of a file, an empty bucket for each test."""

import pytest

from inspyrenet.cloud import store
from tests import object_store


@pytest.fixture(scope="module")
def address():
    with object_store.running() as address:
        yield address


@pytest.fixture
def bucket(address, monkeypatch):
    """The bucket's name."""
    for name, value in object_store.environment(address).items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(store, "ATTEMPTS", 2)
    store._store.cache_clear()
    client = object_store.client()
    client.create_bucket(Bucket=object_store.BUCKET)
    yield object_store.BUCKET
    for entry in client.list_objects_v2(Bucket=object_store.BUCKET).get("Contents", ()):
        client.delete_object(Bucket=object_store.BUCKET, Key=entry["Key"])
    client.delete_bucket(Bucket=object_store.BUCKET)
    store._store.cache_clear()
