"""Makes the picture of docs/web.md: .venv/bin/python -m docs.scripts.make_web_picture

Needs npm's onnxruntime-web, as run/Export.py --web does. The cat is chelsea of scikit-image (CC0).
"""

import sys
import tempfile
import threading
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from PIL import Image
from skimage import data

from inspyrenet.web_page.export import export_web
from tests.browser import Browser

PICTURE = Path(__file__).resolve().parents[1] / "images" / "web_page.png"
SETTLE = 1.0  # seconds, for the screen


def main() -> int:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        Image.fromarray(data.chelsea()).save(folder / "chelsea.png")
        host = partial(SimpleHTTPRequestHandler, directory=export_web(folder / "web").folder)
        with (
            ThreadingHTTPServer(("127.0.0.1", 0), host) as server,
            Browser(folder / "profile", 1100, 720) as browser,
        ):
            threading.Thread(target=server.serve_forever, daemon=True).start()
            take_picture(browser, f"http://127.0.0.1:{server.server_port}", folder / "chelsea.png")
            server.shutdown()
    return 0


def take_picture(browser: Browser, address: str, image: Path) -> None:
    browser.open(address)
    browser.wait_for("document.querySelector('#status')?.textContent.startsWith('Ready')", 90)
    browser.choose_file("#choose", image)
    browser.wait_for("document.querySelector('#status').textContent.includes('cut out in')", 60)
    browser.evaluate(
        "{const one = document.querySelector('#compare'); one.value = 30; one.dispatchEvent(new Event('input'))}"
    )
    time.sleep(SETTLE)
    picture = Image.fromarray(browser.picture())
    picture.quantize(256, Image.Quantize.MEDIANCUT).save(PICTURE, optimize=True)


if __name__ == "__main__":
    sys.exit(main())
