"""The manifest: a parquet file with one row for each image, and the parts that it grows from while a batch runs.

`manifest.parquet` is a snapshot, `manifest.parts/part-00012.parquet` the rows of a shard that was finished since. Both
appear whole or not at all. Every start and every end folds the parts into the snapshot, so a kill costs the rows of
unfinished shards only; those are found again from the results themselves (`resume.py`).
"""

import contextlib
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..cloud.errors import CloudError
from ..cloud.lease import Lease
from ..cloud.path import CloudPath
from ..mending.components import Box
from .errors import BatchError, cleaning_up, load_arrow
from .places import moment_of, readable, remove_tree, write_data, written

if TYPE_CHECKING:
    import pyarrow

DONE, SKIPPED, FAILED = "done", "skipped", "failed"
METADATA = b"inspyrenet.batch"  # of the parquet file: with what the results were made
LATER = ("quality", "bbox", "objects")  # columns that manifests of earlier versions do not have
RUN = "run.json"  # the same, while a batch is unfinished
LOCK, CLOCK = "lock", "clock"


@dataclass(slots=True)
class Row:
    """What became of one image.

    status: done; skipped: the result was there and nothing recorded how it was made; failed: message says why.
    height, width: of the image. bytes: of the result. seconds: reading, network, composing and writing.
    bbox: of the object in the image (left, top, width, height); None where there is none, or nothing recorded it. objects: the
    same of each by itself, where that was asked for. quality: as of `Result`.
    attempts: more than 1 where a worker died on the way. finished: seconds since 1970.
    fatal: not in the file; the next result cannot be written either.
    """

    path: str
    output: str
    status: str
    message: str = ""
    width: int | None = None
    height: int | None = None
    bytes: int | None = None
    seconds: float | None = None
    shard: int = 0
    attempts: int = 1
    worker: str = ""
    finished: float = 0.0
    source_bytes: int | None = None
    source_mtime_ns: int | None = None
    quality: float | None = None
    bbox: Box | None = None
    objects: list[Box] | None = None
    fatal: bool = False


def schema(arrow: Any) -> "pyarrow.Schema":
    """The columns of a manifest."""
    whole = {name: arrow.int64() for name in ("bytes", "source_bytes", "source_mtime_ns")}
    whole |= {name: arrow.int32() for name in ("width", "height", "shard", "attempts")}
    box = arrow.list_(arrow.int32())
    whole |= {"bbox": box, "objects": arrow.list_(box), "quality": arrow.float32()}
    whole |= {"seconds": arrow.float32(), "finished": arrow.timestamp("ms", tz="UTC")}
    names = [field.name for field in fields(Row) if field.name != "fatal"]
    return arrow.schema([(name, whole.get(name, arrow.string())) for name in names])


def table_of(rows: Sequence[Row]) -> "pyarrow.Table":
    """Rows → table with the manifest's columns."""
    arrow = load_arrow()
    columns = {}
    for field in schema(arrow):
        values = [getattr(row, field.name) for row in rows]
        if field.name == "finished":
            values = [round(value * 1000) for value in values]
        columns[field.name] = arrow.array(values, field.type)
    return arrow.table(columns, schema=schema(arrow))


def merge_rows(tables: Sequence["pyarrow.Table"]) -> "pyarrow.Table":
    """One row for each path, sorted by path; of several rows the last table's counts."""
    arrow = load_arrow()
    whole = arrow.concat_tables(tables) if tables else table_of([])
    places = arrow.table({"path": whole["path"], "place": np.arange(len(whole))})
    last = places.group_by("path").aggregate([("place", "max")]).sort_by("path")
    return whole.take(last["place_max"])


# -- files --------------------------------------------------------------------------------------------------------


def write_table(table: "pyarrow.Table", path: Path, made_with: dict[str, Any]) -> None:
    """Write a parquet file in one step. Raises OSError with path and remedy."""
    arrow = load_arrow()
    table = table.replace_schema_metadata({METADATA: json.dumps(made_with)})
    try:
        with written(path) as file:
            arrow.parquet.write_table(table, file)
    except CloudError:
        raise
    except OSError as error:
        raise OSError(
            error.errno, f"cannot write {path} ({error.strerror or error}); make room, or see --manifest"
        ) from error


