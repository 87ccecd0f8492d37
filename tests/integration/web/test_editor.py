"""The page that people draw on, in a real browser, with the tiny network behind `inspyrenet s`."""

import http.client
import json
import time

import numpy as np
import pytest
import torch
from PIL import Image

from inspyrenet import Remover
from inspyrenet.interactive.prompt import Stroke
from tests import drawing
from tests.browser import Browser
from tests.integration.web.test_serve import Server, run_command
from tests.tiny_network import picture, write_tiny

torch.set_num_threads(1)
pytestmark = pytest.mark.system
PHOTO = picture(240, 400)
INSIDE, CORNER = (200, 120), (30, 30)  # x, y: on the object; beside it
STATUS = "document.querySelector('#status').textContent"


class Page(Browser):
    """The page, and hands for it. Positions are pixels of the image."""

    touch = False
    bodies: list[str]  # of requests for a map

    def _note(self, event):
        super()._note(event)
        request = event.get("params", {}).get("request", {})
        if request.get("url", "").endswith("/map"):
            self.bodies.append(request["postData"])
        entry = event.get("params", {}).get("entry", {})
        if event.get("method") == "Log.entryAdded" and entry["level"] == "error":
            self.said.append(entry["text"])

    def show(self, port, photo, phone):
        self.touch, self.bodies = phone, []
        self.said.clear()
        self.send("Log.enable")
        self.send("Emulation.setTouchEmulationEnabled", enabled=phone)
        self.size(*((390, 844) if phone else (1280, 900)), phone=phone)
        self.open(f"http://127.0.0.1:{port}/editor/")
        self.wait_for("document.readyState == 'complete' && !!document.querySelector('#choose')")
        self.choose_file("#choose", photo)
        self.wait_for(f"!document.body.classList.contains('empty') && {STATUS}.startsWith('Draw')")

    def on_screen(self, x, y):
        return drawing.on_screen(self, (x, y), PHOTO.shape)

    def draw(self, *points):
        """A line, with the finger or the mouse."""
        drawing.draw(self, [self.on_screen(*point) for point in points], self.touch)

    def click(self, selector):
        self.evaluate(f"document.querySelector('{selector}').click()")

    def choose(self, selector, value):
        self.evaluate(
            f"(one => {{ one.value = '{value}'; one.dispatchEvent(new Event('input')); }})"
            f"(document.querySelector('{selector}'))"
        )

    def tool(self, name):
        self.click(f"[name=tool][value={name}]")

    def painted(self):
        """Returns when what was drawn is on the screen."""
        self.wait_for("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))")

    def stage(self):
        """What is seen of the image, int (h, w, 3)."""
        self.painted()
        top, bottom = self.evaluate(
            "(box => [box.top, box.bottom])(document.querySelector('#canvas').getBoundingClientRect())"
        )
        return self.picture()[round(top) + 2 : round(bottom) - 2].astype(int)

    def prompt(self):
        """That was asked last."""
        return json.loads(self.bodies[-1])

    def download(self, folder, format="png"):
        """The cut-out, uint8 (H, W, 4)."""
        file = folder / f"my photo.out.{format}"
        file.unlink(missing_ok=True)
        self.send("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(folder))
        self.choose("#format", format)
        self.click("#download")
        end = time.monotonic() + 60
        while not file.is_file():
            assert time.monotonic() < end, self.evaluate(STATUS)
            time.sleep(0.05)
        return np.asarray(Image.open(file))


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return write_tiny(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def remover(files):
    return Remover(files[0], "cpu", files[1], None, edges="none")


@pytest.fixture(scope="module")
def own(remover):
    """The cut-out without a prompt."""
    return remover.process(PHOTO)


@pytest.fixture(scope="module")
def server(files, tmp_path_factory):
    words = ["-m", str(files[0]), "--ckpt", str(files[1]), "--device", "cpu", "--edges", "none"]
    server = Server(tmp_path_factory.mktemp("server"), run_command, words, "PORT")
    yield server
    server.process.terminate()
    server.process.join(60)


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
    path = tmp_path_factory.mktemp("photo") / "my photo.png"
    Image.fromarray(PHOTO).save(path)
    return path


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with Page(tmp_path_factory.mktemp("profile")) as page:
        yield page


@pytest.fixture(params=[False, True], ids=["mouse", "touch"])
def page(request, browser, server, photo):
    browser.show(server.port, photo, request.param)
    yield browser
    assert browser.said == []


@pytest.fixture
def desktop(browser, server, photo):
    browser.show(server.port, photo, False)
    yield browser
    assert browser.said == []


def alpha(cut, x, y):
    return int(cut[y, x, 3])


def test_strokes_keep_and_remove_and_are_taken_back(page, own, tmp_path):
    assert np.array_equal(page.download(tmp_path)[..., 3], own[..., 3])
    page.draw(CORNER, (45, 40), (60, 30))
    page.tool("remove")
    page.draw((180, 120), INSIDE, (220, 120))
    drawn = page.download(tmp_path)
    assert alpha(drawn, *CORNER) > 250 and alpha(drawn, *INSIDE) < 5
    page.click("#undo")
    page.click("#undo")
    assert np.array_equal(page.download(tmp_path, "webp")[..., 3], own[..., 3])
    page.click("#redo")
    assert alpha(page.download(tmp_path), *CORNER) > 250
    page.tool("erase")
    page.draw((45, 38))
    assert np.array_equal(page.download(tmp_path)[..., 3], own[..., 3])


def test_a_stroke_from_side_to_side_is_one_of_the_image(page, own, tmp_path):
    page.tool("remove")
    page.draw((-3, 120), (200, 121), (403, 120))
    drawn = page.download(tmp_path)
    assert alpha(drawn, *INSIDE) < alpha(own, *INSIDE) / 4 and page.prompt()["strokes"][0]["points"][0][0] < 0


def test_what_is_refused_is_taken_back(browser, server, photo, tmp_path):
    browser.show(server.port, photo, False)
    browser.tool("box")
    browser.draw((100, 60), (300, 180))
    boxed = browser.download(tmp_path)
    browser.tool("keep")
    browser.draw(CORNER, (45, 40))
    browser.wait_for(f"{STATUS}.includes('lies outside the boxes')")
    assert np.array_equal(browser.download(tmp_path), boxed)
    browser.tool("remove")
    browser.draw((180, 120), INSIDE, (220, 120))
    assert alpha(browser.download(tmp_path), *INSIDE) < 5 and len(browser.prompt()["strokes"]) == 1


def test_an_image_that_is_larger_than_the_screen_keeps_is_drawn_on_where_it_is_seen(browser, server, tmp_path):
    Image.fromarray(picture(200, 4400)).save(tmp_path / "wide.png")
    browser.show(server.port, tmp_path / "wide.png", False)
    places = [drawing.on_screen(browser, point, (200, 4400)) for point in ((1000, 100), (3000, 100))]
    drawing.draw(browser, places, touch=False)
    browser.wait_for(f"{STATUS}.startsWith('Answered')")
    (stroke,) = browser.prompt()["strokes"]
    assert np.abs(np.subtract(stroke["points"], ((1000, 100), (3000, 100)))).max() < 10  # two pixels of the screen


def test_a_box_and_a_mask(page, remover, own, tmp_path):
    page.tool("box")
    page.draw((100, 60), (200, 100), (300, 180))
    boxed = page.download(tmp_path)
    (box,) = page.prompt()["boxes"]
    assert np.abs(np.subtract(box, (100, 60, 200, 120))).max() < 2
    assert np.array_equal(boxed, remover.process(PHOTO, boxes=[box]))
    page.click("#clear")
    mask = np.zeros((60, 100), np.uint8)
    mask[10:50, 60:90] = 255
    cut_out = np.dstack([np.full_like(mask, 40), np.full_like(mask, 90), np.zeros_like(mask), mask])
    Image.fromarray(cut_out if page.touch else mask).save(tmp_path / "mask.png")
    page.choose_file("#mask", tmp_path / "mask.png")
    page.wait_for("!document.querySelector('#clear').disabled")
    masked = page.download(tmp_path)
    assert np.array_equal(masked, remover.process(PHOTO, mask=mask)) and not np.array_equal(masked, own)
    page.click("#undo")
    assert np.array_equal(page.download(tmp_path), own)


def test_a_stroke_is_seen_at_once_and_its_answer_follows(page):
    place = [round(value) for value in page.on_screen(*CORNER)]
    look = lambda: page.picture()[place[1], place[0]].astype(int)  # noqa: E731
    before = look()
    page.draw(CORNER, (60, 40))
    page.painted()
    seen = look()
    assert seen[1] - seen[0] > before[1] - before[0] + 40  # green
    page.wait_for(f"{STATUS}.startsWith('Answered')")


def test_no_bitmap_is_left_open(desktop, tmp_path):
    desktop.evaluate(
        "window.bitmaps = []; { const make = createImageBitmap; window.createImageBitmap = (...words) =>"
        " make(...words).then(one => { bitmaps.push(one); return one; }); }"
    )
    Image.new("L", (800, 400), 255).save(tmp_path / "mask.png")  # larger than the page keeps a mask
    desktop.choose_file("#mask", tmp_path / "mask.png")
    desktop.wait_for("!document.querySelector('#clear').disabled")
    desktop.download(tmp_path)
    assert desktop.evaluate("bitmaps.map(one => one.width)") == [0, 0, 0]  # closed: mask, smaller one, answer


def test_it_fits_a_phone(browser, server, photo):
    browser.show(server.port, photo, True)
    assert browser.evaluate("document.documentElement.scrollWidth") == 390
    cut_off = "[...document.querySelectorAll('button, label.button, select, #tools span, #canvas, #width')]" + (
        ".filter(one => one.offsetParent).map(one => one.getBoundingClientRect())"
        ".filter(box => box.left < 0 || box.right > 390 || box.top < 0 || box.bottom > 844 || box.width < 20).length"
    )
    assert browser.evaluate(cut_off) == 0
    assert browser.evaluate("document.querySelector('#canvas').clientHeight") > 844 / 2


def test_two_fingers_zoom_and_draw_nothing(browser, server, photo):
    browser.show(server.port, photo, True)
    x, y = browser.on_screen(*INSIDE)
    whole = browser.stage()
    drawing.fingers(browser, "touchStart", (x, y))
    drawing.fingers(browser, "touchStart", (x, y), (x + 40, y))
    for wide in (60, 90, 120):
        drawing.fingers(browser, "touchMove", (x - wide / 2, y), (x + wide, y))
    drawing.fingers(browser, "touchEnd")
    assert browser.evaluate("document.querySelector('#undo').disabled")
    assert np.abs(browser.stage() - whole).mean() > 5
    browser.click("#fit")
    assert np.abs(browser.stage() - whole).mean() < 1


def test_two_fingers_erase_nothing(browser, server, photo, tmp_path):
    browser.show(server.port, photo, True)
    browser.draw(CORNER, (60, 40))
    kept = browser.download(tmp_path)
    browser.tool("erase")
    x, y = browser.on_screen(*CORNER)
    drawing.fingers(browser, "touchStart", (x, y))
    drawing.fingers(browser, "touchMove", (x + 1, y))
    drawing.fingers(browser, "touchStart", (x + 1, y), (x + 40, y))
    drawing.fingers(browser, "touchMove", (x + 1, y), (x + 60, y))
    drawing.fingers(browser, "touchEnd")
    assert np.array_equal(browser.download(tmp_path), kept)


@pytest.mark.parametrize("first", [True, False], ids=["palm first", "pen first"])
def test_a_palm_does_not_disturb_a_pen(browser, server, photo, first):
    browser.show(server.port, photo, True)
    pen, palm = [browser.on_screen(*point) for point in (CORNER, (60, 40))], browser.on_screen(300, 200)
    lay = lambda: drawing.fingers(browser, "touchStart", palm)  # noqa: E731
    if first:
        lay()
    drawing.mouse(browser, "mousePressed", pen[0])
    if not first:
        lay()
    drawing.mouse(browser, "mouseMoved", pen[1])
    drawing.mouse(browser, "mouseReleased", pen[1])
    drawing.fingers(browser, "touchEnd")
    browser.wait_for(f"{STATUS}.startsWith('Answered')")
    (stroke,) = browser.prompt()["strokes"]
    assert np.abs(np.subtract(stroke["points"][-1], (60, 40))).max() < 2


def test_a_stroke_that_the_system_takes_away_is_not_in_the_result(browser, server, photo, own, tmp_path):
    browser.show(server.port, photo, True)
    drawing.fingers(browser, "touchStart", browser.on_screen(*CORNER))
    drawing.fingers(browser, "touchMove", browser.on_screen(60, 40))
    browser.wait_for(f"{STATUS}.startsWith('Answered')")
    assert browser.prompt()["strokes"]
    drawing.fingers(browser, "touchCancel")
    assert np.array_equal(browser.download(tmp_path), own) and browser.prompt()["strokes"] == []


def test_keys_draw_and_zoom_and_take_back(desktop, remover, own, tmp_path):
    desktop.evaluate("document.querySelector('#canvas').focus()")
    drawing.key(desktop, "r")
    drawing.key(desktop, "ArrowLeft")
    drawing.key(desktop, "Enter")
    cut = desktop.download(tmp_path)
    (stroke,) = desktop.prompt()["strokes"]
    (point,) = stroke["points"]
    assert stroke["keep"] is False and np.abs(np.subtract(point, INSIDE)).max() < 5
    said = Stroke((tuple(point),), False, stroke["width"])
    assert np.array_equal(cut, remover.process(PHOTO, points=[said])) and not np.array_equal(cut, own)
    whole = desktop.stage()
    drawing.key(desktop, "+")
    assert np.abs(desktop.stage() - whole).mean() > 5
    drawing.key(desktop, "z", modifiers=2)  # Ctrl
    assert np.array_equal(desktop.download(tmp_path), own)


def test_a_box_that_is_half_made_is_forgotten_with_the_focus(desktop):
    before = desktop.stage()
    desktop.evaluate("document.querySelector('#canvas').focus()")
    for name in ("b", "Enter", "ArrowLeft", "ArrowUp"):
        drawing.key(desktop, name)
    assert not np.array_equal(desktop.stage(), before)
    desktop.evaluate("document.querySelector('#canvas').blur()")
    assert np.array_equal(desktop.stage(), before)


def test_the_image_as_it_was_is_compared(desktop):
    x, y = (round(value) for value in desktop.on_screen(*CORNER))

    def patch():
        desktop.painted()
        return desktop.picture()[y - 20 : y + 20, x - 20 : x + 20].astype(int)

    cut = patch()
    desktop.choose("#compare", 30)  # percent, from the left
    whole = patch()
    desktop.choose("#compare", 2)
    assert np.abs(whole - cut).mean() > 10 and np.abs(patch() - cut).mean() < 1
    desktop.send("Input.dispatchKeyEvent", type="keyDown", key="c")
    assert np.abs(patch() - whole).mean() < 1
    desktop.send("Input.dispatchKeyEvent", type="keyUp", key="c")
    assert np.abs(patch() - cut).mean() < 1
    drawing.key(desktop, "c", modifiers=2)  # Ctrl: it copies
    drawing.key(desktop, "r", modifiers=1)  # Alt
    chosen = "['#compare', '[name=tool]:checked'].map(one => document.querySelector(one).value)"
    assert desktop.evaluate(chosen) == ["2", "keep"]


def test_an_image_that_the_server_forgot_is_sent_again(browser, server, photo, tmp_path):
    browser.show(server.port, photo, False)
    browser.draw(CORNER, (60, 40))
    browser.download(tmp_path)
    path = next(one for one in reversed(browser.requests) if one.endswith("/map")).partition(str(server.port))[2]
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    connection.request("DELETE", path.removesuffix("/map"))
    assert connection.getresponse().status == 204
    browser.tool("remove")
    browser.draw((180, 120), (220, 120))
    assert alpha(browser.download(tmp_path), *INSIDE) < 5
    assert [text for text in browser.said if "410" not in text] == []


def test_what_is_no_image_is_told(browser, server, photo, tmp_path):
    browser.show(server.port, photo, False)
    (tmp_path / "text.png").write_bytes(b"no image")
    browser.choose_file("#file", tmp_path / "text.png")
    browser.wait_for(f"{STATUS}.includes('cannot show this file') || {STATUS}.includes('not an image')")
    assert not browser.evaluate("document.body.classList.contains('busy')")


def test_of_images_that_come_at_once_the_last_one_is_kept(desktop):
    desktop.draw(CORNER, (60, 40))
    before = len(desktop.requests)
    undo = desktop.evaluate("""(async () => {
        const canvas = new OffscreenCanvas(40, 30);
        canvas.getContext("2d").fillRect(5, 5, 20, 20);
        const blob = await canvas.convertToBlob();
        for (const name of ["first.png", "last.png"]) {
          const files = new DataTransfer();
          files.items.add(new File([blob], name, { type: "image/png" }));
          dispatchEvent(new DragEvent("drop", { dataTransfer: files }));
        }
        return document.querySelector("#undo").disabled; })()""")
    assert undo is True  # what is shown is not open yet
    desktop.wait_for(f"{STATUS}.includes('40×30, cut out in')")
    assert desktop.evaluate("[...document.querySelectorAll('#list img')].map(one => one.alt)") == ["last.png"]
    closed = [one for one in desktop.requests[before:] if one.rpartition("/")[0].endswith("/editor/images")]
    assert len(closed) == 2


def test_an_answer_that_is_not_of_the_server_is_told(desktop):
    desktop.evaluate("window.fetch = () => Promise.resolve(new Response('{}', {status: 502})), 0")
    desktop.draw(CORNER, (60, 40))
    desktop.wait_for(f"{STATUS} == 'the server answered 502'")


def test_nothing_is_loaded_from_elsewhere(desktop, server):
    own = (f"http://127.0.0.1:{server.port}/editor/", "data:", "blob:", "about:")
    assert len(desktop.requests) > 10 and [one for one in desktop.requests if not one.startswith(own)] == []
