"""CloudPath: what batches do with paths, done with objects."""

import io
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import cast

from ..utils.system.paths import expanded
from . import store
from .errors import CloudError

SCHEME = "s3://"


class CloudPath(PurePosixPath):
    """s3://bucket/folder/name, with those methods of Path that have a meaning there. Folders are made by their objects."""

    def __str__(self) -> str:
        return super().__str__().replace("s3:/", SCHEME, 1)

    def __fspath__(self) -> str:
        return str(self)

    def __reduce__(self) -> tuple[type["CloudPath"], tuple[str]]:
        return CloudPath, (str(self),)

    def absolute(self) -> "CloudPath":
        return self

    def resolve(self) -> "CloudPath":
        return self

    def mkdir(self, **_: bool) -> None:
        """Nothing to be done."""

    def stat(self) -> store.State:
        return store.state(str(self))

    def exists(self) -> bool:
        return store.exists(str(self))

    is_file = exists

    def read_bytes(self) -> bytes:
        return store.read(str(self))

    def write_bytes(self, data: bytes) -> None:
        store.write(str(self), data)

    def open(self, mode: str = "rb") -> io.BytesIO:
        """The whole object in memory."""
        return io.BytesIO(self.read_bytes())

    def touch(self) -> None:
        self.write_bytes(b"")

    def unlink(self, missing_ok: bool = True) -> None:
        store.remove(str(self))

    def glob(self, pattern: str) -> Iterator["CloudPath"]:
        """Objects right below, by a name that may hold wildcards behind its beginning."""
        beginning = f"{self}/{pattern.partition('*')[0]}"
        for page in store.pages(beginning):
            yield from (one for url, _ in page if (one := CloudPath(url)).parent == self and one.match(pattern))

    def remove_tree(self, but: str) -> None:
        """All objects below, except the one of this name."""
        kept = str(self / but)
        for page in store.pages(f"{self}/"):
            for url, _ in page:
                if url != kept:
                    store.remove(url)

    def check_writable(self) -> None:
        """Try to write below, and to remove it again. Raises CloudError."""
        probe = self / ".inspyrenet-probe"
        probe.touch()
        probe.unlink()


def is_url(word: str) -> bool:
    return "://" in word


def as_path(word: str) -> Path:
    """A path as it is written: a local one with ~ as a home, or an address of S3, which then stands for a Path.

    Raises CloudError for an address of another kind, and for one that holds credentials, which it does not repeat.
    """
    if not is_url(word):
        return expanded(word)
    scheme, _, rest = word.partition("://")
    bucket = rest.partition("/")[0]
    if "@" in bucket:
        raise CloudError(
            "an address holds no credentials (s3://…@…): set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        )
    if f"{scheme}://" != SCHEME or not bucket:
        raise CloudError(f"{word.partition('?')[0]}: of addresses, s3://BUCKET/FOLDER is understood, and local paths")
    return cast(Path, CloudPath(word))  # it has what batches need of one
