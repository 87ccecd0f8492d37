"""A folder of numbered PNG files, one for each picture. A run that was stopped is gone on with where it ended.

A list beside them, in the format that FFmpeg's `concat` reads, says how long each is shown. A picture that it names is whole.
"""

import contextlib
import hashlib
import re
import secrets
import shutil
from fractions import Fraction
from pathlib import Path
from typing import Any

from ...data.images.encode import write_bytes, write_picture
from ...data.whole_file import sync_file
from ...remover.output_paths import partial
from ..errors import explained_system
from ..source import Picture, Sound, Source

LIST = "frames.ffconcat"
AGAIN = 16  # pictures before the first new one go through the network once more, so that maps hold still from the start
HEAD = "ffconcat version 1.0\n# made for {}\n"
NAME = "{:06}.png"
ENTRY = re.compile(r"file \d+\.png\noption framerate \d+\nduration (?P<seconds>[\d.]+)\n")
STOPPED = "# stopped here\n"
RATE = 1000  # FFmpeg rounds durations to the time between two pictures at this rate; 25 if it is not told


class FramesWriter:
    """See `process.Writer`. The folder is called as one that is not whole until `finish`.

    request: what results depend on; pictures that were made for another are made again. Raises OSError where a file cannot be
    written.
    """

    def __init__(self, target: Path, source: Source, request: str):
        self.target = target
        self._source, self._folder = source, partial(target)
        self._head = HEAD.format(hashlib.sha256(request.encode("utf-8", "surrogateescape")).hexdigest()[:24])
        self._entries = self._found()
        self.frames = self._there = len(self._entries)
        self.seconds = sum(float(entry["seconds"]) for entry in self._entries)
        self.skipped = self._number = max(0, self._there - AGAIN)
        self._waiting: Picture | None = None
        self._list: Any = None

    def picture(self, picture: Picture) -> None:
        """Write a result (H, W), (H, W, 3) or (H, W, 4), unless it is there."""
        with explained_system(self.target):
            if self._list is None:
                self._begin()
            if self._waiting is not None:
                self._enter(picture.time - self._waiting.time)
            self._number += 1
            if self._number <= self._there:
                return
            self.frames = self._number
            self.seconds = float((picture.time + picture.duration) * self._source.time_base)
        write_picture(picture.array, self._folder / NAME.format(self._number))
        self._waiting = picture

    def sound(self, sound: Sound) -> None:
        """A folder has none, see `note`."""

    def finish(self, name: Path) -> None:
        """Enter the last picture; the folder takes its name, in place of one that is there."""
        with explained_system(self.target):
            if self._waiting is not None:
                self._enter(self._waiting.duration)
                self._list.write(STOPPED if name == self._folder else "")
            self._close()
            sync_file(self._folder / LIST)
            if name != self._folder:
                for torn in self._folder.glob(".*"):  # of a run that was killed
                    torn.unlink()
                _replace(self._folder, name)

    def discard(self) -> None:
        """What is there stays, for the next run."""
        with contextlib.suppress(OSError):
            self._close()

    @property
    def note(self) -> str | None:
        """That sound is gone."""
        return "a folder of pictures has no sound; mp4, webm and mov keep it" if self._source.tracks else None

    # -- parts ------------------------------------------------------------------------------------------------------

    def _found(self) -> list[re.Match[str]]:
        """Entries of an earlier run for the same request, whose pictures are there."""
        try:
            text = (self._folder / LIST).read_text(encoding="utf-8")
        except (OSError, ValueError):
            return []
        entries = list(ENTRY.finditer(text)) if text.startswith(self._head) else []
        names = (self._folder / NAME.format(number) for number in range(1, len(entries) + 1))
        absent = next((number for number, name in enumerate(names) if not name.is_file()), len(entries))
        if text.endswith(STOPPED) and absent == len(entries):  # how long the last one is shown, that run did not know
            absent -= 1
        return entries[:absent]

    def _begin(self) -> None:
        if not self._there:
            shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True, exist_ok=True)
        listed = "".join([self._head, *(entry[0] for entry in self._entries)])
        write_bytes(listed.encode(), self._folder / LIST)  # in one step, so that a kill loses no entry
        self._list = (self._folder / LIST).open("a", encoding="utf-8", newline="\n")
        self._entries = []

    def _enter(self, duration: int) -> None:
        """The picture that waits, with its duration in units of the source's time base."""
        seconds = float(Fraction(duration) * self._source.time_base)
        self._list.write(f"file {NAME.format(self._number)}\noption framerate {RATE}\nduration {seconds:.6f}\n")
        self._list.flush()

    def _close(self) -> None:
        if self._list is not None:
            self._list.close()


def _replace(folder: Path, name: Path) -> None:
    """`folder` takes a name that another one may have, which is gone then."""
    if not name.exists():
        folder.replace(name)
        return
    old = name.with_name(f".{secrets.token_hex(8)}.old")
    name.replace(old)
    folder.replace(name)
    shutil.rmtree(old)
