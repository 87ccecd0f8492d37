"""Files that are whole or not there."""

import contextlib
import errno
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

# of file systems that sync no folders, and folders that nobody may list
UNABLE = (errno.EINVAL, errno.ENOTSUP, errno.EACCES)


@contextlib.contextmanager
def whole_file(path: Path, sync_name: bool = False) -> Iterator[Path]:
    """A hidden name beside `path`, with its suffix, to write to; at the end of the block the file takes the name `path`.

    The folder is made. After an error nothing is left of the new file, and an older one is as it was. The bytes are on the
    disk before the file takes its name, so that no power cut leaves a torn one (6 ms on an SSD).
    sync_name: wait for the name to be there too (10 ms more), for files that nothing makes again when they lack.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{secrets.token_hex(8)}.partial{path.suffix}")
    try:
        yield partial
        sync_file(partial)
        partial.replace(path)
        if sync_name:
            sync_folder(path.parent)
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


def sync_file(path: Path) -> None:
    """Wait until the bytes of a file are on the disk. Raises OSError, where the disk is full for example."""
    _sync(path, os.O_RDWR)


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk, where the system can (Windows cannot)."""
    try:
        if os.name == "posix":
            _sync(folder, os.O_RDONLY)
    except OSError as error:
        if error.errno not in UNABLE:
            raise


def _sync(path: Path, flags: int) -> None:
    handle = os.open(path, flags)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
