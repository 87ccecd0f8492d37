"""Results as lines of JSON, written as they come, and the table that closes a run."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Record = dict[str, Any]


class Records:
    """Appends to a file of results. A line has stage, name, ok, value, limit, seconds and error, and what else is given.

    ok: True, False, or None for what was skipped; `error` then says why.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, stage: str, name: str, ok: bool | None = True, **more: Any) -> Record:
        """Write one line, on disk when this returns; it is printed, too."""
        record = {"stage": stage, "name": name, "ok": ok, "value": None, "limit": None, "seconds": None, "error": None}
        record |= more
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as stream:
            torn = self.size() > 0 and not self._whole()
            stream.write("\n" * torn + json.dumps(record) + "\n")
            stream.flush()
        print("  ".join(text for text in row(record) if text), flush=True)
        return record

    def read(self, start: int = 0) -> list[Record]:
        """The lines from byte `start` on; one that a killed process left unfinished is passed over."""
        return list(self._lines(start))

    def _lines(self, start: int) -> Iterator[Record]:
        if not self.path.is_file():
            return
        with self.path.open("rb") as stream:
            stream.seek(start)
            for line in stream:
                with contextlib.suppress(ValueError):  # of a torn line
                    yield json.loads(line)

    def _whole(self) -> bool:
        """Whether the last line is finished."""
        with self.path.open("rb") as stream:
            stream.seek(-1, 2)
            return stream.read() == b"\n"

    def size(self) -> int:
        """Bytes so far: where the lines of a run begin."""
        return self.path.stat().st_size if self.path.is_file() else 0


def row(record: Record) -> tuple[str, ...]:
    """A record as the cells of the table, its error behind the result."""
    result = {True: "ok", False: "FAILED", None: "skipped"}[record["ok"]]
    if record.get("published"):
        result = "published, not measured here"
    if record["error"]:
        result += f" ({record['error']})"
    numbers = [_number(record[key]) for key in ("value", "limit")]
    if numbers[0] and record.get("unit"):
        numbers[0] += f" {record['unit']}"
    seconds = "" if record["seconds"] is None else f"{record['seconds']:.1f} s"
    bound = numbers[1] and f"limit {numbers[1]}"
    if "floor_ms_flops" in record:
        bound = f"floor {_number(max(record['floor_ms_flops'], record['floor_ms_bytes']))} ms"
    return (record["stage"], record["name"], result, numbers[0], bound, seconds)


def _number(value: Any) -> str:
    return "" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


def table(records: list[Record]) -> str:
    """All records in aligned columns, and a line that counts them."""
    rows = [row(record) for record in records]
    widths = [max((len(cells[i]) for cells in rows), default=0) for i in (0, 1)]
    lines = [f"{cells[0]:{widths[0]}}  {cells[1]:{widths[1]}}  " + "  ".join(filter(None, cells[2:])) for cells in rows]
    counted = {text: sum(record["ok"] is ok for record in records) for text, ok in NAMES}
    return "\n".join([*lines, ", ".join(f"{count} {text}" for text, count in counted.items())])


NAMES = (("ok", True), ("failed", False), ("skipped", None))
