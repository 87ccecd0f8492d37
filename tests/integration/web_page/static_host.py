"""The exported folder on a static host, and what tests say to a page and hear from it."""

import base64
import io
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from tests.browser import Browser


class Quiet(SimpleHTTPRequestHandler):
    """A static host; `server.asked` are the requests, `server.headers` go with each answer."""

    def end_headers(self):
        for name, value in self.server.headers.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, *words):
        self.server.asked.append(f"{self.command} {self.path}")


@contextmanager
def serving(folder: Path, headers: Mapping[str, str] | None = None) -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder))
    server.asked, server.headers = [], headers or {}
    threading.Thread(target=server.serve_forever, daemon=True).start()
    server.address = f"http://127.0.0.1:{server.server_port}/"
    yield server
    server.shutdown()
    server.server_close()


def wait_until_ready(page: Browser) -> None:
    page.wait_for("document.querySelector('#status')?.textContent.startsWith('Ready')", 90)


def painted(seed: int, height: int, width: int) -> np.ndarray:
    """An object with a soft edge before a gradient, and noise; uint8 (H, W, 3)."""
    random = np.random.default_rng(seed)
    ground, ink = random.integers(0, 255, (2, 3))
    ramp = np.linspace(0, 60, width)[None, :, None] * np.linspace(1, 0, height)[:, None, None]
    large = Image.new("L", (4 * width, 4 * height))
    left, top, right, bottom = random.uniform((0.15, 0.15, 0.55, 0.55), (0.4, 0.4, 0.85, 0.85))
    box = [left * 4 * width, top * 4 * height, right * 4 * width, bottom * 4 * height]
    getattr(ImageDraw.Draw(large), ("ellipse", "rectangle")[seed % 2])(box, fill=255)
    share = np.asarray(large.resize((width, height), Image.Resampling.BOX))[..., None] / 255
    values = share * ink + (1 - share) * (ground + ramp) + random.normal(0, 6, (height, width, 3))
    return values.clip(0, 255).round().astype(np.uint8)


def png(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(array).save(file, "png")
    return file.getvalue()


def in_script(data: bytes | np.ndarray) -> str:
    """An expression for a Uint8Array."""
    return f'bytesOf("{base64.b64encode(data).decode()}")'


PRELUDE = """
const bytesOf = text => Uint8Array.from(atob(text), letter => letter.charCodeAt(0));
const textOf = array => { const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength); let text = "";
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return btoa(text); };
"""


def asked(browser: Browser, script: str, dtype=np.uint8) -> np.ndarray:
    """What a script returns as an array; it may use PRELUDE."""
    return np.frombuffer(base64.b64decode(browser.evaluate(f"(async () => {{{PRELUDE}{script}}})()")), dtype)


def picture_of(browser: Browser, script: str) -> np.ndarray:
    """The picture in the `blob` that a script makes; it may use PRELUDE."""
    script = f"{script} return textOf(new Uint8Array(await blob.arrayBuffer()));"
    return np.asarray(Image.open(io.BytesIO(asked(browser, script).tobytes())))


def cut_out(browser: Browser, array: np.ndarray, type: str = "rgba") -> np.ndarray:
    script = f"""const {{ removeBackground }} = await import("./index.js");
        const blob = await removeBackground(new Blob([{in_script(png(array))}]), {{type: "{type}"}});"""
    return picture_of(browser, script)
