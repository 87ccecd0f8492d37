"""What of gradio is open to a client: the few paths that the page itself uses, with bounded bodies, and the page's own files.

Gradio has many more: proxies, deep links, recordings, functions of components. A client that speaks to them by hand gets a 404.
"""

import contextlib
import re
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..serve.codec import Refused

READ = re.compile(
    r"/|/config|/theme\.css|/favicon\.ico|/manifest\.json|/(assets|static)/.+"
    r"|/gradio_api/(info|startup-events|queue/data|upload_progress|heartbeat/[^/]+)"
)
WRITE = re.compile(r"/gradio_api/(queue/join|upload|cancel|reset)")
FILE = "/gradio_api/file="
WITH_QUERY = ("/gradio_api/queue/data", "/gradio_api/upload", "/gradio_api/upload_progress")
WORDS_BYTES = 64 * 1024  # of a body that is no upload
ENVELOPE = 16 * 1024  # of a form around its file
FOLDER_BYTES = 2_000_000_000  # of uploads and results together
FILE_HEADERS = [(b"x-content-type-options", b"nosniff"), (b"content-security-policy", b"default-src 'none'; sandbox")]


class TooLarge(Exception):
    """A body that is longer than it may be."""


class Guard:
    """Middleware around gradio. folder: of the page's files; most: bytes of an upload."""

    def __init__(self, app: ASGIApp, folder: Path, most: int):
        self.app, self.folder, self.most = app, folder, most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        refused = (404, "there is nothing here") if scope["type"] != "http" else await self._refused(scope)
        if refused is not None:
            await JSONResponse({"error": refused[1]}, refused[0])(scope, receive, send)
            return
        if scope["path"] not in WITH_QUERY:
            scope = {**scope, "query_string": b""}
        await self._bounded(scope, receive, send)

    async def _refused(self, scope: Scope) -> tuple[int, str] | None:
        """Status and message for what is not open to a client."""
        path, reads = scope["path"], scope["method"] in ("GET", "HEAD")
        if reads and path.startswith(FILE):
            return None if own_file(self.folder, path.removeprefix(FILE)) else (404, "there is no such file")
        if not (READ if reads else WRITE).fullmatch(path) or not (reads or scope["method"] == "POST"):
            return 404, "there is nothing here"
        if path.endswith("/upload"):
            try:
                await run_in_threadpool(check_room, self.folder)
            except Refused as error:
                return error.status, str(error)
        return None

    async def _bounded(self, scope: Scope, receive: Receive, send: Send) -> None:
        most = self.most + ENVELOPE if scope["path"].endswith("/upload") else WORDS_BYTES
        headers = FILE_HEADERS if scope["path"].startswith(FILE) else []
        count, over, begun = 0, False, False

        async def counted() -> Message:
            nonlocal count, over
            message = await receive()
            count += len(message.get("body", b""))
            if count > most:
                over = True
                raise TooLarge
            return message

        async def answer(message: Message) -> None:
            nonlocal begun
            if over:  # what gradio makes of it does not matter
                return
            begun = True
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], *headers]}
            await send(message)

        with contextlib.suppress(TooLarge):
            await self.app(scope, counted, answer)
        if over and not begun:
            text = f"more than the limit of {most / 1e6:g} MB"
            await JSONResponse({"error": text}, 413)(scope, receive, send)


def own_file(folder: Path, name: str) -> Path | None:
    """The file of that path where it lies in the page's folder, links followed; else None."""
    try:
        path = Path(name).resolve()
        return path if path.is_relative_to(folder.resolve()) and path.is_file() else None
    except (OSError, ValueError, RuntimeError):  # a name that cannot be one, a circle of links
        return None


def check_room(folder: Path) -> None:
    """Before a file is written to the page's folder. Raises Refused where it is full."""
    if bytes_in(folder) > FOLDER_BYTES:
        raise Refused(503, "the page's folder is full; try again in 15 minutes")


def bytes_in(folder: Path) -> int:
    """Of all files below a folder; one that is gone meanwhile counts nothing."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except FileNotFoundError:
            continue
    return total
