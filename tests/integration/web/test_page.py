"""The page of run/Demo.py: in a real browser (system tests), and what it is made of."""

import http.client
import os
import signal
import socket
import time
from types import SimpleNamespace
from urllib.parse import urlsplit

import numpy as np
import pytest
import torch
from PIL import Image
from starlette.testclient import TestClient

from inspyrenet import Remover
from inspyrenet.data.images.decoded import DecodedImage
from inspyrenet.demo import command, layout, pictures
from inspyrenet.demo.guard import FILE, READ, WRITE
from inspyrenet.networks.network import NetworkMaps
from inspyrenet.remover.compositing import style_of
from inspyrenet.serve.settings import Limits
from tests.browser import Browser
from tests.integration.web.test_editor import CORNER, STATUS
from tests.integration.web.test_editor import Page as Hands
from tests.processes import finish, start
from tests.tiny_network import picture, write_tiny

torch.set_num_threads(1)
RESULT = "[...document.querySelectorAll('#result img')].find(image => image.complete && image.naturalWidth > 100)"


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return write_tiny(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def remover(files):
    return Remover(files[0], "cpu", files[1], None, edges="none")


# -- parts --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("threshold", "reverse"), [(None, False), (0.5, False), (None, True)])
@pytest.mark.parametrize("type", ["rgba", "white", "#0f766e", "blur", "overlay", "map"])
def test_the_page_shows_what_the_remover_makes(remover, type, threshold, reverse):
    seen = pictures.predict(remover, DecodedImage(picture()))
    result = pictures.finish(remover, seen, style_of(type), threshold, reverse).array
    assert np.array_equal(result, remover.process(picture(), type, threshold, reverse))


def test_the_levels_are_those_of_the_network(remover):
    stages = pictures.predict(remover, DecodedImage(picture())).stages
    assert [[level.name for level in stage] for stage in stages] == [["S3"], ["S2", "U2"], ["S1", "U1"], ["S0", "U0"]]
    assert [stage[0].size for stage in stages] == [(8, 8), (16, 16), (32, 32), (64, 64)]
    assert all(level.picture.shape == (192, 320) and level.picture.std() > 1 for stage in stages for level in stage)


def test_levels_of_a_network_without_a_pyramid():
    logits = np.ones((1, 1, 8, 8), np.float32)
    found = pictures.stages(NetworkMaps(logits, (logits,)), (9, 9))
    assert [[one.name for one in stage] for stage in found] == [["S0"]]


def test_transparency_is_shown_over_a_checkerboard():
    cut = np.zeros((30, 40, 4), np.uint8)
    cut[:, 20:, 3] = 255
    shown = pictures.shown(cut)
    assert set(np.unique(shown[:, :20])) == {pictures.LIGHT, pictures.DARK} and not shown[:, 20:].any()
    assert pictures.shown(np.zeros((4000, 20), np.uint8)).shape == (1600, 8, 3)


def test_the_page_says_how_good_the_map_is_likely_to_be(remover):
    assert pictures.predict(remover, DecodedImage(picture())).quality is None  # nobody calibrated the tiny network
    assert layout.quality(None) == "" and "0.71, look at it" in layout.quality(0.71)


@pytest.mark.parametrize(("parts", "status"), [(None, 404), ("some", 200)])
def test_only_a_network_with_a_coarse_map_is_drawn_with(tmp_path, monkeypatch, parts, status):
    from inspyrenet.demo import application
    from inspyrenet.demo.page import Page

    monkeypatch.setattr(application.processing_utils, "async_ssrf_protected_download", None)  # restored afterwards
    network = SimpleNamespace(name="a network", describe=lambda: "a network", network=SimpleNamespace(parts=parts))
    app = application.create_page(Page(network, tmp_path, SimpleNamespace()), Limits(), None)
    with TestClient(app) as client:
        assert client.get("/editor/").status_code == client.get("/editor/start.js").status_code == status
        assert client.post("/api/remove").status_code == 404


def test_one_picture_at_a_time_is_composed_whatever_is_moved(tmp_path):
    from inspyrenet.demo.page import Page

    network = SimpleNamespace(name="a network", describe=lambda: "a network", network=SimpleNamespace(parts=None))
    events = Page(network, tmp_path, SimpleNamespace()).build().fns.values()
    places = [event.concurrency_id for event in events if event.name == "on_control"]
    assert len(places) == 5 and len({*places}) == 1


def test_an_image_that_is_refused_leaves_nothing_of_the_one_before(tmp_path):
    from inspyrenet.demo.page import Page

    network = SimpleNamespace(name="a network", describe=lambda: "a network", network=SimpleNamespace(parts=None))
    events = Page(network, tmp_path, SimpleNamespace()).build().fns.values()
    (clearing,) = (event for event in events if event.trigger_only_on_failure)
    by_id = {component.elem_id: value for component, value in zip(clearing.outputs, clearing.fn(), strict=True)}
    (seen,) = (event for event in events if event.name == "on_photo")
    assert clearing.trigger_after == seen._id
    assert {*by_id} == {"result", "compare", "map", "pyramid", "quality", "download", "draw"}
    assert by_id["result"] is by_id["compare"] is by_id["map"] is None and by_id["draw"] == ""
    assert by_id["download"]["value"] is None and by_id["download"]["interactive"] is False


def test_the_editor_is_told_the_upload_by_a_relative_address():
    link = layout.drawing("/tmp/a b/my <photo> #1.png")
    assert 'href="editor/#../gradio_api/file=/tmp/a%20b/my%20%3Cphoto%3E%20%231.png"' in link


def test_names_are_not_taken_for_html():
    assert "<script>" not in layout.header("<script>alert(1)</script>")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--ckpt", "no/such.pth"], "no such weights: no/such.pth"),
        (["--host", "203.0.113.9"], "cannot listen on 203.0.113.9 port 7860"),
    ],
)
def test_what_cannot_start_says_so_in_one_line(words, message, capsys, monkeypatch):
    for name in ("GRADIO_TEMP_DIR", "GRADIO_ANALYTICS_ENABLED", "HF_HUB_OFFLINE", "HF_HUB_DISABLE_TELEMETRY"):
        monkeypatch.setenv(name, "")  # restored afterwards
    assert command.main(words) == 1
    error = capsys.readouterr().err
    assert message in error and "Traceback" not in error


