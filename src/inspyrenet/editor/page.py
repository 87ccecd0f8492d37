"""The page at /editor/: its files, which name each other relative to it. Nothing is loaded from elsewhere."""

from collections.abc import Awaitable, Callable

from starlette.responses import Response

from . import assets

MEDIA = {"html": "text/html", "css": "text/css", "js": "text/javascript"}
NAMES = (assets.PAGE, *assets.SHARED, "start.js", "server.js")
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "img-src blob: data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}


def sender(name: str) -> Callable[[], Awaitable[Response]]:
    """What answers with a file of the page."""
    text, media = assets.read(name, assets.SERVED), MEDIA[name.rpartition(".")[2]]

    async def send() -> Response:
        return Response(text, media_type=media, headers=HEADERS)

    return send
