"""From the options of the page to a page that is served, and back."""

import argparse
import socket
import sys
import threading
from importlib.util import find_spec
from pathlib import Path

from ..utils.system.extras import how_to_install
from ..utils.system.signals import Handler


class DemoError(RuntimeError):
    """The page cannot be shown; the message says what to do."""


def show(options: argparse.Namespace, folder: str) -> None:
    """Load the network, serve the page, return after SIGTERM or Ctrl-C.

    folder: a temporary one for uploads and results. Raises DemoError, and what loading a network raises.
    """
    if find_spec("gradio") is None:
        raise DemoError(f"the page needs the extra web: {how_to_install('web')}")
    check_free(options.host, options.port)
    from ..commands.cut_out import load
    from ..serve.server import warm
    from .page import Page, launch_words

    remover = load(options)
    warm(remover)
    page = Page(remover, Path(folder), round(options.max_megapixels * 1e6))
    blocks = page.build()
    stop = threading.Event()
    words = launch_words(options.host, options.port, options.max_mb)
    with Handler(lambda *_: stop.set()):
        blocks.launch(**words, inbrowser=options.open)
        print(
            f"{remover.describe()}: http://{options.host}:{options.port} (Ctrl-C ends it)", file=sys.stderr, flush=True
        )
        stop.wait()
        blocks.close(verbose=False)


def check_free(host: str, port: int) -> None:
    """Raises DemoError where nothing can listen there; found before a network is loaded."""
    try:
        family, kind, proto, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, proto) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        reason = error.strerror or str(error)
        raise DemoError(f"cannot listen on {host} port {port} ({reason}): choose another --port or --host") from error
