"""From options to a server that runs, and back: everything is checked before a network is loaded."""

import argparse
import errno
import math
import os
import socket
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import uvicorn

from ..utils.system.signals import Handler
from .connections import guarded
from .draining import Drained
from .hosts import is_loopback, names_for
from .settings import LAST_PORT, Limits

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from ..remover.remover import Remover

BACKLOG = 512


class AddressError(OSError):
    """The address cannot be listened on; the message says why."""


def serve(options: argparse.Namespace, limits: Limits) -> int:
    """Load what the options name and serve it until a signal; requests that are under way are finished."""
    with listen(options.host, options.port) as listener:
        from ..editor.routes import add_editor
        from .app import create_app

        app = create_app(load_all(options), limits, names_for(options.host, listener.getsockname()[0]))
        add_editor(app)
        app.state.service.codec.warm()
        address = address_of(listener)
        run(app, listener, limits, f"serving on {address}, described on {address}/docs", options.verbose)
    return 0


def address_of(listener: socket.socket) -> str:
    """Where it listens, for a browser; with a warning where others can reach it."""
    host, port = listener.getsockname()[:2]
    address = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    if not is_loopback(host):
        print(f"anyone who can reach {address} can use it: there are no passwords", file=sys.stderr)
    return address


def listen(host: str, port: int) -> socket.socket:
    """A socket bound to the address, not listening yet. Raises AddressError."""
    if not 0 <= port <= LAST_PORT:  # of larger ones, the system would take the remainder
        raise AddressError(errno.EINVAL, f"cannot listen on {host} port {port}: choose a --port of 0 to {LAST_PORT}")
    try:
        family, kind, proto, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, proto)
        if os.name == "posix":  # on Windows a second server could take the port of one that runs
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        reason = error.strerror or str(error)
        raise AddressError(
            error.errno, f"cannot listen on {host} port {port} ({reason}): choose another --port or --host"
        ) from error
    return listener


def load_all(options: argparse.Namespace) -> "dict[str, Remover]":
    """A warm network for each mode, by the name that requests use: its own, or where two networks have one name, as all modes
    are written. Raises what loading raises."""
    from ..commands.cut_out import load

    modes = options.modes or [None]
    removers = [load(options, mode) for mode in modes]
    names = [remover.name for remover in removers]
    names = names if len({*names}) == len(names) else modes
    for name, remover in zip(names, removers, strict=True):
        warm(remover)
        print(f"?mode={name}: {remover.describe()}", file=sys.stderr)
    return dict(zip(names, removers, strict=True))


def warm(remover: "Remover") -> None:
    """A first image, with soft edges, so that no user waits for what is loaded or compiled at first use."""
    import numpy as np

    from ..remover.foreground import estimate

    image = np.zeros((64, 64, 3), np.uint8)
    remover.process(image)
    estimate(image, np.full((64, 64), 128, np.uint8), remover.edges, remover.device)


def run(
    app: "ASGIApp",
    listener: socket.socket,
    limits: Limits,
    greeting: str,
    verbose: bool = False,
    grace: float | None = None,
    started: Callable[[], object] | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT; then take no more, finish what is there, and return.

    grace: seconds for finishing; None: as long as a request may take. started: called when it can be reached.
    """
    config = uvicorn.Config(
        Drained(app),
        http=guarded(limits.seconds + 5),  # the application itself answers a slow body before that
        ws="none",
        lifespan="on",
        log_level="info" if verbose else "warning",
        access_log=verbose,
        server_header=False,
        backlog=BACKLOG,
        timeout_graceful_shutdown=math.ceil(limits.seconds + 5 if grace is None else grace),
    )
    with Handler(lambda *_: None):  # uvicorn raises the signal again when it has finished: it has had its effect
        _Server(config, greeting, started).run(sockets=[listener])


class _Server(uvicorn.Server):
    """Says when it is there."""

    def __init__(self, config: uvicorn.Config, greeting: str, started: Callable[[], object] | None):
        super().__init__(config)
        self.greeting, self.when_started = greeting, started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self.started:
            print(self.greeting, file=sys.stderr, flush=True)
            if self.when_started is not None:
                self.when_started()
