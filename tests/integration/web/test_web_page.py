"""The folder of run/Export.py --web in a real browser: it needs npm's onnxruntime-web in a node_modules beside or above."""

import base64
import io
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from PIL import Image, ImageDraw

from inspyrenet import Remover
from inspyrenet.data.images.bilinear import interpolated
from inspyrenet.data.images.preprocess import normalized, resize
from inspyrenet.remover.multilevel import multilevel
from inspyrenet.web_page.export import export_web
from tests.browser import Browser

pytestmark = pytest.mark.system
DONE = "document.querySelector('#pictures').dataset.done == 'true' && document.querySelector('#after').naturalWidth"
SIZES = [
    (240, 400),
    (400, 240),
    (320, 320),
    (77, 531),
    (900, 640),
    (64, 64),
    (1000, 1000),
    (323, 317),
    (33, 900),
    (480, 640),
]


class Quiet(SimpleHTTPRequestHandler):
    """A static host; `server.asked` are the requests."""

    def log_message(self, *words):
        self.server.asked.append(f"{self.command} {self.path}")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return export_web(tmp_path_factory.mktemp("web")).folder


@pytest.fixture(scope="module")
def host(folder):
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder))
    server.asked = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    server.address = f"http://127.0.0.1:{server.server_port}/"
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def browser(host, tmp_path_factory):
    with Browser(tmp_path_factory.mktemp("profile")) as browser:
        browser.open(host.address)
        browser.wait_for("document.querySelector('#status')?.textContent.startsWith('Ready')", 90)
        yield browser


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


def asked(browser, script, dtype=np.uint8) -> np.ndarray:
    """What a script returns as an array; it may use PRELUDE."""
    return np.frombuffer(base64.b64decode(browser.evaluate(f"(async () => {{{PRELUDE}{script}}})()")), dtype)


def cut_out(browser, array, type="rgba") -> np.ndarray:
    script = f"""const {{ removeBackground }} = await import("./index.js");
        const blob = await removeBackground(new Blob([{in_script(png(array))}]), {{type: "{type}"}});
        return textOf(new Uint8Array(await blob.arrayBuffer()));"""
    return np.asarray(Image.open(io.BytesIO(asked(browser, script).tobytes())))


# -- the same numbers as in Python --------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(200, 500), (320, 700), (150, 320), (1200, 90), (1, 1)])
def test_images_are_resized_and_normalized_as_in_python(browser, size):
    image = painted(1, *size)
    rgba = np.dstack([image, np.full(size, 255, np.uint8)])
    script = f"""const {{ normalized, resized }} = await import("./resize.js");
        const pixels = {{width: {size[1]}, height: {size[0]}, data: {in_script(rgba)}}};
        const small = resized(pixels, {{width: 320, height: 320}});
        const {{ mean, std }} = await (await fetch("network.json")).json();
        return textOf(%s);"""
    small = asked(browser, script % "small.data").reshape(320, 320, 4)[..., :3]
    assert np.array_equal(small, resize(image, (320, 320)))
    planes = asked(browser, script % "normalized(small, {mean, std})", np.float32).reshape(3, 320, 320)
    np.testing.assert_allclose(planes, normalized(small), rtol=0, atol=1e-6)


@pytest.mark.parametrize("size", [(200, 500), (777, 641), (8, 12), (1, 1), (90, 1)])
def test_maps_are_enlarged_as_in_python(browser, size):
    values = np.random.default_rng(0).random((8, 12), np.float32)
    script = f"""const {{ enlarged }} = await import("./bilinear.js");
        const values = new Float32Array({in_script(values)}.buffer);
        return textOf(enlarged(values, {{width: 12, height: 8}}, {{width: {size[1]}, height: {size[0]}}}));"""
    expected = np.concatenate([np.rint(255 * band) for _, _, band in interpolated(values, size)])
    assert np.abs(asked(browser, script).reshape(size) - expected).max() <= 1


def test_maps_are_those_of_python(browser):
    remover, differences = Remover(device="cpu"), []
    for seed, size in enumerate(SIZES):
        image = painted(seed, *size)
        found, expected = cut_out(browser, image, "map")[..., 0].astype(int), remover.saliency(image)
        assert found.shape == expected.shape and expected.max() > 100
        differences.append(np.abs(found - expected).max())
    assert max(differences) <= 1, differences


def test_edges_have_the_colors_that_python_finds(browser):
    image = painted(3, 300, 420)
    alpha = np.asarray(Image.fromarray(painted(3, 30, 42)).convert("L").resize((420, 300), Image.Resampling.BICUBIC))
    rgba = np.dstack([image, np.full(alpha.shape, 255, np.uint8)])
    script = f"""const {{ unmix }} = await import("./foreground.js");
        const data = new Uint8ClampedArray({in_script(rgba)}), pixels = {{ width: 420, height: 300, data }};
        unmix(pixels, {in_script(alpha)});
        return textOf(data);"""
    found, expected = asked(browser, script).reshape(rgba.shape)[..., :3].astype(int), multilevel(image, alpha)
    soft = (alpha > 0) & (alpha < 255)
    error = np.abs(found - expected)[soft].mean()
    assert error < 1 < np.abs(image.astype(int) - expected)[soft].mean()  # which the photograph's own colors are not
    assert np.array_equal(found[~soft], image[~soft])
