"""The folder of run/Export.py --web in a real browser: it needs npm's onnxruntime-web in a node_modules beside or above."""

import base64
import io
import re
import threading
import time
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

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
DOCS = Path(__file__).resolve().parents[3] / "docs" / "web.md"
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


@contextmanager
def serving(folder):
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder))
    server.asked = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    server.address = f"http://127.0.0.1:{server.server_port}/"
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def host(folder):
    with serving(folder) as server:
        yield server


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


# -- the page -----------------------------------------------------------------------------------------------------


def opened(browser, host):
    browser.open("about:blank")
    browser.open(host.address)
    browser.wait_for("document.querySelector('#status')?.textContent.startsWith('Ready')", 90)


def choose(browser, path, number=1):
    """Choose a file and wait for the cut-out of the image that is the newest of `number`."""
    browser.choose_file("#choose" if number == 1 else "#more", path)
    browser.wait_for(f"document.querySelectorAll('#list button:not(.waiting)').length == {number}", 60)
    browser.wait_for("document.querySelector('#pictures.done #after')?.naturalWidth > 0")


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
    path = tmp_path_factory.mktemp("photo") / "my photo.png"
    Image.fromarray(painted(2, 300, 400)).save(path)
    return path


def saved(browser, folder, name) -> np.ndarray:
    browser.send("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(folder))
    browser.evaluate("document.querySelector('#download').click()")
    file, end = folder / name, time.monotonic() + 20
    while not file.is_file():
        assert time.monotonic() < end, [path.name for path in folder.iterdir()]
        time.sleep(0.05)
    with Image.open(file) as image:
        return np.asarray(image.convert("RGBA")).astype(int)


def test_it_has_threads_by_its_service_worker(browser, host):
    opened(browser, host)
    assert browser.evaluate("crossOriginIsolated")
    cores = browser.evaluate("navigator.hardwareConcurrency")
    text = browser.evaluate("document.querySelector('#engine').textContent")
    assert text == (f"{min(cores, 4)} threads" if cores > 1 else "One thread: this device has one core.")


def test_without_a_service_worker_it_says_that_there_is_one_thread(host, photo, tmp_path):
    with Browser(tmp_path / "profile") as other:
        script = "delete Navigator.prototype.serviceWorker"
        other.send("Page.addScriptToEvaluateOnNewDocument", source=script)
        opened(other, host)
        choose(other, photo)
        said = other.evaluate("document.querySelector('#engine').textContent")
        assert said == "One thread: this address is not https or localhost." and other.said == []


def test_a_photo_is_cut_out_and_downloaded(browser, host, photo, tmp_path):
    opened(browser, host)
    choose(browser, photo)
    browser.wait_for("document.querySelector('#status').textContent.startsWith('my photo.png: 400×300, ')")
    found = saved(browser, tmp_path, "my photo.out.png")
    expected = Remover(device="cpu").process(painted(2, 300, 400)).astype(int)
    assert np.abs(found - expected)[..., 3].max() <= 1
    solid = expected[..., 3] > 100  # below, a canvas keeps colors less exactly
    assert np.abs(found - expected)[solid].mean() < 1


@pytest.mark.parametrize(("what", "format"), [("map", "png"), ("picture", "webp")])
def test_masks_and_webp_are_downloaded(browser, host, photo, tmp_path, what, format):
    opened(browser, host)
    choose(browser, photo)
    for name, value in (("what", what), ("format", format)):
        browser.evaluate(f"document.querySelector('#{name}').value = '{value}'")
    found = saved(browser, tmp_path, f"my photo.out.{format}")
    channel = 0 if what == "map" else 3
    assert np.abs(found[..., channel] - Remover(device="cpu").saliency(painted(2, 300, 400))).max() <= 1


def pixel(browser, x, y):
    """Of the picture on the screen, at a fraction of its width and height."""
    box = browser.evaluate(
        "(b => [b.x, b.y, b.width, b.height])(document.querySelector('#after').getBoundingClientRect())"
    )
    return browser.picture()[round(box[1] + y * box[3]), round(box[0] + x * box[2])].astype(int)


def test_background_and_comparison_are_seen(browser, host, photo):
    opened(browser, host)
    choose(browser, photo)
    corner = painted(2, 300, 400)[15, 20].astype(int)
    browser.evaluate(
        "{const one = document.querySelector('#ground'); one.value = 'color'; one.dispatchEvent(new Event('change'))}"
    )
    browser.wait_for("document.querySelector('#after').classList.contains('plain')")
    browser.wait_for("document.querySelector('#after').decode().then(() => true)")
    assert np.abs(pixel(browser, 0.05, 0.05) - (0x0F, 0x76, 0x6E)).max() <= 3
    browser.evaluate("document.querySelector('#compare').focus()")
    for _ in range(20):
        for type in ("keyDown", "keyUp"):
            browser.send(
                "Input.dispatchKeyEvent", type=type, key="ArrowRight", code="ArrowRight", windowsVirtualKeyCode=39
            )
    browser.wait_for("document.querySelector('#compare').value == 20")
    assert np.abs(pixel(browser, 0.05, 0.05) - corner).max() <= 40  # the photo, with its noise
    assert np.abs(pixel(browser, 0.95, 0.05) - (0x0F, 0x76, 0x6E)).max() <= 3


def test_several_images_and_a_bad_one(browser, host, photo, tmp_path):
    opened(browser, host)
    (tmp_path / "bad.png").write_bytes(b"no image")
    Image.fromarray(painted(3, 90, 60)).save(tmp_path / "second.png")
    choose(browser, photo)
    choose(browser, tmp_path / "second.png", 2)
    browser.choose_file("#more", tmp_path / "bad.png")
    browser.wait_for("document.querySelector('#status.wrong')?.textContent.startsWith('bad.png: not an image')")
    browser.evaluate("document.querySelector('#list button').click()")
    browser.wait_for("document.querySelector('#after').alt == 'my photo.png cut out'")
    assert browser.evaluate(
        "[...document.querySelectorAll('#list button')].map(one => one.getAttribute('aria-current')).join()"
    ) == ("true,false,false")


def test_every_control_has_a_name(browser, host):
    opened(browser, host)
    tree = browser.send("Accessibility.getFullAXTree")["nodes"]
    roles = {"button", "combobox", "slider", "textbox", "image", "link"}
    named = {
        node["role"]["value"]: node["name"]["value"] for node in tree if node.get("role", {}).get("value") in roles
    }
    assert named and all(named.values()), named


@pytest.mark.parametrize("width", [390, 1280])
def test_it_fits(browser, host, photo, width):
    browser.size(width, 844, phone=width == 390)
    opened(browser, host)
    assert browser.evaluate("document.documentElement.scrollWidth") == width
    choose(browser, photo)
    boxes = "['#pictures', '#download', '#compare'].map(one => document.querySelector(one).getBoundingClientRect())"
    assert browser.evaluate(f"{boxes}.every(box => box.left >= -20 && box.right <= {width} + 20 && box.bottom <= 844)")
    browser.size(1280, 900)


def test_nothing_leaves_and_the_console_is_empty(browser, host, photo):
    opened(browser, host)
    choose(browser, photo)
    own = (host.address, "data:", "blob:", "about:")
    assert [one for one in browser.requests if not one.startswith(own)] == []
    assert host.asked and all(one.startswith("GET /") for one in host.asked)
    assert browser.said == [] and browser.errors == []
    refused = browser.evaluate("fetch('https://example.com/').then(() => 'sent', error => error.name)")
    assert refused == "TypeError"


# -- the module ---------------------------------------------------------------------------------------------------


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


# -- last, since it ends the server -------------------------------------------------------------------------------


def test_it_works_offline_after_the_first_visit(browser, host, photo):
    opened(browser, host)
    before = len(host.asked)
    host.shutdown()
    host.server_close()
    opened(browser, host)
    choose(browser, photo)
    assert len(host.asked) == before
