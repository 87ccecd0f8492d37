"""What is left to do: which results are there already and still belong to their images."""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from ..data.images.read import ImageError, upright_size
from .errors import BatchError
from .inputs import Item
from .manifest import FAILED, SKIPPED, Row
from .places import AnyState, Look, local_copy, state_of

if TYPE_CHECKING:
    import pyarrow

THREADS, SLICE = 16, 500  # a network file system answers many questions at once
UNRECORDED = "was there already; nothing recorded how it was made"


@dataclass(frozen=True, slots=True)
class Known:
    """What the manifest says about one image."""

    path: str
    output: str
    status: str
    source_bytes: int | None
    source_mtime_ns: int | None
    bytes: int | None  # of the result


@dataclass
class ResumePlan:
    """todo: to be made. finished: how many results are there. found: rows for those that no row told of."""

    todo: list[Item] = field(default_factory=list)
    finished: int = 0
    found: list[Row] = field(default_factory=list)


def plan_resume(
    items: Sequence[Item], table: "pyarrow.Table", since: int | None = None, look: Look = state_of
) -> ResumePlan:
    """Finished: the result is there, is no older than `since` (ns), and its image is the one that it was made from.

    Where a row tells, the result's size and the image's size and time of change must still be as recorded; else the result
    must be a picture, as far as its first bytes tell, and not older than the image. Where the row says that it failed, what
    is there is of an earlier run, and not finished. Raises BatchError where a result belongs to another image that still
    exists. look: tells the state of an image or result.
    """
    known = _known(table)
    _refuse_foreign(items, known, since, look)
    slices = [items[start : start + SLICE] for start in range(0, len(items), SLICE)]
    sort = partial(
        _sort_slice,
        known={row.path: row for row in known},
        owners={row.output: row.path for row in known},
        since=since,
        look=look,
    )
    everything = ResumePlan()
    with ThreadPoolExecutor(THREADS) as pool:
        for part in pool.map(sort, slices):
            everything.todo += part.todo
            everything.finished += part.finished
            everything.found += part.found
    return everything


def _known(table: "pyarrow.Table") -> list[Known]:
    names = ("path", "output", "status", "source_bytes", "source_mtime_ns", "bytes")
    return [Known(*values) for values in zip(*(table[name].to_pylist() for name in names), strict=True)]


def _refuse_foreign(items: Sequence[Item], known: Iterable[Known], since: int | None, look: Look) -> None:
    """Two inputs never share a result, also where they come from two runs."""
    if since is not None:
        return
    wanted = {item.output: item.path for item in items}
    paths = set(wanted.values())
    for row in known:
        other = wanted.get(row.output, row.path)
        if other != row.path and row.path not in paths and _is_there(row.path, look) and _is_there(row.output, look):
            raise BatchError(
                f"{row.output} was made from {row.path}, and would be replaced by the result of {other}: choose another "
                "--output, or give --root so that the names differ"
            )


def _is_there(path: str, look: Look) -> bool:
    try:
        look(path)
    except OSError:
        return False
    return True


def without_replaced(table: "pyarrow.Table", items: Sequence[Item]) -> "pyarrow.Table":
    """The rows but for those whose result now belongs to another image (the earlier one is gone, or is named otherwise)."""
    import pyarrow

    wanted = {item.output: item.path for item in items}
    pairs = zip(table["path"].to_pylist(), table["output"].to_pylist(), strict=True)
    return table.filter(pyarrow.array([wanted.get(output, path) == path for path, output in pairs], pyarrow.bool_()))


def _sort_slice(
    items: Sequence[Item], known: dict[str, Known], owners: dict[str, str], since: int | None, look: Look
) -> ResumePlan:
    part = ResumePlan()
    for item in items:
        owned = owners.get(item.output, item.path) == item.path
        state = _is_finished(item, known.get(item.path), since, look) if owned else None
        if state is None:
            part.todo.append(item)
            continue
        part.finished += 1
        if item.path not in known or known[item.path].output != item.output:
            part.found.append(_row_of(item, *state))
    return part


def _is_finished(item: Item, row: Known | None, since: int | None, look: Look) -> tuple[AnyState, AnyState] | None:
    """State of image and result, where the result is whole and of this image."""
    row = row if row is not None and row.output == item.output else None
    if row is not None and row.status == FAILED:
        return None
    try:
        output, source = look(item.output), look(item.path)
    except OSError:
        return None  # not made, or no image: trying says what is wrong
    if not output.st_size or (since is not None and output.st_mtime_ns < since):
        return None
    if row is not None and row.source_mtime_ns is not None:
        if row.bytes is not None and row.bytes != output.st_size:
            return None  # cut short since, or written by something else
        same = (row.source_bytes, row.source_mtime_ns) == (source.st_size, source.st_mtime_ns)
    else:
        same = output.st_mtime_ns >= source.st_mtime_ns and _begins_as_picture(item.output)
    return (output, source) if same else None


def _begins_as_picture(path: str) -> bool:
    return _size(path) is not None


def _size(path: str) -> tuple[int, int] | None:
    """(height, width) of an image, None where it cannot be read."""
    try:
        with local_copy(path) as file:
            return upright_size(file)
    except (ImageError, OSError):
        return None


def _row_of(item: Item, output: AnyState, source: AnyState) -> Row:
    """A row from the files alone."""
    height, width = _size(item.path) or (None, None)
    return Row(
        item.path, item.output, SKIPPED, UNRECORDED, width, height, output.st_size, shard=item.shard,
        finished=output.st_mtime_ns / 1e9, source_bytes=source.st_size, source_mtime_ns=source.st_mtime_ns,
    )  # fmt: skip
