"""Which names a request may call this server by: no web page may reach a local server by a name of its own (DNS rebinding)."""

import ipaddress
import re

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from .settings import LAST_PORT

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_HOST = re.compile(r"(?:\[(?P<six>[0-9a-f:.]+)\]|(?P<name>[0-9a-z._-]+))(?::(?P<port>\d{0,5}))?", re.ASCII)
REFUSED = '{"error": "this server answers only to names of its own machine, such as 127.0.0.1"}'


def names_for(host: str, address: str) -> frozenset[str] | None:
    """The names that a server is called by which was asked to listen on `host` and does on `address`; None: any name will do."""
    return LOOPBACK | {host.lower()} if is_loopback(address) else None


def is_loopback(name: str) -> bool:
    """The name or address is one of this machine alone."""
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name in LOOPBACK


def parse_host(value: str) -> str | None:
    """The name or address of a Host header without its port: in lower case, IPv6 without brackets and as short as it gets.

    None for what is no host: empty, with a user's name, with anything behind the brackets, with a port that there is not.
    """
    match = _HOST.fullmatch(value.strip().lower())
    if match is None or int(match["port"] or 0) > LAST_PORT:
        return None
    if match["six"] is None:
        return match["name"].removesuffix(".") or None
    try:
        return str(ipaddress.IPv6Address(match["six"]))
    except ValueError:
        return None


class HostCheck:
    """Middleware that answers only to its own names. names: None: to any."""

    def __init__(self, app: ASGIApp, names: frozenset[str] | None):
        self.app, self.names = app, names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket") and self.names is not None and not self._known(scope):
            await Response(REFUSED, 421, media_type="application/json")(scope, receive, send)
            return
        await self.app(scope, receive, send)

    def _known(self, scope: Scope) -> bool:
        values = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
        host = parse_host(values[0]) if len(values) == 1 else None
        return host is not None and (host in (self.names or ()) or is_loopback(host))
