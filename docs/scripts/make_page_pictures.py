"""Makes the pictures of docs/page.md: .venv/bin/python -m docs.scripts.make_page_pictures --ckpt snapshots/Quickstart

Starts run/Demo.py with these options, and Chromium without a window.
"""

import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from inspyrenet.data.datasets.synthetic import HELD_OUT_SEED, SyntheticShapes
from tests.browser import Browser

DOCS = Path(__file__).resolve().parents[1]
RESULT = "[...document.querySelectorAll('#result img')].some(image => image.complete && image.naturalWidth > 100)"
SETTLE = 1.0  # seconds, for transitions


def main(words: list[str]) -> int:
    port = free_port()
    command = [sys.executable, str(DOCS.parent / "run" / "Demo.py"), "--port", str(port), *words]
    with tempfile.TemporaryDirectory() as folder, subprocess.Popen(command) as page:
        try:
            wait_for(port, page)
            with Browser(Path(folder) / "profile", 1280, 860) as browser:
                take_pictures(browser, port, painted(Path(folder)))
        finally:
            page.terminate()
    return 0


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def painted(folder: Path) -> Path:
    """An image of the embedded data set, three times as large."""
    image = Image.fromarray(SyntheticShapes(7, HELD_OUT_SEED, (160, 210))[6].image)
    image.resize((630, 480), Image.Resampling.BICUBIC).save(folder / "painted.png")
    return folder / "painted.png"


def wait_for(port: int, page: subprocess.Popen) -> None:
    while page.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            time.sleep(0.2)
    raise SystemExit("the page did not start")


def take_pictures(browser: Browser, port: int, image: Path) -> None:
    browser.open(f"http://127.0.0.1:{port}")
    browser.wait_for("!!document.querySelector('#photo input[type=file]')")
    browser.choose_file("#photo input[type=file]", image)
    browser.wait_for(RESULT)
    time.sleep(SETTLE)
    save(browser.picture(), "page_desktop.png")
    browser.size(390, 844, scale=2, phone=True)
    time.sleep(SETTLE)
    save(browser.picture(whole=True), "page_phone.png")
    browser.size(1280, 640)
    browser.evaluate(
        "[...document.querySelectorAll('button[role=tab]')].find(tab => tab.textContent.trim() == 'Pyramid').click()"
    )
    time.sleep(SETTLE)
    save(browser.picture(), "page_pyramid.png")


def save(picture: np.ndarray, name: str) -> None:
    Image.fromarray(picture).quantize(256, Image.Quantize.MEDIANCUT).save(DOCS / "images" / name, optimize=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
