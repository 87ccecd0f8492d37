"""The door before gradio: which files are the page's own, and how long a body may be."""

import asyncio

import pytest

from inspyrenet.demo import guard
from inspyrenet.demo.guard import Guard, bytes_in, own_file
from inspyrenet.serve.codec import Refused


def test_own_files_are_files_in_the_folder_itself(tmp_path):
    folder = tmp_path / "page"
    (folder / "a").mkdir(parents=True)
    inside, outside = folder / "a" / "b.png", tmp_path / "page.png"
    for path in (inside, outside):
        path.write_bytes(b"12345")
    (folder / "link.png").symlink_to(outside)
    (folder / "circle").symlink_to(folder / "circle")
    assert own_file(folder, str(inside)) == inside and bytes_in(folder) == 10  # the link's file is read through it
    for name in ("link.png", "circle", "a", "..", "../page.png", "none"):
        assert own_file(folder, str(folder / name)) is None
    for name in ("", "\0", "/etc/passwd", "b.png", f"file://{inside}", "x" * 5000):
        assert own_file(folder, name) is None


def test_a_full_folder_takes_nothing_more(tmp_path, monkeypatch):
    (tmp_path / "a.png").write_bytes(b"12345")
    monkeypatch.setattr(guard, "FOLDER_BYTES", 4)
    with pytest.raises(Refused, match="folder is full"):
        guard.check_room(tmp_path)
    assert ask(tmp_path, "POST", "/gradio_api/upload", [b"1"])[0] == 503
    monkeypatch.setattr(guard, "FOLDER_BYTES", 5)
    guard.check_room(tmp_path)


def ask(folder, method, path, parts):
    """(status, bytes that reached the application) of a request in parts."""
    sent, seen = [], []

    async def app(scope, receive, send):
        more = True
        while more:
            message = await receive()
            seen.append(message["body"])
            more = message["more_body"]
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    messages = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    messages[-1]["more_body"] = False

    async def receive():
        return messages.pop(0)

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": method, "path": path, "headers": [], "query_string": b"a=b"}
    asyncio.run(Guard(app, folder, 100_000)(scope, receive, send))
    return sent[0]["status"], b"".join(seen)


@pytest.mark.parametrize(
    ("path", "sizes", "status"),
    [
        ("/gradio_api/upload", [100_000, 10_000], 200),
        ("/gradio_api/upload", [100_000, 20_000, 1], 413),
        ("/gradio_api/queue/join", [60_000], 200),
        ("/gradio_api/queue/join", [60_000, 10_000], 413),
        ("/gradio_api/component_server", [1], 404),
    ],
)
def test_bodies_are_counted_as_they_come(tmp_path, path, sizes, status):
    assert ask(tmp_path, "POST", path, [bytes(size) for size in sizes])[0] == status


def test_a_full_folder_takes_no_uploads(tmp_path, monkeypatch):
    (tmp_path / "upload.png").write_bytes(bytes(100))
    monkeypatch.setattr(guard, "FOLDER_BYTES", 99)
    assert ask(tmp_path, "POST", "/gradio_api/upload", [b"x"]) == (503, b"")
    assert ask(tmp_path, "POST", "/gradio_api/queue/join", [b"x"]) == (200, b"x")
