"""Single requests to a store of objects: state, content, writing, removing, and the names below a prefix, page by page.

An object appears whole or not at all: S3 shows it when its last byte is there. Credentials, region and endpoint come from where
every tool for S3 finds them (environment, profiles, the machine's role), and go nowhere else.
"""

import contextlib
import functools
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

from ..utils.system.extras import how_to_install
from .errors import Busy, CloudExtraMissing, NoSuchObject, reported

ATTEMPTS = 6  # of each request: botocore waits up to 1, 2, 4, 8 and 16 s between them
PATIENCE = {"connect_timeout": 10, "read_timeout": 60}  # seconds
BUSY = 0.5, 1.0, 2.0  # seconds before a conditional write that met another one (409) is tried again, as S3 asks for
CLOCK = 10**9  # ns: some stores tell times to the second in one answer and finer in another


class State(NamedTuple):
    """As of os.stat: bytes, and when the object was written (ns, whole seconds). tag: another one for other content."""

    st_size: int
    st_mtime_ns: int
    tag: str = ""


@functools.cache
def _store() -> Any:
    """s3fs's file system; one for each process. Raises CloudExtraMissing."""
    try:
        import s3fs
    except ImportError as error:
        raise CloudExtraMissing(
            f"s3:// needs the extra cloud: {how_to_install('cloud')} (s3fs cannot be loaded: {error})"
        ) from error
    store = s3fs.S3FileSystem(
        config_kwargs={"retries": {"total_max_attempts": ATTEMPTS, "mode": "standard"}, **PATIENCE},
        use_listings_cache=False,
        skip_instance_cache=True,
        max_concurrency=1,  # more of them ask for the size of each object first
    )
    store.retries = 2  # of bodies that end early; botocore repeats everything else
    return store


def _call(doing: str, url: str, method: str, **words: Any) -> dict[str, Any]:
    store = _store()
    with reported(doing, url):
        return store.call_s3(method, **words)


def split(url: str) -> tuple[str, str]:
    """s3://bucket/a/b → (bucket, a/b)"""
    bucket, _, key = url.removeprefix("s3://").partition("/")
    return bucket, key


def state(url: str) -> State:
    """Raises NoSuchObject, CloudError."""
    bucket, key = split(url)
    answer = _call("read", url, "head_object", Bucket=bucket, Key=key)
    return State(answer["ContentLength"], _ns(answer["LastModified"]), answer["ETag"])


def read(url: str) -> bytes:
    """Raises NoSuchObject, CloudError."""
    store = _store()
    with reported("read", url):
        return store.cat_file(url)


def write(url: str, data: bytes) -> None:
    """Put the object in place of what was there; a large one is sent in parts. Raises CloudError."""
    store = _store()
    with reported("write", url):
        store.pipe_file(url, data)


def write_if(url: str, data: bytes, tag: str | None) -> str:
    """Put the object where the one that is there has this tag, or where there is none (None); the tag of the new one.

    Raises Conflict where that is not so, Busy where others write it all the time, CloudError.
    """
    bucket, key = split(url)
    condition = {"IfNoneMatch": "*"} if tag is None else {"IfMatch": tag}
    put = functools.partial(_call, "write", url, "put_object", Bucket=bucket, Key=key, Body=data, **condition)
    for pause in BUSY:
        with contextlib.suppress(Busy):
            return put()["ETag"]
        time.sleep(pause)
    return put()["ETag"]


def remove(url: str) -> None:
    """It need not be there. Raises CloudError."""
    bucket, key = split(url)
    _call("remove", url, "delete_object", Bucket=bucket, Key=key)


def pages(url: str) -> Iterator[list[tuple[str, State]]]:
    """All objects whose addresses begin with `url`, sorted, by thousands: no more than a page is held at once.

    Raises CloudError.
    """
    bucket, prefix = split(url)
    words = {"Bucket": bucket, "Prefix": prefix}
    while True:
        page = _call("list", url, "list_objects_v2", **words)
        yield [
            (f"s3://{bucket}/{entry['Key']}", State(entry["Size"], _ns(entry["LastModified"])))
            for entry in page.get("Contents", ())
        ]
        if not page.get("IsTruncated"):
            return
        words["ContinuationToken"] = page["NextContinuationToken"]


def exists(url: str) -> bool:
    """Raises CloudError."""
    try:
        state(url)
    except NoSuchObject:
        return False
    return True


def _ns(moment: Any) -> int:
    return int(moment.timestamp()) * CLOCK
