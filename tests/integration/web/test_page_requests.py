"""Clients that speak to the page by hand: nothing that they send is a path, an address or a file of the server."""

import http.client
import io
import json
import os
import signal
import socket
import time
import urllib.parse
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from inspyrenet.data.images.encode import encode
from tests.integration.web.test_page import show_page
from tests.integration.web.test_serve import form
from tests.processes import finish, start
from tests.tiny_network import picture, write_tiny

SECRET = (17, 201, 93)
TYPE = "multipart/form-data; boundary=b"
NUMBERS = count()


class Page:
    """The page in a process of its own, and requests to it."""

    def __init__(self, folder, files):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.folder = folder / "page"
        self.folder.mkdir()
        words = ["-m", str(files[0]), "--ckpt", str(files[1]), "--device", "cpu", "--edges", "none"]
        words += ["--port", str(self.port), "--max-megapixels", "1", "--max-mb", "1"]
        errors = folder / "error.txt"
        self.process = start(show_page, words, errors=errors, environment={"TMPDIR": str(self.folder)})
        end = time.monotonic() + 120
        while True:
            try:
                self.config = json.loads(self.ask("GET", "/config")[1])
                break
            except OSError:
                assert self.process.is_alive() and time.monotonic() < end, errors.read_text()
                time.sleep(0.1)

    def ask(self, method, path, body=None, kind="application/json", host=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        headers = ({"Content-Type": kind} if body else {}) | ({"Host": host} if host is not None else {})
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()

    def upload(self, data):
        status, answer = self.ask("POST", "/gradio_api/upload", form(data).replace(b'"file"', b'"files"', 1), TYPE)
        assert status == 200, answer
        return {"path": json.loads(answer)[0], "meta": {"_type": "gradio.FileData"}}

    def call(self, function, data):
        """The text that an event of the page answers with."""
        session = f"s{next(NUMBERS)}"
        body = json.dumps({"data": data, "fn_index": function, "session_hash": session})
        status, answer = self.ask("POST", "/gradio_api/queue/join", body)
        if status != 200:
            return answer.decode()
        return self.ask("GET", f"/gradio_api/queue/data?session_hash={session}")[1].decode()

    def event(self, element):
        """Number of the event that starts when an element of the page changes, its inputs' element ids."""
        ids = {one["id"]: one["props"].get("elem_id") for one in self.config["components"]}
        wanted = next(number for number, name in ids.items() if name == element)
        event = [one for one in self.config["dependencies"] if [wanted, "change"] in one["targets"]][-1]
        return event["id"], [ids[number] for number in event["inputs"]]


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    page = Page(folder, write_tiny(tmp_path_factory.mktemp("tiny")))
    yield page
    os.kill(page.process.pid, signal.SIGTERM)
    assert finish(page.process) == 0


@pytest.fixture(scope="module")
def secret(tmp_path_factory):
    """An image of the server's user that no visitor may see."""
    path = tmp_path_factory.mktemp("home") / "secret.png"
    Image.new("RGB", (300, 200), SECRET).save(path)
    return path


def hostile(path):
    """Ways of writing a path or an address where something else belongs."""
    address = path.as_uri()
    file = {"meta": {"_type": "gradio.FileData"}, "orig_name": str(path), "size": 10}
    return [
        str(path),
        address,
        {"path": str(path)},
        {"path": str(path), **file},
        {"path": str(path), "url": str(path), **file},
        {"path": address, "url": address, **file},
        {"path": f"/gradio_api/file={path}", **file},
        {"path": str(path), "is_stream": True, **file},
        {"path": None, "url": str(path), **file},
        [str(path)],
    ]


def collected(value):
    """All paths in an answer."""
    if isinstance(value, dict):
        own = [value["path"]] if isinstance(value.get("path"), str) else []
        return own + [path for inner in value.values() for path in collected(inner)]
    return [path for inner in value for path in collected(inner)] if isinstance(value, list) else []


def assert_kept_secret(page, text, secret):
    data = secret.read_bytes()
    for line in text.splitlines():
        message = json.loads(line[5:]) if line.startswith("data:") else {}
        for path in collected(message.get("output", {})):
            status, answer = page.ask("GET", f"/gradio_api/file={urllib.parse.quote(path)}")
            if status == 200:
                shown = np.asarray(Image.open(io.BytesIO(answer)).convert("RGB")).astype(int)
                assert not (np.abs(shown - SECRET).max(axis=2) < 3).any()
    assert not [path for path in page.folder.rglob("*") if path.is_file() and path.read_bytes() == data]


def usual(page, inputs):
    photo = page.upload(encode(picture()))
    return [
        {"photo": photo, "type": "Color", "color": "#0f766e", "threshold": 0.5, "reverse": False}[name]
        for name in inputs
    ]


@pytest.mark.parametrize("element", ["photo", "type", "color", "threshold", "reverse"])
def test_no_input_of_any_event_is_taken_for_a_file(page, secret, element):
    function, inputs = page.event(element)
    data = usual(page, inputs)
    works = page.call(function, data)
    assert '"success":true' in works
    for place in range(len(inputs)):
        for value in hostile(secret):
            assert_kept_secret(page, page.call(function, [*data[:place], value, *data[place + 1 :]]), secret)


def test_the_hostile_image_of_a_color_is_told(page, secret):
    function, inputs = page.event("color")
    data = usual(page, inputs)
    data[inputs.index("color")] = str(secret)
    said = page.call(function, data)
    assert '"success":false' in said and "A color is #rrggbb" in said


def test_every_function_with_a_path_in_every_place(page, secret):
    for event in page.config["dependencies"]:
        for value in hostile(secret):
            assert_kept_secret(page, page.call(event["id"], [value] * len(event["inputs"])), secret)


def test_a_link_in_the_pages_folder_leads_nowhere(page, secret):
    upload = page.upload(encode(picture(seed=1)))
    link = Path(upload["path"]).parent / "link.png"
    link.symlink_to(secret)
    function, _ = page.event("photo")
    assert '"success":false' in page.call(function, [{**upload, "path": str(link)}])
    assert page.ask("GET", f"/gradio_api/file={link}")[0] == 404
    link.unlink()


def test_an_address_instead_of_a_file_is_not_fetched(page):
    with socket.create_server(("127.0.0.1", 0)) as elsewhere:
        elsewhere.settimeout(0.3)
        address = f"http://127.0.0.1:{elsewhere.getsockname()[1]}/a.png"
        file = {"path": address, "url": address, "meta": {"_type": "gradio.FileData"}}
        function, inputs = page.event("color")
        for data in ([file], [file] * len(inputs), [*usual(page, inputs)[:-1], file]):
            page.call(page.event("photo")[0], data)
            page.call(function, data)
        assert page.ask("GET", f"/gradio_api/file={address}")[0] == 404
        assert page.ask("GET", f"/gradio_api/proxy={address}")[0] == 404
        with pytest.raises(TimeoutError):
            elsewhere.accept()


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "../../../../etc/passwd",
        "%2Fetc%2Fpasswd",
        "pyproject.toml",
        "file:///etc/passwd",
        "~/.bashrc",
        "",
        "%00",
    ],
)
def test_a_file_outside_the_pages_folder_is_not_served(page, path):
    status, text = page.ask("GET", f"/gradio_api/file={path}")
    assert status == 404 and b"root:" not in text


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/gradio_api/file/etc/passwd"),
        ("GET", "/gradio_api/custom_component/0/server/component/x.py"),
        ("GET", "/gradio_api/stream/a/b/c/playlist.m3u8"),
        ("GET", "/gradio_api/dev/reload"),
        ("GET", "/gradio_api/deep_link?session_hash=a"),
        ("GET", "/gradio_api/vibe-code"),
        ("GET", "/monitoring"),
        ("GET", "/svelte/../../../../etc/passwd"),
        ("GET", "/openapi.json"),
        ("GET", "/docs"),
        ("GET", "/login_check"),
        ("POST", "/gradio_api/component_server"),
        ("POST", "/gradio_api/process_recording"),
        ("POST", "/gradio_api/run/predict"),
        ("POST", "/gradio_api/call/on_photo"),
        ("POST", "/gradio_api/api/predict"),
        ("POST", "/gradio_api/vibe-edit"),
        ("POST", "/login"),
        ("POST", "/api/remove"),
        ("GET", "/api/health"),
        ("GET", "/editors"),
        ("PUT", "/gradio_api/upload"),
    ],
)
def test_what_the_page_does_not_use_is_not_there(page, method, path):
    status, text = page.ask(method, path, "{}" if method != "GET" else None)
    assert status == 404 and "nothing here" in json.loads(text)["error"]


