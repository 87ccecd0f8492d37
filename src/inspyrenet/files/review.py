"""Doubtful results are set aside: into OUTPUT/review, where review.csv lists all results by their estimated quality.

The table grows by a line for each result, before the result is written. Whatever moment a run is stopped at, the next one knows
all results, and sorts them anew.
"""

import csv
import io
import math
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..data.images.encode import write_bytes
from .sources import JobError

FOLDER, TABLE = "review", "review.csv"
HEAD: tuple[str, float | str] = ("name", "quality")

Rule = Callable[[Mapping[str, float]], set[str]]  # results and their quality → the doubtful ones


def rule_of(text: str) -> Rule:
    """10%: the worst tenth, rounded up. 25: the worst 25. 0.8: all below this quality. Raises JobError for anything else."""
    plain = text.strip()
    number = _number(plain.removesuffix("%"))
    if plain.endswith("%") and 0 < number <= 100:
        return lambda table: _worst(table, math.ceil(len(table) * number / 100))
    if plain.isdecimal() and number >= 1:
        return lambda table: _worst(table, int(number))
    if "." in plain and 0 < number < 1:
        return lambda table: {name for name, quality in table.items() if quality < number}
    raise JobError(
        f"--review is a share (10%), a number of images (25) or a quality below 1 (0.8: all below it), not {text!r}"
    )


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _worst(table: Mapping[str, float], count: int) -> set[str]:
    return set(_worst_first(table)[:count])


def _worst_first(table: Mapping[str, float]) -> list[str]:
    return sorted(table, key=lambda name: (table[name], name))


@dataclass(frozen=True)
class Review:
    """The results of one output folder. Names are their paths below it, with /."""

    output: Path
    rule: Rule
    _lock: threading.Lock = field(default_factory=threading.Lock, compare=False)

    @property
    def folder(self) -> Path:
        return self.output / FOLDER

    @property
    def table(self) -> Path:
        return self.folder / TABLE

    def aside(self, target: Path) -> Path:
        """Where a result lies while it is set aside."""
        return self.folder / target.relative_to(self.output)

    def began(self) -> bool:
        """An earlier run set results aside here."""
        return self.table.is_file() and self.table.read_bytes().startswith(_lines([HEAD]))

    def begin(self, again: bool) -> None:
        """Before a run: a line that was cut short goes. again: all are made again, so every result comes back to its own place,
        and no quality counts any more.

        Raises JobError where the table is something else.
        """
        table = self.read()
        for name in table if again else ():
            _move(self.folder / name, self.output / name)
        if table:
            self._write({} if again else table)

    def note(self, target: Path, quality: float) -> None:
        """Remember the quality of a result. Any thread may call it."""
        line = _lines([(self._name(target), quality)])
        with self._lock:
            self.folder.mkdir(exist_ok=True)
            with self.table.open("ab") as file:
                file.write(line if file.tell() else _lines([HEAD]) + line)

    def read(self) -> dict[str, float]:
        """Result → quality; of several lines for one the last counts, one that was cut short does not.

        Raises JobError where the file is something else.
        """
        if not self.table.exists():
            return {}
        whole = self.table.read_bytes().rpartition(b"\n")[0]
        rows = list(csv.reader(io.StringIO(whole.decode("utf-8", "surrogateescape"), newline="")))
        try:
            if rows and tuple(rows[0]) != HEAD:
                raise ValueError("another table")
            return {name: float(quality) for name, quality in rows[1:]}
        except ValueError as error:
            raise JobError(
                f"{self.table} is no table of this command: move it, and make the results again with --overwrite"
            ) from error

    def sort(self, targets: Iterable[Path] = ()) -> str:
        """Move the doubtful results aside, and those that are not doubtful any more back; what became of it, in words.

        Nothing is replaced: what lies at both places stays at both. targets: results whose quality may be unknown, to be told.
        """
        table = {name: value for name, value in self.read().items() if self._is_there(name)}
        doubtful = self.rule(table)
        for name in table:
            places = self.output / name, self.folder / name
            _move(*(places if name in doubtful else places[::-1]))
        if table:
            self._write(table)
        unknown = sum(self._name(target) not in table for target in targets)
        left = f"; {unknown} of unknown quality stay (--overwrite makes them again)" if unknown else ""
        return self._told(table, doubtful) + left

    def _told(self, table: Mapping[str, float], doubtful: set[str]) -> str:
        if not table:
            return "no result of known quality, so none is set aside"
        bound = f" (quality {max(table[name] for name in doubtful):.2f} and less)" if doubtful else ""
        return f"{len(doubtful)} of {len(table)} are to be looked at{bound}: {self.folder}; {TABLE} lists all"

    def _write(self, table: Mapping[str, float]) -> None:
        write_bytes(_lines([HEAD, *((name, table[name]) for name in _worst_first(table))]), self.table)

    def _name(self, target: Path) -> str:
        return target.relative_to(self.output).as_posix()

    def _is_there(self, name: str) -> bool:
        return (self.output / name).is_file() or (self.folder / name).is_file()


def _lines(rows: Iterable[tuple[str, float | str]]) -> bytes:
    text = io.StringIO(newline="")
    cells = ((name, f"{quality:.4f}" if isinstance(quality, float) else quality) for name, quality in rows)
    csv.writer(text, lineterminator="\n").writerows(cells)
    return text.getvalue().encode("utf-8", "surrogateescape")  # as names of files are


def _move(source: Path, target: Path) -> None:
    if source.is_file() and not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        source.rename(target)