def read_table(path: Path) -> tuple["pyarrow.Table", dict[str, Any]]:
    """(rows, with what the results were made). Raises BatchError where the file is damaged or something else."""
    arrow = load_arrow()
    way = "remove it, and results that are there are found again; or name another with --manifest"
    if path.parent.suffix == ".parts":
        way = "remove it, and the images that it told of are found again or made again"
    try:
        table = arrow.parquet.read_table(readable(path), partitioning=None)
    except CloudError:
        raise
    except (arrow.ArrowException, OSError, ValueError) as error:
        raise BatchError(f"{path} is damaged ({str(error)[:80].partition(chr(10))[0]}): {way}") from error
    try:
        made_with = json.loads(table.schema.metadata[METADATA])
        for name in LATER:
            if name not in table.column_names:
                table = table.append_column(name, arrow.nulls(len(table), schema(arrow).field(name).type))
        table = table.select(schema(arrow).names).cast(schema(arrow))
        if not isinstance(made_with, dict) or any(table[name].null_count for name in ("path", "output", "status")):
            raise ValueError("without paths, or without the settings of its run")
    except (arrow.ArrowException, KeyError, TypeError, ValueError, RecursionError) as error:
        raise BatchError(f"{path} is no manifest of this command: {way}") from error
    return table, made_with


def read_run(path: Path) -> tuple[dict[str, Any], bool]:
    """(with what the results are made, whether all are made again) of an unfinished batch. Raises BatchError."""
    try:
        content = json.loads(path.read_bytes())
        made_with, overwrite = content["made_with"], content["overwrite"]
        if not isinstance(made_with, dict) or not isinstance(overwrite, bool):
            raise TypeError("made_with is a dictionary, overwrite true or false")
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise BatchError(
            f"{path} is damaged: remove it, and the manifest tells how results were made; or make all of them again with "
            "--overwrite"
        ) from error
    return made_with, overwrite


