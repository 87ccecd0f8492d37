"""One command at a time works on a manifest in a store: an object that says who, renewed while it works."""

import contextlib
import json
import os
import secrets
import socket
import threading
from pathlib import Path
from typing import Any

from . import store
from .errors import Busy, CloudError, Conflict, NoSuchObject

RENEWED, ENDS = 20.0, 90.0  # seconds


class Lease:
    """Taken when it is made, until `release`. Raises CloudError where another command holds it.

    A command that was killed leaves it behind: on the same machine that is seen at once, elsewhere after `ENDS`.
    """

    def __init__(self, place: Path):
        self.url, self.lost = str(place), False
        self._owner = {"host": socket.gethostname(), "pid": os.getpid(), "token": secrets.token_hex(8)}
        self._written = 0
        self._writing = threading.Lock()  # the command renews it, and the thread
        self._tag = self._take()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._keep, daemon=True)
        self._thread.start()

    def renew(self) -> bool:
        """Whether it is held still, and then for another `ENDS`. Raises CloudError without a connection."""
        with self._writing:
            try:
                if not self.lost:
                    self._tag = self._write(self._tag)
            except (Conflict, NoSuchObject):
                self.lost = True
        return not self.lost

    def check(self) -> None:
        """Renew it. Raises CloudError where another command took the lease, or without a connection."""
        if not self.renew():
            raise CloudError(
                f"another inspyrenet batch took {self.url}, since this one had no connection for too long: it goes on from here"
            )

    def release(self) -> None:
        """Let others in. Raises CloudError without a connection; then the lease ends by itself."""
        self.stop()
        if self.renew():
            store.remove(self.url)

    def stop(self) -> None:
        """Renew it no more: it ends by itself."""
        self._end.set()
        self._thread.join()

    def _take(self) -> str:
        try:
            with contextlib.suppress(Conflict):
                return self._write(None)
            return self._take_over()
        except (Busy, Conflict, NoSuchObject):  # of two that come here, one is refused
            raise CloudError(
                f"another inspyrenet batch began or ended its work on {self._folder} just now: run the same command again"
            ) from None

    def _take_over(self) -> str:
        state = store.state(self.url)
        owner = _words(store.read(self.url))
        try:
            host, pid = str(owner["host"]), int(owner["pid"])
        except (ValueError, KeyError, TypeError):
            raise CloudError(
                f"{self.url} is no lock of this program: remove it, or choose another --manifest"
            ) from None
        clock = f"{self.url}-clock"
        store.write(clock, b"")
        age = (store.state(clock).st_mtime_ns - state.st_mtime_ns) / store.CLOCK  # both by the store's clock
        if age < ENDS and not _is_dead(host, pid):
            raise CloudError(
                f"another inspyrenet batch is at work on {self._folder} (process {pid} on {host}): wait for it, "
                f"or end it; after a kill it is free in {ENDS - age:.0f} s"
            )
        return self._write(state.tag)

    def _write(self, tag: str | None) -> str:
        """Put a note in place of the one with this tag (None: where there is none); its own tag. Raises Conflict.

        A request whose answer was lost is sent again by the library, and meets the note that it has written.
        """
        self._written += 1  # another tag each time: nobody takes over what was renewed since they looked
        note = json.dumps({**self._owner, "written": self._written}).encode()
        while True:
            try:
                return store.write_if(self.url, note, tag)
            except Conflict:
                met = store.state(self.url)
                own = _words(store.read(self.url)).get("token") == self._owner["token"]
                if not own or met.tag == tag:
                    raise
                tag = met.tag

    def _keep(self) -> None:
        while not (self.lost or self._end.wait(RENEWED)):
            with contextlib.suppress(OSError):  # no connection, which the batch itself meets
                self.renew()

    @property
    def _folder(self) -> str:
        return self.url.rpartition("/")[0]


def _words(note: bytes) -> dict[str, Any]:
    """What a note says; nothing where it is none."""
    try:
        words = json.loads(note)
    except (ValueError, RecursionError):
        return {}
    return words if isinstance(words, dict) else {}


def _is_dead(host: str, pid: int) -> bool:
    """Whether it was a process of this machine, which is gone."""
    if host != socket.gethostname():
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False
