"""What a batch does with files of this machine and with objects of a store alike."""

import contextlib
import io
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ..cloud import store
from ..cloud.path import CloudPath, is_url
from ..cloud.store import State
from ..data.whole_file import whole_file
from ..files.request import check_writable as check_folder

if TYPE_CHECKING:
    from ..remover.image_types import Result

AnyState = os.stat_result | State
Look = Callable[[str], AnyState]  # raises OSError


def state_of(path: str) -> AnyState:
    """Size and time of change. Raises OSError."""
    return store.state(path) if is_url(path) else os.stat(path)  # noqa: PTH116 (millions of them)


def moment_of(path: Path) -> int:
    """When it was written (ns); of an object the end of that second, since older ones may tell the same. Raises OSError."""
    return path.stat().st_mtime_ns + (store.CLOCK if isinstance(path, CloudPath) else 0)


def listed(dest: Path, inputs: dict[str, State]) -> Look:
    """`state_of`, from listings where there are some: one request for a thousand results in place of one for each.

    inputs: states of images that were listed. Raises CloudError.
    """
    if not isinstance(dest, CloudPath):
        return lambda path: inputs.get(path) or state_of(path)
    states = inputs | {url: state for page in store.pages(f"{dest}/") for url, state in page}
    below = f"{dest}/"

    def look(path: str) -> AnyState:
        if path in states:
            return states[path]
        if path.startswith(below):
            raise FileNotFoundError(path)
        return state_of(path)

    return look


@contextlib.contextmanager
def local_copy(path: str) -> Iterator[Path]:
    """The file itself, or a copy of the object while the block lasts. Raises OSError."""
    if not is_url(path):
        yield Path(path)
        return
    with tempfile.TemporaryDirectory(prefix="inspyrenet_") as folder:
        copy = Path(folder, "object")
        copy.write_bytes(store.read(path))
        yield copy


@contextlib.contextmanager
def written(path: Path) -> Iterator[Path | io.BytesIO]:
    """What to write to; at the end of the block the file or object is there, whole. Raises OSError."""
    if isinstance(path, CloudPath):
        buffer = io.BytesIO()
        yield buffer
        path.write_bytes(buffer.getvalue())
        return
    with whole_file(path, sync_name=True) as partial:
        yield partial


def readable(path: Path) -> Path | io.BytesIO:
    """What pyarrow can read. Raises OSError."""
    return path.open() if isinstance(path, CloudPath) else path


def write_data(data: bytes, path: Path) -> None:
    """Bytes that others read. Raises OSError."""
    from ..data.images.encode import write_bytes

    path.write_bytes(data) if isinstance(path, CloudPath) else write_bytes(data, path)


def write_result(result: "Result", path: Path, form: str) -> int:
    """As `remover.writing.write_result`; the bytes of the result. Raises OSError, FormatError."""
    from ..data.images.encode import encode
    from ..remover import writing

    if not isinstance(path, CloudPath):
        writing.write_result(result, path, form)
        return path.stat().st_size
    writing.write_objects_of(result, path, form, write_data)
    data = encode(result.array, form, result.metadata)
    path.write_bytes(data)
    return len(data)


def remove_tree(folder: Path, lock: str) -> None:
    """Remove a folder with all below it, as far as possible; what stays harms nobody.

    lock: name of an object that stays in a store, where it keeps others out until `Lease.release`.
    """
    if isinstance(folder, CloudPath):
        with contextlib.suppress(OSError):
            folder.remove_tree(but=lock)
    else:
        shutil.rmtree(folder, ignore_errors=True)


def check_writable(folder: Path) -> None:
    """Raises OSError with path and remedy."""
    folder.check_writable() if isinstance(folder, CloudPath) else check_folder(folder)
