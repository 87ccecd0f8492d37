"""The ES module, as docs/web.md uses it."""

import re
from pathlib import Path

import numpy as np
import pytest

from inspyrenet import Remover
from tests.browser import Browser
from tests.integration.web_page.static_host import asked, painted, serving

pytestmark = pytest.mark.system
DOCS = Path(__file__).resolve().parents[3] / "docs" / "web.md"
THROWING = "export async function openNetwork() { throw 7; }"  # as onnxruntime-web throws


@pytest.fixture(scope="module")
def site(folder, tmp_path_factory, photo):
    """A site that uses the folder as docs/web.md says, without the service worker."""
    root = tmp_path_factory.mktemp("site")
    (root / "cutout").symlink_to(folder)
    (root / "photo.png").write_bytes(photo.read_bytes())
    module, page = (example(kind) for kind in ("js", "html"))
    (root / "module.html").write_text(f'<input type="file"><script type="module">{module}</script>')
    (root / "script.html").write_text(page)
    with serving(root) as server:
        yield server


def example(kind: str) -> str:
    return re.search(rf"```{kind}\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)[1]


def shown(browser, selector) -> np.ndarray:
    """The pixels of an image of the page, RGBA, once it is a result."""
    browser.wait_for(f"document.querySelector('{selector}')?.src.startsWith('blob:')", 90)
    script = f"""const image = document.querySelector('{selector}'); await image.decode();
        const canvas = new OffscreenCanvas(image.naturalWidth, image.naturalHeight), context = canvas.getContext("2d");
        context.drawImage(image, 0, 0);
        return textOf(context.getImageData(0, 0, canvas.width, canvas.height).data);"""
    return asked(browser, script).reshape(300, 400, 4).astype(int)


def test_the_module_example_works(site, photo, tmp_path):
    assert len(example("js").strip().splitlines()) <= 10
    with Browser(tmp_path / "profile") as other:
        other.open(f"{site.address}module.html")
        other.wait_for("document.readyState == 'complete' && document.querySelector('input') !== null")
        other.choose_file("input", photo)
        found = shown(other, "img")
    expected = Remover(device="cpu").process(painted(2, 300, 400), "white").astype(int)
    assert np.abs(found[..., :3] - expected).mean() < 4  # WebP is not exact


def test_the_script_example_works(site, tmp_path):
    with Browser(tmp_path / "profile") as other:
        other.open(f"{site.address}script.html")
        found = shown(other, "#photo")
    assert np.abs(found[..., 3] - Remover(device="cpu").saliency(painted(2, 300, 400))).max() <= 1


@pytest.mark.parametrize(
    ("image", "options", "message"),
    [
        ("new Blob(['no image'])", "", "not an image that this browser can read"),
        ("'nothing.png'", "", "nothing.png could not be loaded: the server answered 404"),
        ("new ImageData(9, 9)", ", {format: 'gif'}", "a format is png or webp, not gif"),
        ("new ImageData(9, 9)", ", {type: 'blue'}", "a type is rgba, map, white or a color such as #ff8800, not blue"),
    ],
)
def test_the_module_says_what_is_wrong(browser, host, image, options, message):
    script = f"import('./index.js').then(one => one.removeBackground({image}{options})).then(() => '', error => error.message)"
    assert message in browser.evaluate(script)


def test_a_bitmap_stays_open_for_the_caller(browser, host):
    script = "import('./index.js').then(one => one.removeBackground(image)).then(() => image.width)"
    assert browser.evaluate(f"createImageBitmap(new ImageData(9, 9)).then(image => {script})") == 9


def test_what_fails_in_the_worker_is_told_once(folder, tmp_path):
    site = tmp_path / "site"
    for name, file, text in (("ends", "worker.js", "throw 7;"), ("throws", "network.js", THROWING)):
        (site / name).mkdir(parents=True)
        for script in folder.glob("*.js"):
            (site / name / script.name).write_bytes(script.read_bytes())
        (site / name / file).write_text(text)
    (site / "index.html").write_text('<link rel="icon" href="data:,">')
    script = "import('./{}/index.js').then(one => one.removeBackground(new ImageData(9, 9))).then(() => '', error => error.message)"
    with serving(site) as server, Browser(tmp_path / "profile") as other:
        other.open(server.address)
        other.wait_for("document.readyState == 'complete' && document.querySelector('link') !== null")
        assert other.evaluate(script.format("ends")).startswith("worker.js failed: ")
        assert other.evaluate(script.format("throws")) == "the network failed with 7"
        assert server.asked.count("GET /ends/worker.js") == 1 and other.said == []
