"""Connections that cost something while they say nothing: uvicorn gives them all the time they want, this protocol does not.

A client that sends half a request head, or reads its answer a byte at a time, holds a connection and the memory behind it.
"""

import asyncio
import json
from http import HTTPStatus
from typing import ClassVar

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

LINGER_SECONDS = 5.0  # between an answer to what is no request and the end of its connection


class GuardedProtocol(H11Protocol):
    """HTTP/1.1 with deadlines: for a request's head and body, for reading an answer; and with a number of connections.

    Class attributes are the limits; a subclass may have others.
    """

    head_seconds: ClassVar[float] = 10.0  # from connecting, or from the answer before, to a whole request head
    body_seconds: ClassVar[float] = 60.0  # from the head to the last byte of the body
    tick_seconds: ClassVar[float] = 10.0
    tick_bytes: ClassVar[int] = 100_000  # of an answer that a client reads in each tick, at the least
    most_connections: ClassVar[int] = 600  # below the 1,024 files that a process may usually open

    _timer: asyncio.TimerHandle | None = None  # until the client has said what it is due to say
    _awaited = ""  # head, body or nothing
    _reader: asyncio.TimerHandle | None = None
    _refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """One more; where there are too many, the one that has waited longest with half a head goes."""
        super().connection_made(transport)
        self._watch()
        if len(self.connections) > self.most_connections:
            waiting = (one for one in self.connections if isinstance(one, GuardedProtocol) and one._awaited == "head")
            min(waiting, key=GuardedProtocol._due).transport.abort()

    def _due(self) -> float:
        return self._timer.when() if self._timer else 0.0

    def data_received(self, data: bytes) -> None:
        """As uvicorn does, with an eye on the clock; after a refusal everything is thrown away."""
        if not self._refused:
            super().data_received(data)
            self._watch()

    def on_response_complete(self) -> None:
        """This answer is to be read, and then the next head has its time."""
        super().on_response_complete()
        self._check_reader(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """No timer outlives a connection."""
        self._watch("nothing")
        if self._reader is not None:
            self._reader.cancel()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """What is no HTTP: told as every other error is, and heard out, so that the answer arrives."""
        self._refuse(400, "this is not a valid HTTP request")

    def _watch(self, awaited: str | None = None) -> None:
        """A timer runs while something is awaited from the client, and only then."""
        awaited = self._next() if awaited is None else awaited
        if awaited == self._awaited:
            return
        self._awaited = awaited
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if awaited in ("head", "body"):
            seconds = self.head_seconds if awaited == "head" else self.body_seconds
            self._timer = self.loop.call_later(seconds, self._late, seconds)

    def _next(self) -> str:
        if self._refused or self.transport.is_closing():
            return "nothing"
        if self.cycle is None or self.cycle.response_complete:
            return "nothing" if self.transport.get_write_buffer_size() else "head"
        return "body" if self.cycle.more_body else "nothing"

    def _late(self, seconds: float) -> None:
        """What was awaited did not come in time. A client that has said nothing, or has its answer, is not told."""
        begun = self._awaited == "body" or self.conn.trailing_data[0]
        if begun and self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            self._refuse(408, f"the request's {self._awaited} took longer than {seconds:g} s")
        else:
            self.transport.abort()

    def _refuse(self, status: int, text: str) -> None:
        """One answer, the end of ours, and a little time for the client to end, too."""
        if self._refused or self.transport.is_closing():
            return
        self._refused = True
        self._watch()
        self._unset_keepalive_if_required()
        body = json.dumps({"error": text})
        head = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nContent-Type: application/json\r\n"
        head += f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        self.transport.write((head + body).encode())
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.transport.resume_reading()
        self._timer = self.loop.call_later(LINGER_SECONDS, self.transport.abort)
        if self.cycle is not None and not self.cycle.response_complete:  # whoever waits for the rest of the body
            self.cycle.disconnected = True
            self.cycle.message_event.set()

    def _check_reader(self, before: int | None) -> None:
        """The rest of an answer lies in memory until it is read: whoever reads next to nothing of it is cut off."""
        if self._reader is not None:
            self._reader.cancel()
        left = self.transport.get_write_buffer_size()
        if left and before is not None and before - left < min(self.tick_bytes, before):
            self.transport.abort()
        elif left:
            self._reader = self.loop.call_later(self.tick_seconds, self._check_reader, left)
        self._watch()


def guarded(seconds: float) -> type[GuardedProtocol]:
    """The protocol of a server whose requests may take so long."""
    return type("GuardedProtocol", (GuardedProtocol,), {"body_seconds": seconds})
