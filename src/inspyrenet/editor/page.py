"""The page at /editor/: its files, which name each other relative to it. Nothing is loaded from elsewhere."""

from collections.abc import Awaitable, Callable

from starlette.responses import Response

from ..utils.system.page_files import read_text

MEDIA = {"html": "text/html", "css": "text/css", "js": "text/javascript"}
SCRIPTS = ("start.js", "page.js", "input.js", "drawing.js", "view.js", "asking.js", "gray.js", "server.js")
NAMES = ("page.html", "page.css", *SCRIPTS)
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "img-src blob: data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}


def sender(name: str) -> Callable[[], Awaitable[Response]]:
    """What answers with a file of the page."""
    text, media = read_text(__package__, name), MEDIA[name.rpartition(".")[2]]

    async def send() -> Response:
        return Response(text, media_type=media, headers=HEADERS)

    return send
