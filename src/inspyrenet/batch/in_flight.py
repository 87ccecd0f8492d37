"""Which worker crashed, and why: a file says that work on something has begun, and goes when it has ended.

A worker that is killed leaves its mark, and whoever takes the work up again finds it. That is how an image that kills every
worker it meets (too large for the memory, a fault in a decoder) is known, and given up after a few deaths.
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from .places import write_data

TRIES = 3  # deaths that an image, or the loading of the network, may cost
PREFIX = "trying-"


class InFlight:
    """Marks in a folder that all workers see. worker: machine and process, for people who look into them."""

    def __init__(self, folder: Path, worker: str = ""):
        self.folder, self.worker = folder, worker

    def enter(self, key: str, paths: Sequence[str] = ()) -> int:
        """Begin; how often this was begun before and not ended. paths: the images that may be to blame."""
        file = self._file(key)
        deaths = _read(file)[0]
        mark = {"begun": deaths + 1, "worker": self.worker, "paths": list(paths)}
        write_data(json.dumps(mark).encode(), file)
        return deaths

    def leave(self, key: str) -> None:
        """End, well or badly, but alive."""
        self._file(key).unlink(missing_ok=True)

    def crash_suspects(self) -> set[str]:
        """Images that were at work when their workers, or everything, died."""
        return {path for file in self.folder.glob(f"{PREFIX}*") for path in _read(file)[1]}

    def clear(self) -> None:
        for file in self.folder.glob(f"{PREFIX}*"):
            file.unlink(missing_ok=True)

    def _file(self, key: str) -> Path:
        return self.folder / f"{PREFIX}{hashlib.sha256(key.encode('utf-8', 'surrogateescape')).hexdigest()[:24]}"


def _read(file: Path) -> tuple[int, list[str]]:
    try:
        content = json.loads(file.read_bytes())
        return int(content["begun"]), [str(path) for path in content["paths"]]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):  # none, just gone, or not ours
        return 0, []
