"""From the options of the page to a page that is served, and back."""

import argparse
import contextlib
import webbrowser
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from ..utils.system.extras import how_to_install

SECONDS = 60.0  # for an upload
GRACE_SECONDS = 5.0  # at the end, for what is being computed


class DemoError(RuntimeError):
    """The page cannot be shown; the message says what to do."""


def show(options: argparse.Namespace, folder: str) -> None:
    """Load the network, serve the page, return after SIGTERM or Ctrl-C.

    folder: a temporary one for uploads and results. Raises DemoError, AddressError, and what loading a network raises.
    """
    if find_spec("gradio") is None:
        raise DemoError(f"the page needs the extra web: {how_to_install('web')}")
    from ..serve.server import address_of, listen

    with listen(options.host, options.port) as listener:
        from ..commands.cut_out import load
        from ..serve.codec import Codec
        from ..serve.hosts import names_for
        from ..serve.server import run, warm
        from ..serve.settings import Limits
        from .application import create_page
        from .page import Page

        remover = load(options)
        warm(remover)
        limits = Limits(round(options.max_mb * 1e6), round(options.max_megapixels * 1e6), seconds=SECONDS)
        with contextlib.closing(Codec(limits.pixels, limits.decoding, limits.seconds)) as codec:
            codec.warm()
            page = Page(remover, Path(folder), codec)
            app = create_page(page, limits, names_for(options.host, listener.getsockname()[0]))
            address = address_of(listener)
            greeting = f"{remover.describe()}: {address} (Ctrl-C ends it)"
            run(
                app,
                listener,
                limits,
                greeting,
                grace=GRACE_SECONDS,
                started=partial(webbrowser.open, address) if options.open else None,
            )
