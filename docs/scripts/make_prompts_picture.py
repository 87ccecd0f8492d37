"""Makes the picture of docs/prompts.md: .venv/bin/python -m docs.scripts.make_prompts_picture

Starts `inspyrenet s` with the bundled model, and Chromium without a window, which draws on a photograph.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image
from skimage import data

from docs.scripts.make_page_pictures import SETTLE, free_port, save, wait_for
from tests.browser import Browser

SIDE = 1024  # pixels of the photograph, which NASA took and gave to the public
STROKES = [  # pixels of it; the brush is as wide as the page has it at first
    ("remove", [(620, 860), (680, 950), (880, 960), (940, 840), (860, 730)]),
    ("keep", [(600, 560), (660, 600), (690, 690)]),
    ("remove", [(740, 725), (790, 718)]),
    ("remove", [(660, 800), (720, 830)]),
]


def main(words: list[str]) -> int:
    port = free_port()
    command = [sys.executable, "-m", "inspyrenet", "s", "--port", str(port), *words]
    with tempfile.TemporaryDirectory() as folder, subprocess.Popen(command) as server:
        try:
            wait_for(port, server)
            with Browser(Path(folder) / "profile", 1280, 860) as browser:
                take_picture(browser, port, photograph(Path(folder)))
        finally:
            server.terminate()
    return 0


def photograph(folder: Path) -> Path:
    Image.fromarray(data.astronaut()).resize((SIDE, SIDE), Image.Resampling.BICUBIC).save(folder / "astronaut.png")
    return folder / "astronaut.png"


def take_picture(browser: Browser, port: int, image: Path) -> None:
    browser.open(f"http://127.0.0.1:{port}/editor/")
    browser.wait_for("document.readyState == 'complete' && !!document.querySelector('#choose')")
    browser.choose_file("#choose", image)
    browser.wait_for("document.querySelector('#status').textContent.startsWith('Draw')", 120)
    for tool, points in STROKES:
        browser.evaluate(f"document.querySelector('[name=tool][value={tool}]').click()")
        browser.evaluate("document.querySelector('#status').textContent = ''")
        draw(browser, points)
        browser.wait_for("document.querySelector('#status').textContent.startsWith('Answered')", 120)
    time.sleep(SETTLE)
    save(browser.picture(), "prompts_page.png")


def draw(browser: Browser, points: list[tuple[int, int]]) -> None:
    """A stroke with the mouse, where the page fits the image in."""
    left, top, across, down = browser.evaluate(
        "(box => [box.x, box.y, box.width, box.height])(document.querySelector('#canvas').getBoundingClientRect())"
    )
    scale = (min(across, down) - 24) / SIDE
    left, top = left + (across - scale * SIDE) / 2, top + (down - scale * SIDE) / 2
    kinds = ["mousePressed", *["mouseMoved"] * (len(points) - 1), "mouseReleased"]
    for kind, (x, y) in zip(kinds, [*points, points[-1]], strict=True):
        place = {"x": left + scale * x, "y": top + scale * y}
        held = {"button": "left", "buttons": int(kind != "mouseReleased"), "clickCount": 1}
        browser.send("Input.dispatchMouseEvent", type=kind, **place, **held)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
