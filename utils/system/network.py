"""Whether a server can be reached, asked before a library retries for a minute."""

import socket
import threading
import urllib.parse
import urllib.request

PATIENCE = 2.0  # seconds for a name and a connection


def no_route(url: str, patience: float = PATIENCE) -> str | None:
    """Why the server of this https address, or the proxy on the way to it, cannot be reached; None where it answers."""
    host = urllib.parse.urlsplit(url).hostname or ""
    proxies = urllib.request.getproxies()
    proxy = proxies.get("https") or proxies.get("all")
    if proxy and not urllib.request.proxy_bypass(host):
        url = proxy if "://" in proxy else f"http://{proxy}"
    parts = urllib.parse.urlsplit(url)
    where = (parts.hostname or "", parts.port or (80 if parts.scheme == "http" else 443))
    reason = [f"no answer within {patience:g} s"]

    def connect() -> None:
        try:
            socket.create_connection(where, patience).close()
            reason.clear()
        except OSError as error:
            reason[:] = [error.strerror or str(error)]

    thread = threading.Thread(target=connect, daemon=True)  # looking up a name knows no time limit
    thread.start()
    thread.join(patience)
    return f"{where[0]}: {reason[0]}" if reason else None
