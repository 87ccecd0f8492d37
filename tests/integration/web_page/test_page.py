"""The page: what people do with it, its threads, its requests, and that it works offline."""

import shutil
import time

import numpy as np
import pytest
from PIL import Image

from inspyrenet import Remover
from tests import drawing
from tests.browser import Browser
from tests.integration.web_page.static_host import asked, in_script, painted, png, serving, wait_until_ready

pytestmark = pytest.mark.system
STATUS = "document.querySelector('#status').textContent"
ISOLATING = {"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp"}


def opened(browser, host):
    browser.open("about:blank")
    browser.open(host.address)
    wait_until_ready(browser)


def choose(browser, path, number=1):
    """Choose a file and wait for the cut-out of the image that is the newest of `number`."""
    browser.choose_file("#choose" if number == 1 else "#file", path)
    wait_for_images(browser, number)


def wait_for_images(browser, number):
    browser.wait_for(f"document.querySelectorAll('#list button:not(.waiting)').length == {number}", 60)
    browser.wait_for(f"{STATUS}.includes('cut out in')")


def saved(browser, folder, name) -> np.ndarray:
    browser.send("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(folder))
    browser.evaluate("document.querySelector('#download').click()")
    return arrived(folder / name)


def arrived(file) -> np.ndarray:
    """The picture in a download, once it is there, as RGBA."""
    end = time.monotonic() + 20
    while not file.is_file():
        assert time.monotonic() < end, [path.name for path in file.parent.iterdir()]
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


def test_where_a_file_is_missing_for_offline_use_it_works_once(folder, photo, tmp_path):
    web = shutil.copytree(folder, tmp_path / "web")
    (web / "index.html").rename(web / "start.html")
    with serving(web) as plain, serving(web, ISOLATING) as isolating, Browser(tmp_path / "profile") as other:
        other.open(f"{plain.address}start.html")
        wait_until_ready(other)
        choose(other, photo)
        said = other.evaluate("document.querySelector('#engine').textContent")
        assert said == "One thread: the service worker does not start (not every file could be kept)."
        other.open(f"{isolating.address}start.html")
        wait_until_ready(other)
        assert other.evaluate("crossOriginIsolated") and other.evaluate(STATUS) == "Ready."


def test_a_photo_is_cut_out_and_downloaded(browser, host, photo, tmp_path):
    opened(browser, host)
    choose(browser, photo)
    assert "400×300, cut out in " in browser.evaluate(STATUS)
    found = saved(browser, tmp_path, "my photo.out.png")
    expected = Remover(device="cpu").process(painted(2, 300, 400)).astype(int)
    assert np.abs(found - expected)[..., 3].max() <= 1
    solid = expected[..., 3] > 100  # below, a canvas keeps colors less exactly
    assert np.abs(found - expected)[solid].mean() < 1


@pytest.mark.parametrize(("what", "format"), [("map", "png"), ("rgba", "webp")])
def test_masks_and_webp_are_downloaded(browser, host, photo, tmp_path, what, format):
    opened(browser, host)
    choose(browser, photo)
    for name, value in (("type", what), ("format", format)):
        browser.evaluate(f"document.querySelector('#{name}').value = '{value}'")
    found = saved(browser, tmp_path, f"my photo.out.{format}")
    channel = 0 if what == "map" else 3
    assert np.abs(found[..., channel] - Remover(device="cpu").saliency(painted(2, 300, 400))).max() <= 1


def pixel(browser, x, y):
    """Of the photo on the screen, at a fraction of its width and height."""
    browser.wait_for("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))")
    left, top = drawing.on_screen(browser, (400 * x, 300 * y), (300, 400))
    return browser.picture()[round(top), round(left)].astype(int)


def test_background_and_comparison_are_seen(browser, host, photo):
    opened(browser, host)
    choose(browser, photo)
    corner = painted(2, 300, 400)[15, 20].astype(int)
    browser.evaluate(
        "{const one = document.querySelector('#ground'); one.value = 'color'; one.dispatchEvent(new Event('input'))}"
    )
    assert np.abs(pixel(browser, 0.05, 0.05) - (0x0F, 0x76, 0x6E)).max() <= 3
    browser.evaluate("document.querySelector('#compare').focus()")
    for _ in range(20):
        drawing.key(browser, "ArrowRight", code="ArrowRight", windowsVirtualKeyCode=39)
    browser.wait_for("document.querySelector('#compare').value == 20")
    assert np.abs(pixel(browser, 0.05, 0.05) - corner).max() <= 40  # the photo, with its noise
    assert np.abs(pixel(browser, 0.95, 0.05) - (0x0F, 0x76, 0x6E)).max() <= 3


def test_several_images_and_a_bad_one(browser, host, photo, tmp_path):
    opened(browser, host)
    (tmp_path / "bad.png").write_bytes(b"no image")
    choose(browser, photo)
    browser.choose_file("#file", tmp_path / "bad.png")
    browser.wait_for("document.querySelector('#status.wrong')?.textContent.startsWith('bad.png: ')")
    browser.evaluate("document.querySelector('#list button').click()")
    browser.wait_for(f"{STATUS}.includes('400×300, cut out in')")
    assert browser.evaluate(
        "[...document.querySelectorAll('#list button')].map(one => one.getAttribute('aria-current')).join()"
    ) == ("true,false")


@pytest.mark.parametrize(
    "event", ["DragEvent('drop', {dataTransfer: files})", "ClipboardEvent('paste', {clipboardData: files})"]
)
def test_several_images_are_dropped_or_pasted_at_once(browser, host, tmp_path, event):
    opened(browser, host)
    images = [painted(2, 60, 80), painted(3, 90, 70)]
    asked(
        browser,
        f"""const files = new DataTransfer();
        for (const [name, data] of [["one.png", {in_script(png(images[0]))}], ["two.png", {in_script(png(images[1]))}]])
          files.items.add(new File([data], name, {{ type: "image/png" }}));
        dispatchEvent(new {event}); return "";""",
    )
    wait_for_images(browser, 2)
    browser.evaluate("document.querySelector('#list button:last-child').click()")
    browser.wait_for(f"{STATUS}.includes('70×90')")
    for one, image in zip(("two", "one"), reversed(images), strict=True):
        found = saved(browser, tmp_path, f"{one}.out.png")
        assert np.abs(found[..., 3] - Remover(device="cpu").saliency(image)).max() <= 1
        browser.evaluate("document.querySelector('#list button').click()")
        browser.wait_for(f"{STATUS}.includes('80×60')")


def test_the_network_is_asked_once_and_all_are_downloaded_that_can_be(browser, host, photo, tmp_path):
    opened(browser, host)
    browser.evaluate("""{ window.posted = [];
        const post = Worker.prototype.postMessage;
        Worker.prototype.postMessage = function (message, ...more) {
          posted.push(message.name);
          if (message.name === "result" && message.values[0] === 1) message.values[1] = "blue"; // of the first image
          post.call(this, message, ...more);
        }; }""")
    choose(browser, photo)
    refined = "posted.filter(name => name === 'picture').length"
    before = browser.evaluate(refined)
    browser.evaluate("""{ const canvas = document.querySelector("#canvas");
        for (const key of ["Enter", "Enter", "Enter"]) canvas.dispatchEvent(new KeyboardEvent("keydown", { key })); }""")
    browser.wait_for(f"{refined} > {before}")
    assert browser.evaluate(refined) == before + 1
    browser.evaluate("dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true }))")  # into the cache
    assert "close" not in browser.evaluate("posted")
    Image.fromarray(painted(3, 60, 80)).save(tmp_path / "other.png")
    browser.choose_file("#file", tmp_path / "other.png")
    wait_for_images(browser, 2)
    browser.send("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    browser.evaluate("document.querySelector('#all').click()")
    browser.wait_for("document.querySelector('#status').matches('.wrong')")
    assert browser.evaluate(STATUS).startswith("my photo.png: a type is ")
    assert arrived(tmp_path / "other.out.png").shape == (60, 80, 4)


@pytest.mark.parametrize("touch", [False, True], ids=["mouse", "touch"])
def test_strokes_remove_and_are_taken_back(browser, host, photo, tmp_path, touch):
    browser.send("Emulation.setTouchEmulationEnabled", enabled=touch)
    browser.size(*((390, 844) if touch else (1280, 900)), phone=touch)
    opened(browser, host)
    choose(browser, photo)
    own = Remover(device="cpu").saliency(painted(2, 300, 400))
    y, x = (int(value) for value in np.argwhere(own > 250).mean(0))
    assert own[y, x] > 250
    browser.evaluate("document.querySelector('[name=tool][value=remove]').click()")
    places = [drawing.on_screen(browser, (x + step, y), (300, 400)) for step in (-20, 0, 20)]
    drawing.draw(browser, places, touch)
    browser.wait_for(f"{STATUS}.startsWith('Answered')")
    drawn = saved(browser, tmp_path, "my photo.out.png")
    assert drawn[y, x, 3] < 5 and np.abs(drawn[..., 3] - own).max() > 200
    (tmp_path / "my photo.out.png").unlink()
    browser.evaluate("document.querySelector('#undo').click()")
    assert np.abs(saved(browser, tmp_path, "my photo.out.png")[..., 3] - own).max() <= 1
    browser.send("Emulation.setTouchEmulationEnabled", enabled=False)
    browser.size(1280, 900)
    assert browser.said == [] and browser.errors == []


def test_the_keyboard_alone_draws(browser, host, photo):
    opened(browser, host)
    choose(browser, photo)
    browser.evaluate("document.querySelector('#canvas').focus()")
    for name in ("r", "ArrowUp", "ArrowUp", "Enter"):
        drawing.key(browser, name)
    browser.wait_for(f"{STATUS}.startsWith('Answered')")
    assert browser.evaluate("!document.querySelector('#undo').disabled")
    drawing.key(browser, "z", modifiers=2)  # Ctrl
    browser.wait_for("document.querySelector('#undo').disabled")


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
    boxes = "['#canvas', '#download', '#compare'].map(one => document.querySelector(one).getBoundingClientRect())"
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


def test_pages_below_it_stay_as_they_are(browser, host, folder):
    (folder / "blog").mkdir()
    page = '<link rel="icon" href="data:,"><script>document.title = "it runs"</script>'
    (folder / "blog" / "index.html").write_text(page)
    browser.open(f"{host.address}blog")  # from where the host leads to blog/
    browser.wait_for("document.title == 'it runs'")
    assert not browser.evaluate("crossOriginIsolated")


def test_it_works_offline_after_the_first_visit(browser, host, photo):
    """The last test, since it ends the server."""
    opened(browser, host)
    before = len(host.asked)
    host.shutdown()
    host.server_close()
    opened(browser, host)
    choose(browser, photo)
    # the browser may look for a newer one before the server has ended
    assert set(host.asked[before:]) <= {"GET /service-worker.js"}
