"""Drawing on the page's images: the editor of `inspyrenet s`, in the same process and at the same address."""

from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from ..editor.routes import add_editor
from ..editor.sessions import Bounds
from ..remover.remover import Remover
from ..serve.app import create_app
from ..serve.codec import Codec
from ..serve.settings import Limits

PATH = "/editor"
BOUNDS = Bounds(images=16, bytes=1_000_000_000)


def can_draw(remover: Remover) -> bool:
    """The network has a coarse map that strokes could change."""
    return remover.network.parts is not None


def create_editor(remover: Remover, limits: Limits, codec: Codec) -> FastAPI:
    """What answers below /editor/. The codec is closed by the caller."""
    app = create_app({remover.name: remover}, limits, codec=codec)
    add_editor(app, BOUNDS)
    return app


class Beside:
    """One application for /editor and what is below it, another for all else. What else the first one has, nobody reaches."""

    def __init__(self, editor: ASGIApp, app: ASGIApp):
        self.editor, self.app = editor, app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        below = scope["type"] == "http" and (scope["path"] == PATH or scope["path"].startswith(f"{PATH}/"))
        await (self.editor if below else self.app)(scope, receive, send)