@pytest.mark.parametrize("path", ["/assets/../../../../../../etc/passwd", "/static/%2e%2e/%2e%2e/%2e%2e/etc/passwd"])
def test_no_static_path_leads_out(page, path):
    status, text = page.ask("GET", path)
    assert status in (403, 404) and b"root:" not in text


@pytest.mark.parametrize(("host", "status"), [("evil.example", 421), ("[::1].evil.com", 421), ("LOCALHOST:1", 200)])
def test_the_page_answers_only_to_names_of_its_machine(page, host, status):
    for path in ("/", "/gradio_api/info", "/editor/"):
        assert page.ask("GET", path, host=host)[0] == status


def test_large_bodies_are_refused_and_answered(page):
    for path, size, kind in [
        ("/gradio_api/upload", 3_000_000, TYPE),
        ("/gradio_api/queue/join", 100_000, "application/json"),
    ]:
        status, text = page.ask("POST", path, form(bytes(size)) if kind == TYPE else b"[" * size, kind)
        assert status in (413, 422), (path, text)
    assert page.ask("POST", "/editor/images", form(bytes(3_000_000)), TYPE)[0] == 413
    assert page.ask("POST", "/editor/images/a/map", b"[" * 3_000_000)[0] == 413
    assert page.ask("GET", "/config")[0] == 200


def test_an_upload_is_never_shown_as_a_page(page):
    script = page.upload(b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>")["path"]
    connection = http.client.HTTPConnection("127.0.0.1", page.port, timeout=30)
    connection.request("GET", f"/gradio_api/file={script}")
    headers = dict(connection.getresponse().getheaders())
    assert "sandbox" in headers["content-security-policy"] and headers["x-content-type-options"] == "nosniff"


def test_an_image_that_decodes_for_ever_is_told(page):
    buffer = io.BytesIO()
    Image.new("L", (900, 900), 128).save(buffer, "JPEG", progressive=True)
    data = buffer.getvalue()
    begin = data.rfind(b"\xff\xda")
    bomb = page.upload(data[:begin] + data[begin:-2] * 200 + b"\xff\xd9")
    assert "64 scans" in page.call(page.event("photo")[0], [bomb])