class Manifest:
    """The manifest of one output folder. One process at a time works on it; others are refused."""

    def __init__(self, file: Path):
        if file.suffix != ".parquet":
            raise BatchError(f"the manifest is a parquet file, not {file.name}: --manifest {file.stem}.parquet")
        self.file, self.folder = file, file.with_suffix(".parts")
        self.made_with: dict[str, Any] = {}
        self.since: int | None = None  # results older than this (ns) are to be made again
        self.started = 0  # ns, by the clock of the file system
        self._lock: int | Lease | None = None

    def open(self, made_with: dict[str, Any], overwrite: bool = False) -> "pyarrow.Table":
        """Take up the work: rows known so far, parts folded in. made_with: must be what an unfinished or earlier run had.

        overwrite: everything is made again; that is remembered until a run comes to its end.
        Raises BatchError where another process is at work, or where the results were made with other settings.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        self._take_lock()
        if overwrite:
            self._write_run(made_with, overwrite=True)  # first: a kill from here on does not bring old results back
            self._remove_parts()
            self.file.unlink(missing_ok=True)
        tables, earlier = self._read_all()
        if earlier is not None:
            _compare(earlier, made_with, self.file.parent)
        self.made_with = made_with
        run = self.folder / RUN
        if not run.exists():
            self._write_run(made_with, overwrite=False)
        self.since = moment_of(run) if read_run(run)[1] else None
        clock = self.folder / CLOCK
        clock.touch()
        self.started = moment_of(clock)
        return merge_rows(tables)

    def save(self, table: "pyarrow.Table") -> None:
        """Replace the snapshot; the parts are in it. Raises CloudError where another command took the lease."""
        self.check_lease()
        write_table(table, self.file, self.made_with)
        self._remove_parts()

    def add_part(self, shard: int, rows: Sequence[Row]) -> None:
        """Write the rows of a shard. Raises CloudError where another command took the lease."""
        self.check_lease()
        write_table(table_of(rows), self.folder / f"part-{shard:05d}.parquet", self.made_with)

    def finish(self) -> "pyarrow.Table":
        """Fold everything into the snapshot and close; the parts' folder goes. Raises CloudError as `save` does."""
        table = merge_rows(self._read_all()[0])
        self.save(table)
        with cleaning_up():
            self.check_lease()
            remove_tree(self.folder, LOCK)  # a worker of a killed run may still be leaving a mark
        self.close()
        return table

    def close(self) -> None:
        """Let others in. A folder with nothing to remember goes. A lock that cannot be let go of is told."""
        lock, self._lock = self._lock, None
        if lock is None:
            return
        held = True
        if isinstance(lock, Lease):
            held = False  # also where the store does not answer
            with cleaning_up():
                held = lock.renew()
        with cleaning_up():
            if held and not (self.folder / RUN).exists():
                remove_tree(self.folder, LOCK)
        with cleaning_up():
            if not isinstance(lock, Lease):
                os.close(lock)
            elif held:
                lock.release()
            else:
                lock.stop()

    def check_lease(self) -> None:
        """Raises CloudError where another command took the lease, or without a connection."""
        if isinstance(self._lock, Lease):
            self._lock.check()

    # -- parts ------------------------------------------------------------------------------------------------------

    def _read_all(self) -> tuple[list["pyarrow.Table"], dict[str, Any] | None]:
        """Snapshot and parts, the older first; what they were made with, None where there is nothing."""
        files = [self.file] if self.file.is_file() else []
        read = [read_table(path) for path in [*files, *sorted(self.folder.glob("part-*.parquet"))]]
        made_with = read[-1][1] if read else None
        run = self.folder / RUN
        if run.is_file():
            made_with = read_run(run)[0]
        return [table for table, _ in read], made_with

    def _remove_parts(self) -> None:
        for part in self.folder.glob("part-*.parquet"):
            part.unlink()

    def _write_run(self, made_with: dict[str, Any], overwrite: bool) -> None:
        write_data(json.dumps({"made_with": made_with, "overwrite": overwrite}).encode(), self.folder / RUN)

    def _take_lock(self) -> None:
        """The kernel lets go of it when this process ends, however that happens; a store's lease ends by itself."""
        if isinstance(self.folder, CloudPath):
            self._lock = Lease(self.folder / LOCK)
            return
        try:
            import fcntl
        except ImportError:  # not on Windows, where two batches in one folder go unnoticed
            return
        lock = os.open(self.folder / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(lock)
            raise BatchError(f"another inspyrenet batch is at work on {self.file}: wait for it, or end it") from error
        self._lock = lock


def _compare(earlier: dict[str, Any], now: dict[str, Any], dest: Path) -> None:
    keys = [key for key in {**earlier, **now} if earlier.get(key) != now.get(key)]
    if keys:
        pairs = ", ".join(f"{key} {_shown(earlier.get(key))} (now {_shown(now.get(key))})" for key in keys)
        raise BatchError(
            f"the results in {dest} were made with {pairs}: ask for the same, choose another --output, "
            "or make all of them again with --overwrite"
        )


def _shown(value: Any) -> str:
    text = "none" if value is None else str(value)
    return text if len(text) <= 40 else f"{text[:12]}…"


class Journal:
    """Takes rows as they come, and writes the part of a shard when its last row is in."""

    def __init__(self, manifest: Manifest, expected: dict[int, int]):
        self.manifest, self.expected = manifest, dict(expected)
        self.open: dict[int, dict[str, Row]] = {}

    def add(self, rows: Iterable[Row]) -> None:
        for row in rows:
            shard = self.open.setdefault(row.shard, {})
            shard[row.path] = row
            if len(shard) == self.expected[row.shard]:
                self._write(row.shard)

    def flush(self) -> None:
        """Write unfinished shards too: the batch was stopped. All are tried before an error is raised."""
        with contextlib.ExitStack() as shards:
            for shard in self.open:
                shards.callback(self._write, shard)

    def _write(self, shard: int) -> None:
        """Rows are forgotten once they are in the file: an interrupt may come before."""
        self.manifest.add_part(shard, list(self.open[shard].values()))
        del self.open[shard]
