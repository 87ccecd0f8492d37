"""What a manifest of many rows takes: bytes, seconds to write and to take up again, and memory. Rows are made up.

    .venv/bin/python -m benchmarks.batch.manifest --rows 10000 100000 1000000 --json benchmarks/results/manifest.json

Each number of rows runs in a process of its own, through the journal and the manifest of a batch. Images and results do not
exist: what the file system costs is replaced by states as a listing gives them.
"""

import json
import multiprocessing
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from inspyrenet.batch.inputs import Item
from inspyrenet.batch.manifest import DONE, Journal, Manifest, Row
from inspyrenet.batch.resume import plan_resume, without_replaced
from inspyrenet.cloud.store import State
from inspyrenet.commands.parser import Parser
from inspyrenet.utils.system.timing import describe_machine

SHARD, BYTES, MOMENT = 256, 24_000, 1_700_000_000 * 10**9
MADE_WITH = {"network": "made up", "weights": "0" * 64}


def main(argv: list[str] | None = None) -> int:
    """Prints and writes the figures; 0 when done."""
    parser = Parser(description=__doc__)
    parser.add_argument("--rows", nargs="+", type=int, default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(argv)
    report: dict = {"machine": describe_machine(torch.device("cpu")), "runs": {}}
    for rows in options.rows:
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            report["runs"][rows] = pool.apply(grow, (rows,))
        print(f"{rows:,}", json.dumps(report["runs"][rows]), flush=True)
        if options.json:
            options.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return 0


def grow(count: int) -> dict[str, float]:
    """A batch of so many images from its first part to its last, and its resumption."""
    figures: dict[str, float] = {}
    start = megabytes()
    with tempfile.TemporaryDirectory() as folder:
        manifest = Manifest(Path(folder) / "manifest.parquet")
        manifest.open(MADE_WITH)
        with timed(figures, "write_parts"):
            journal = Journal(manifest, Counter(number // SHARD for number in range(count)))
            for number in range(count):
                journal.add([row(number)])
        parts = list(manifest.folder.glob("part-*"))
        figures |= {"parts": len(parts), "parts_bytes": sum(part.stat().st_size for part in parts)}
        figures["mb_writing"] = megabytes() - start
        with timed(figures, "merge"):
            manifest.finish()
        figures |= {"bytes": manifest.file.stat().st_size, "mb_merging": megabytes() - start}
        items = [Item(f"{name(number)}.jpg", f"{out(number)}.png", number // SHARD) for number in range(count)]
        figures["mb_items"] = megabytes() - start
        with timed(figures, "resume"):
            table = without_replaced(manifest.open(MADE_WITH), items)
            state = plan_resume(items, table, manifest.since, look)
        if state.finished != count:
            raise RuntimeError(f"{state.finished:,} of {count:,} were taken up")
        manifest.close()
    return {key: round(value, 3) for key, value in (figures | {"mb_at_most": megabytes() - start}).items()}


def look(path: str) -> State:
    return State(BYTES if path.endswith(".png") else BYTES * 4, MOMENT)


def row(number: int) -> Row:
    """As a worker makes them, with names and values of usual lengths and as much difference."""
    return Row(
        f"{name(number)}.jpg", f"{out(number)}.png", DONE, "", 400 + number % 37, 300 + number % 41, BYTES,
        0.05 + number % 1009 / 1e4, number // SHARD, 1, f"machine-{number % 8}:{1000 + number % 8}",
        1.7e9 + number * 0.05, BYTES * 4, MOMENT, number * 7919 % 10007 / 10007,
        (number % 97, number % 89, 200 + number % 53, 150 + number % 59),
    )  # fmt: skip


def name(number: int) -> str:
    return f"s3://a-bucket/photos/2026/{number // 1000:06d}/IMG_{number:09d}"


def out(number: int) -> str:
    return f"s3://a-bucket/cut/2026/{number // 1000:06d}/IMG_{number:09d}"


@contextmanager
def timed(figures: dict[str, float], name: str) -> Iterator[None]:
    """Seconds, and processor seconds, of a block."""
    wall, processor = time.perf_counter(), time.process_time()
    yield
    figures |= {f"{name}_s": time.perf_counter() - wall, f"{name}_processor_s": time.process_time() - processor}


def megabytes() -> float:
    """The most memory that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    sys.exit(main())