def test_without_gradio_it_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setattr("inspyrenet.demo.serving.find_spec", lambda name: None)
    assert command.main([]) == 1 and "./install.sh --extras web" in capsys.readouterr().err


# -- the page, served ---------------------------------------------------------------------------------------------


def show_page(words):
    code = command.main(words)
    if code:
        raise SystemExit(code)


@pytest.fixture(scope="module")
def page(tmp_path_factory, files):
    """The page's port, in a process of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = tmp_path_factory.mktemp("page")
    words = ["-m", str(files[0]), "--ckpt", str(files[1]), "--device", "cpu", "--edges", "none"]
    words += ["--port", str(port), "--max-megapixels", "1"]
    process = start(show_page, words, errors=folder / "error.txt", environment={"TMPDIR": str(folder)})
    end = time.monotonic() + 60
    while True:
        try:
            assert get(port, "/")[0] == 200
            break
        except OSError:
            assert process.is_alive() and time.monotonic() < end, (folder / "error.txt").read_text()
            time.sleep(0.1)
    yield port
    assert [path.name.startswith("inspyrenet-page-") for path in folder.iterdir() if path.is_dir()] == [True]
    os.kill(process.pid, signal.SIGTERM)
    assert finish(process) == 0
    assert not [path for path in folder.iterdir() if path.is_dir()]  # no upload outlives the page


def get(port, path, method="GET", body=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


# -- in a browser -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
    path = tmp_path_factory.mktemp("photo") / "my photo.png"
    Image.fromarray(picture(240, 400)).save(path)
    return path


@pytest.fixture(scope="module")
def browser(page, tmp_path_factory):
    with Browser(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture
def opened(browser, page, photo):
    """The page with an image on it."""
    browser.size(1280, 900)
    browser.open(f"http://127.0.0.1:{page}/")
    browser.wait_for("!!document.querySelector('#photo input[type=file]')")
    browser.choose_file("#photo input[type=file]", photo)
    browser.wait_for(f"!!{RESULT}")
    return browser


def seen_result(browser):
    """The pixels of the result on the screen, uint8 (h, w, 3)."""
    browser.wait_for(f"{RESULT}?.decode().then(() => true)")  # none while the next one loads
    box = browser.evaluate(f"(box => [box.x, box.y, box.width, box.height])({RESULT}.getBoundingClientRect())")
    size = browser.evaluate(f"[{RESULT}.naturalWidth, {RESULT}.naturalHeight]")
    scale = min(1, box[2] / size[0], box[3] / size[1])
    width, height = (round(side * scale) for side in size)  # object-fit: scale-down
    left, top = round(box[0] + (box[2] - width) / 2), round(box[1] + (box[3] - height) / 2)
    return browser.picture()[top : top + height, left : left + width]


def close_to(seen, expected):
    """The same picture, but for what compression does to noise."""
    small = [np.asarray(Image.fromarray(one).resize((50, 30), Image.Resampling.BOX), float) for one in (seen, expected)]
    return np.abs(small[0] - small[1]).mean() < 3


def wait_until_shown(browser, expected):
    end = time.monotonic() + 20
    while not close_to(seen := seen_result(browser), expected):
        assert time.monotonic() < end, f"differs by {np.abs(seen.astype(float).mean() - expected.mean()):.1f} or more"
        time.sleep(0.1)


def click(browser, selector, text):
    browser.evaluate(
        f"[...document.querySelectorAll('{selector}')].find(one => one.textContent.trim() == '{text}').click()"
    )


@pytest.mark.system
def test_an_image_is_cut_out_on_the_page(opened, remover, tmp_path):
    expected = remover.process(picture(240, 400))
    shown = pictures.shown(expected)
    wait_until_shown(opened, shown)
    assert not close_to(seen_result(opened), picture(240, 400))  # the check can tell them apart

    opened.send("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    click(opened, "#download", "Download")
    file, end = tmp_path / "my photo.out.png", time.monotonic() + 10
    while not file.is_file():
        assert time.monotonic() < end, [path.name for path in tmp_path.iterdir()]
        time.sleep(0.05)
    assert np.array_equal(np.asarray(Image.open(file)), expected)


@pytest.mark.system
def test_types_and_threshold_change_the_picture(opened, remover):
    click(opened, "#type label", "White")
    wait_until_shown(opened, remover.process(picture(240, 400), "white"))
    script = """(input => { Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value').set.call(input, '0.6');
        input.dispatchEvent(new Event('input', {bubbles: true})); input.dispatchEvent(new Event('change', {bubbles: true}));
        })(document.querySelector('#threshold input[type=range]'))"""
    opened.evaluate(script)
    hard = remover.process(picture(240, 400), "white", threshold=0.6)
    wait_until_shown(opened, hard)
    assert not close_to(seen_result(opened), remover.process(picture(240, 400), "white"))


@pytest.mark.system
def test_map_compare_and_pyramid_are_there(opened):
    click(opened, "button[role=tab]", "Map")
    opened.wait_for("[...document.querySelectorAll('#map img')].some(one => one.naturalWidth == 400)")
    click(opened, "button[role=tab]", "Compare")
    opened.wait_for("[...document.querySelectorAll('#compare img')].filter(one => one.naturalWidth == 400).length >= 2")
    click(opened, "button[role=tab]", "Pyramid")
    names = (
        "[...document.querySelectorAll('#pyramid figure')].filter(one => one.querySelector('img').naturalWidth).map("
    )
    assert opened.wait_for(names + "one => one.querySelector('b').textContent).join(' ')") == "S3 S2 U2 S1 U1 S0 U0"


@pytest.mark.system
def test_it_fits_a_phone_in_the_order_of_use(opened):
    opened.size(390, 844, phone=True)
    opened.wait_for("innerWidth == 390")
    assert opened.evaluate("document.documentElement.scrollWidth") == 390
    tops = "['#photo', '#result', '#download', '#type', '#threshold']"
    top = ".map(one => document.querySelector(one).getBoundingClientRect().top)"
    opened.wait_for(f"(tops => String(tops) == String([...tops].sort((a, b) => a - b)) && tops[1] < 844)({tops}{top})")


@pytest.mark.system
def test_bad_uploads_are_told(opened, tmp_path):
    for name, data, message in [
        ("text.png", b"no image", "Not an image of a known kind"),
        ("large.png", None, "million pixels"),
    ]:
        if data is None:
            Image.new("RGB", (2000, 1000)).save(tmp_path / name)
        else:
            (tmp_path / name).write_bytes(data)
        opened.evaluate(
            "document.querySelector('#photo button[aria-label=Clear], #photo button[title=Clear]')?.click()"
        )
        opened.wait_for("!!document.querySelector('#photo input[type=file]')")
        opened.choose_file("#photo input[type=file]", tmp_path / name)
        opened.wait_for(f"document.body.textContent.includes('{message}')")
        assert "/tmp" not in opened.evaluate("document.querySelector('.toast-body, .toast-wrap')?.textContent || ''")


@pytest.mark.system
def test_nothing_is_loaded_from_elsewhere(opened, page):
    own = (f"http://127.0.0.1:{page}", "data:", "blob:", "about:")
    assert len(opened.requests) > 20 and [one for one in opened.requests if not one.startswith(own)] == []
    for address in opened.requests:
        path = urlsplit(address).path
        if address.startswith(own[0]):  # what the page uses is what is open
            assert READ.fullmatch(path) or WRITE.fullmatch(path) or path.startswith(FILE), path
    assert opened.said == []


# -- drawing ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def hands(page, tmp_path_factory):
    with Hands(tmp_path_factory.mktemp("hands")) as hands:
        yield hands


@pytest.mark.system
@pytest.mark.parametrize("phone", [False, True], ids=["mouse", "touch"])
def test_the_image_of_the_page_is_drawn_on(hands, page, remover, photo, tmp_path, phone):
    hands.touch, hands.bodies = phone, []
    hands.send("Emulation.setTouchEmulationEnabled", enabled=phone)
    hands.size(*((390, 844) if phone else (1280, 900)), phone=phone)
    hands.open(f"http://127.0.0.1:{page}/")
    hands.wait_for("!!document.querySelector('#photo input[type=file]')")
    hands.choose_file("#photo input[type=file]", photo)
    hands.wait_for("!!document.querySelector('#draw a')")
    hands.evaluate("(link => { link.target = ''; link.click(); })(document.querySelector('#draw a'))")  # in this tab
    hands.wait_for("location.pathname == '/editor/' && !!document.querySelector('#status')")
    hands.wait_for(f"{STATUS}.startsWith('Draw')")
    own = remover.process(picture(240, 400))
    assert np.array_equal(hands.download(tmp_path), own)
    hands.draw(CORNER, (45, 40), (60, 30))
    drawn = hands.download(tmp_path)
    assert drawn[CORNER[1], CORNER[0], 3] > 250 > own[CORNER[1], CORNER[0], 3]
    assert hands.evaluate("document.documentElement.scrollWidth") == (390 if phone else 1280) and hands.said == []


@pytest.mark.system
@pytest.mark.parametrize(
    ("address", "said"),
    [("../gradio_api/file=/none.png", "is not there any more"), ("http://203.0.113.9/a.png", "of other servers")],
)
def test_an_image_that_cannot_be_had_is_told(hands, page, address, said):
    hands.open("about:blank")
    hands.open(f"http://127.0.0.1:{page}/editor/#{address}")
    hands.wait_for("!!document.querySelector('#status')")
    hands.wait_for(f"{STATUS}.includes('{said}')")
    assert hands.evaluate("document.body.classList.contains('empty')")
    assert not [one for one in hands.requests if "203.0.113.9" in one.partition("#")[0]]
    hands.said.clear()  # the browser tells of the 404
