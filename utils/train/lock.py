"""One run per folder: a lock file that names its holder, taken over when the holder is dead."""

import contextlib
import json
import os
import socket
import time
from pathlib import Path
from types import TracebackType
from typing import Any

LOCK = "run.lock"
YOUNG = 10.0  # seconds


class LockedError(RuntimeError):
    """Another run is working in this folder."""


class RunLock:
    """Context manager around `<folder>/run.lock`.

    A holder counts as dead if it ran on this machine and its process is gone, or its number now belongs to another
    process. A holder on another machine cannot be asked and counts as alive.

    Raises:
        LockedError: on entering, if a living process holds the lock.
    """

    def __init__(self, folder: str | Path) -> None:
        self.path = Path(folder) / LOCK
        self._mine: dict[str, Any] | None = None

    def __enter__(self) -> "RunLock":
        self.path.parent.mkdir(parents=True, exist_ok=True)
        mine = {"pid": os.getpid(), "host": socket.gethostname(), "started": process_start(os.getpid())}
        for _ in range(3):  # a dead holder's file may be cleared by us or by someone who is as quick
            try:
                with self.path.open("x", encoding="utf-8") as stream:
                    json.dump(mine, stream)
            except FileExistsError:
                self._clear_dead_holder()
            else:
                self._mine = mine
                return self
        raise LockedError(f"another run has just taken {self.path}")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._mine is not None and self._read() == self._mine:
            self.path.unlink(missing_ok=True)
        self._mine = None

    def _read(self, path: Path | None = None) -> dict[str, Any] | None:
        """The holder; None if the file is gone or was never written to the end."""
        try:
            holder = json.loads((path or self.path).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return holder if isinstance(holder, dict) and "pid" in holder and "host" in holder else None

    def _clear_dead_holder(self) -> None:
        holder = self._read()
        if (holder is None and self._is_young()) or (holder is not None and is_alive(holder)):
            who = f"process {holder['pid']} on {holder['host']}" if holder else "another process"
            raise LockedError(
                f"{who} is already running in {self.path.parent}: wait for it, choose another name, "
                f"or, if it is surely gone, delete {self.path}"
            )
        aside = self.path.with_name(f".{LOCK}.{os.getpid()}")
        with contextlib.suppress(FileNotFoundError):  # someone else cleared it first
            self.path.rename(aside)
            if self._read(aside) != holder:  # not the dead one's: a third run was quicker than us
                aside.rename(self.path)
                raise LockedError(f"another run has just taken {self.path}")
            aside.unlink()

    def _is_young(self) -> bool:
        """Whether an empty lock may be one that is being written just now."""
        with contextlib.suppress(OSError):
            return time.time() - self.path.stat().st_mtime < YOUNG
        return False


def is_alive(holder: dict[str, Any]) -> bool:
    """Whether the process that wrote this lock still runs, as far as this machine can tell."""
    if holder.get("host") != socket.gethostname():
        return True
    pid = holder.get("pid")
    if not isinstance(pid, int) or pid < 1:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # it lives, under another user
        pass
    started = process_start(pid)
    return None in (started, holder.get("started")) or started == holder["started"]


def process_start(pid: int) -> int | None:
    """When a process started, in clock ticks since boot: 0 for one that has ended, None where nobody tells (not Linux)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        return 0 if fields[0] in "ZX" else int(fields[19])
    except (OSError, IndexError, ValueError):
        return None
