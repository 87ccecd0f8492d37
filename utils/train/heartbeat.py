"""Noticing that another process of a run has died, whatever the backend is doing at that moment.

A collective can wait for hours on a peer that is gone. So each process counts up a number in the run's key-value
store and looks at the others' numbers; a process that fails leaves its reason there.
"""

import logging
import os
import sys
import threading
import time
from datetime import timedelta

import torch.distributed as dist

LOG = logging.getLogger(__name__)
INTERVAL = 1.0  # seconds between two looks
TIMEOUT = 40.0  # seconds without a beat after which a peer counts as dead
SUSPECT_TIMEOUT = 4.0  # the same, once a collective has failed
GRACE = 8.0  # seconds in which the main thread may end by itself before this one ends the process
DONE = "done"
FAILED = "failed:"
BROKEN = ("connection", "peer", "gloo", "nccl", "timed out", "timeout", "store", "broken pipe")


class PeerLost(RuntimeError):
    """Another process of this run has ended."""


class Heartbeat:
    """Daemon thread that beats for this process and watches the others.

    Args:
        rank: of this process.
        size: how many there are.
        prefix: of its keys in the store; another one for each session of the same processes.
    """

    def __init__(self, rank: int, size: int, prefix: str) -> None:
        self.rank = rank
        self._peers = [peer for peer in range(size) if peer != rank]
        self._seen = {peer: ("", time.monotonic()) for peer in self._peers}
        self._stop = threading.Event()
        self._store = dist.TCPStore(
            os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]), is_master=False, timeout=timedelta(seconds=20)
        )
        run_id = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
        self._key = f"inspyrenet/{run_id}/{prefix}/beat/"
        self._thread = threading.Thread(target=self._run, name="peer-watch", daemon=True)
        if self._peers:
            self._thread.start()

    def leave(self, failure: str | None = None) -> None:
        """Stop watching; with `failure`, tell the others why this process ends."""
        self._stop.set()
        if not self._peers:
            return
        self._thread.join(timeout=5)
        try:
            self._store.set(f"{self._key}{self.rank}", f"{FAILED}{failure}" if failure else DONE)
        except RuntimeError as error:  # whoever kept the store has gone: there is nobody left to tell
            LOG.debug("the store is gone: %s", error)

    def why_peer_lost(self, error: BaseException) -> str | None:
        """Why a collective may have failed with `error`: a lost peer's reason, or None if no peer is lost.

        Waits a few seconds for a silent peer to become certain, but only for errors that look like a lost peer.
        """
        text = str(error).lower()
        if not self._peers or not isinstance(error, RuntimeError) or not any(word in text for word in BROKEN):
            return None
        deadline = time.monotonic() + SUSPECT_TIMEOUT + 2 * INTERVAL
        while time.monotonic() < deadline:
            reason = self._check_peers(SUSPECT_TIMEOUT)
            if reason:
                return reason
            time.sleep(INTERVAL / 2)
        return None

    def _run(self) -> None:
        count = 0
        while not self._stop.wait(INTERVAL):
            count += 1
            try:
                self._store.set(f"{self._key}{self.rank}", str(count))
            except RuntimeError:
                reason: str | None = GONE
            else:
                reason = self._check_peers(TIMEOUT)
            if reason:
                if not self._stop.wait(GRACE):
                    sys.stderr.write(f"process {self.rank} ends: {reason}\n")
                    sys.stderr.flush()
                    os._exit(1)
                return

    def _check_peers(self, patience: float) -> str | None:
        """The reason for which a peer counts as lost, if one does."""
        for peer in self._peers:
            key = f"{self._key}{peer}"
            try:
                value = self._store.get(key).decode() if self._store.check([key]) else ""
            except RuntimeError:
                return GONE
            if value.startswith(FAILED):
                return f"process {peer} of this run has failed ({value.removeprefix(FAILED)})"
            before, since = self._seen[peer]
            if value != before or value == DONE:
                self._seen[peer] = (value, time.monotonic())
            elif time.monotonic() - since > patience:
                return (
                    f"process {peer} of this run has gone without a word (killed, out of memory, or its machine is "
                    "off); start again with --resume"
                )
        return None


GONE = "the process that coordinates this run has gone (killed, or its machine is off); start again with --resume"
