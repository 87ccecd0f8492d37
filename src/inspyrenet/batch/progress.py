"""What a batch shows while it runs, and what it says at its end."""

import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from .manifest import DONE, Row

if TYPE_CHECKING:
    from tqdm import tqdm

EVERY = 30.0  # seconds between two lines, where nobody watches a bar
LISTED = 20  # failures that are named at the end


@dataclass
class Summary:
    """What became of a batch."""

    manifest: Path
    done: int = 0
    skipped: int = 0
    failed: list[tuple[str, str]] = field(default_factory=list)
    retried: int = 0  # images that were taken up again after a worker died
    left: int = 0  # not tried: nothing could be written any more
    seconds: float = 0.0
    first: float = 0.0  # seconds until the first results
    at_first: int = 0  # images in them

    @property
    def exit_code(self) -> int:
        return 1 if self.failed or self.left else 0

    @property
    def tried(self) -> int:
        return self.done + len(self.failed)

    @property
    def rate(self) -> float | None:
        """Images per second once the workers are up; None where all came at once."""
        more, seconds = self.tried - self.at_first, self.seconds - self.first
        return more / seconds if more > 0 and seconds > 0 else None

    def add(self, rows: Iterable[Row], after: float | None = None) -> None:
        """Take rows in. after: seconds since the start, where they are a worker's."""
        first = after is not None and not self.first
        if after is not None and first:
            self.first = after
        for row in rows:
            if row.status == DONE:
                self.done += 1
            else:
                self.failed.append((row.path, row.message))
            self.retried += row.attempts > 1
        self.at_first = self.tried if first else self.at_first

    def __str__(self) -> str:
        parts = [f"{self.done:,} done"]
        if self.skipped:
            parts.append(f"{self.skipped:,} skipped, they are there already (--overwrite makes them again)")
        if self.failed:
            parts.append(f"{len(self.failed):,} failed")
        if self.left:
            parts.append(f"{self.left:,} not tried")
        lines = [", ".join(parts) + (":" if self.failed else "")]
        lines += [f"  {path}: {reason}" for path, reason in sorted(self.failed)[:LISTED]]
        if len(self.failed) > LISTED:
            lines.append(f"  … and {len(self.failed) - LISTED:,} more, all in the manifest")
        if self.retried:
            lines.append(f"{self.retried:,} were taken up again after a worker died")
        if self.left:
            lines.append("make room or choose another --output, then run the same command again: it goes on from here")
        if self.seconds:
            speed = f", from then on {self.rate:.2f} images/s" if self.rate else ""
            lines.append(f"{self.seconds:.1f} s, first results after {self.first:.1f} s{speed}")
        return "\n".join([*lines, f"manifest: {self.manifest}"])


class Progress:
    """Context manager: a bar on a terminal, else a line now and then. Both say how fast it goes and how long it takes."""

    def __init__(self, total: int, bar: bool):
        self.total, self.count, self.bar = total, 0, bar
        self.began = self.told = 0.0  # when the first results came: starting says nothing about the speed
        self.at_first = 0
        self._tqdm: tqdm | None = None

    def __enter__(self) -> "Progress":
        if self.bar:
            from tqdm import tqdm

            self._tqdm = tqdm(total=self.total, unit="image", file=sys.stderr)
        return self

    def __exit__(self, *_: object) -> None:
        if self._tqdm is not None:
            self._tqdm.close()

    def add(self, count: int) -> None:
        self.count += count
        now = time.perf_counter()
        if not self.began:
            self.began = self.told = now
            self.at_first = count
            if self._tqdm is not None:
                self._tqdm.unpause()
        if self._tqdm is not None:
            self._tqdm.update(count)
        elif now - self.told >= EVERY and self.count < self.total:
            self.told = now
            rate = (self.count - self.at_first) / (now - self.began)
            self.say(
                f"{self.count:,} of {self.total:,}, {rate:.2f} images/s, {_clock((self.total - self.count) / rate)} left"
            )

    def say(self, line: str) -> None:
        """A line above the bar."""
        if self._tqdm is None:
            print(line, file=sys.stderr, flush=True)
            return
        with self._tqdm.external_write_mode(file=sys.stderr):
            print(line, file=sys.stderr, flush=True)


def _clock(seconds: float) -> str:
    """2 d 03:04:05"""
    days, rest = divmod(int(seconds), 86400)
    return f"{days} d " * bool(days) + time.strftime("%H:%M:%S", time.gmtime(rest))
