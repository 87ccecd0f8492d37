"""The page as an application that any server can run: gradio with everything closed that the page does not use."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import gradio as gr
from fastapi import FastAPI
from gradio import processing_utils
from starlette.types import ASGIApp

from ..serve.hosts import HostCheck
from ..serve.settings import Limits
from . import layout
from .drawing import Beside, create_editor
from .guard import Guard
from .page import SESSIONS, Page

SWEEP_SECONDS = 60.0
FONTS = (
    gr.themes.utils.fonts.LocalFont("Source Sans Pro", (400, 700)),
    "system-ui",
    "sans-serif",
)  # comes with gradio: nothing is fetched


def create_page(page: Page, limits: Limits, names: frozenset[str] | None) -> ASGIApp:
    """The application. names: of this machine, where others are refused; None: any will do."""
    processing_utils.async_ssrf_protected_download = refuse_address
    blocks = page.build()
    blocks.state_session_capacity = SESSIONS
    editor = create_editor(page.remover, limits, page.codec) if page.draws else None

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        sweeping = asyncio.create_task(_sweep(page))
        try:
            async with contextlib.AsyncExitStack() as stack:
                if editor is not None:
                    await stack.enter_async_context(editor.router.lifespan_context(editor))
                yield
        finally:
            sweeping.cancel()
            blocks.is_running = False  # ends what streams to browsers

    parent = FastAPI(lifespan=lifespan, openapi_url=None, docs_url=None, redoc_url=None)
    app = gr.mount_gradio_app(parent, blocks, "/", **_words(limits.bytes))
    blocks.has_launched = True  # else gradio checks no path that a client sends
    guarded = Guard(app, page.folder, limits.bytes)
    return HostCheck(Beside(editor, guarded) if editor else guarded, names)


async def refuse_address(url: str, cache_dir: str) -> str:
    """In place of gradio's download of addresses that a client names instead of a file."""
    raise gr.Error("addresses are not fetched: save the image and drop it here", print_exception=False)


async def _sweep(page: Page) -> None:
    while True:
        await asyncio.sleep(SWEEP_SECONDS)
        page.kept.sweep()


def _words(most: int) -> dict[str, Any]:
    """How gradio serves it: with nothing from other machines."""
    theme = gr.themes.Default(
        primary_hue="teal", secondary_hue="teal", neutral_hue="slate", radius_size="lg", font=FONTS, font_mono=FONTS
    )
    theme.set(body_text_color_subdued="*neutral_500", block_info_text_color="*neutral_500")
    return {
        "footer_links": [],
        "run_history": False,
        "enable_monitoring": False,
        "ssr_mode": False,
        "mcp_server": False,
        "pwa": False,
        "max_file_size": most,
        "theme": theme,
        "css": layout.CSS,
    }
