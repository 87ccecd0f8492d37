"""A refused client is heard out, within bounds: many read no answer before they have sent everything."""

import asyncio
import contextlib

from starlette.types import ASGIApp, Message, Receive, Scope, Send

SECONDS, BYTES = 5.0, 100_000_000  # at the most


class Drained:
    """Middleware: before an error leaves, what the client is still sending is taken and thrown away.

    It is the outermost one, so that every refusal passes here, whoever made it.
    """

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        body = _Body(scope, receive)

        async def answer(message: Message) -> None:
            # a slow client (408) is not worth more time
            if message["type"] == "http.response.start" and message["status"] >= 400 and message["status"] != 408:
                await body.drain()
            await send(message)

        await self.app(scope, body.receive, answer)


class _Body:
    """What a request still has to say."""

    def __init__(self, scope: Scope, receive: Receive):
        headers = dict(scope["headers"])
        self._receive = receive
        self._empty = "content-length" not in (names := {name.decode("latin-1") for name in headers}) and (
            "transfer-encoding" not in names
        )
        self._asks_first = headers.get(b"expect", b"").lower() == b"100-continue"
        self._begun = self._complete = False

    async def receive(self) -> Message:
        message = await self._receive()
        self._begun = True
        self._complete = message["type"] != "http.request" or not message.get("more_body", False)
        return message

    async def drain(self) -> None:
        if self._empty or (self._asks_first and not self._begun):  # it sends nothing before it is told to
            return
        count = 0
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SECONDS):
                while not self._complete and count <= BYTES:
                    count += len((await self.receive()).get("body", b""))
