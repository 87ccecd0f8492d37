"""Scores that were measured before, found again by the content of the files.

One SQLite file. A record belongs to the bytes of a prediction, the bytes of a mask, and what would change the numbers; so
a changed map is scored anew, and an interrupted evaluation goes on where it stopped.
"""

import hashlib
import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np

from .conventions import Conventions
from .registry import MetricError
from .scoring import ImageScores

VERSION = 3  # raise it whenever a metric's definition changes
_SCHEMA = """CREATE TABLE IF NOT EXISTS scores
(key BLOB PRIMARY KEY, scalars TEXT, counts BLOB, band BLOB, resized INTEGER, own TEXT) WITHOUT ROWID"""


class CacheError(MetricError):
    """A cache file that cannot be used; the message says what to do."""


@dataclass(frozen=True)
class Record:
    """Scores of one pair, and whether its prediction was resized to the mask."""

    key: bytes
    scores: ImageScores
    resized: bool


def cache_key(prediction: np.ndarray, truth: np.ndarray, conventions: Conventions, reading: str = "") -> bytes:
    """Digest of two files' bytes (n,) uint8 and of what decides how they are scored; `reading` is how masks are read."""
    settings = f"{VERSION} {conventions.stretch} {conventions.whole} {reading}"
    digest = hashlib.blake2b(settings.encode(), digest_size=20)
    for data in (prediction, truth):
        digest.update(hashlib.blake2b(data.data, digest_size=20).digest())
    return digest.digest()


class ScoreCache:
    """The records of one file, made when it is not there.

    CacheError where the file cannot be opened, written or understood.
    """

    def __init__(self, path: Path | str):
        self.path = Path(path)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(self.path, timeout=60)
            self._connection.execute(_SCHEMA)
            columns = [row[1] for row in self._connection.execute("PRAGMA table_info(scores)")]
            if "own" not in columns:  # a file of before there were such curves
                self._connection.execute("ALTER TABLE scores ADD COLUMN own TEXT")
        except (sqlite3.Error, OSError) as error:
            raise self._problem(error) from error

    def __enter__(self) -> "ScoreCache":
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._connection.close()

    def __len__(self) -> int:
        return self._connection.execute("SELECT count(*) FROM scores").fetchone()[0]

    def __bool__(self) -> bool:
        return True  # an empty cache is one too

    def get(self, key: bytes) -> Record | None:
        """The record of that key, if there is one."""
        query = "SELECT scalars, counts, band, resized, own FROM scores WHERE key = ?"
        try:
            row = self._connection.execute(query, (key,)).fetchone()
        except sqlite3.Error as error:
            raise self._problem(error) from error
        if row is None:
            return None
        scalars, counts, band, resized, own = row
        curves = {name: np.array(values) for name, values in json.loads(own or "{}").items()}
        return Record(key, ImageScores(json.loads(scalars), _unpack(counts), _unpack(band), curves), bool(resized))

    def put(self, records: Iterable[Record]) -> None:
        """Add or replace records; they are on disk when this returns."""
        rows = [
            (
                r.key,
                json.dumps(dict(r.scores.scalars)),
                _pack(r.scores.counts),
                _pack(r.scores.band),
                r.resized,
                json.dumps({name: curve.tolist() for name, curve in r.scores.own.items()}),
            )
            for r in records
        ]
        try:
            with self._connection:
                self._connection.executemany("INSERT OR REPLACE INTO scores VALUES (?, ?, ?, ?, ?, ?)", rows)
        except sqlite3.Error as error:
            raise self._problem(error) from error

    def _problem(self, error: Exception) -> CacheError:
        if isinstance(error, sqlite3.OperationalError | OSError):
            return CacheError(f"cannot keep scores in {self.path} ({error}); choose another Eval.result_path")
        return CacheError(f"{self.path} is not a file of scores ({error}); delete it, and all is scored anew")


def _pack(counts: np.ndarray | None) -> bytes | None:
    return None if counts is None else counts.astype("<i8").tobytes()


def _unpack(data: bytes | None) -> np.ndarray | None:
    return None if data is None else np.frombuffer(data, "<i8").reshape(2, -1)
