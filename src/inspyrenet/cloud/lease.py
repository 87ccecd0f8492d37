"""One command at a time works on a manifest in a store: an object that says who, renewed while it works."""

import json
import os
import secrets
import socket
import threading
from pathlib import Path

from . import store
from .errors import CloudError, Conflict, NoSuchObject

RENEWED, ENDS = 20.0, 90.0  # seconds


class Lease:
    """Taken when it is made, until `release`. Raises CloudError where another command holds it.

    A command that was killed leaves it behind: on the same machine that is seen at once, elsewhere after `ENDS`.
    """

    def __init__(self, place: Path):
        self.url, self.lost = str(place), False
        owner = {"host": socket.gethostname(), "pid": os.getpid(), "token": secrets.token_hex(8)}
        self._owner = json.dumps(owner).encode()
        try:
            self._tag = store.write_if(self.url, self._owner, None)
        except Conflict:
            self._tag = self._take_over()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._renew, daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Raises CloudError where another command took the lease."""
        if self.lost:
            raise CloudError(
                f"another inspyrenet batch took {self.url}, since this one had no connection for too long: it goes on from here"
            )

    def release(self) -> None:
        self._end.set()
        self._thread.join()
        if not self.lost:
            store.remove(self.url)

    def _take_over(self) -> str:
        state = store.state(self.url)
        try:
            owner = json.loads(store.read(self.url))
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
                f"another inspyrenet batch is at work on {self.url.rpartition('/')[0]} (process {pid} on {host}): wait for it, "
                f"or end it; after a kill it is free in {ENDS - age:.0f} s"
            )
        return store.write_if(self.url, self._owner, state.tag)  # of two that come here, one is refused

    def _renew(self) -> None:
        while not self._end.wait(RENEWED):
            try:
                self._tag = store.write_if(self.url, self._owner, self._tag)
            except (Conflict, NoSuchObject):
                self.lost = True
                return
            except OSError:  # no connection, which the batch itself meets
                continue


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
