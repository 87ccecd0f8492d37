"""`inspyrenet s` as a process of its own, over real sockets, with the tiny network."""

import http.client
import io
import json
import os
import re
import signal
import socket
import struct
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from inspyrenet import Remover
from inspyrenet.data.images.encode import encode
from tests.processes import finish, start
from tests.tiny_network import picture, write_tiny

torch.set_num_threads(1)
PNG = encode(picture())
TYPE = "multipart/form-data; boundary=b"


def form(data):
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'
    return head + data + b"\r\n--b--\r\n"


def run_command(words, port):
    """`inspyrenet s …` in a child."""
    from inspyrenet import cli

    code = cli.main(["s", *words, "--port", str(port)])
    if code:
        raise SystemExit(code)


def run_slowly(port, seconds):
    """A server whose network takes its time."""
    from inspyrenet.remover.image_types import Result
    from inspyrenet.serve.app import create_app
    from inspyrenet.serve.server import listen, run
    from inspyrenet.serve.settings import Limits

    class Slow:
        def describe(self):
            return "slow"

        def process_batch(self, images, *options, **more):
            time.sleep(seconds)
            return [Result(image.array) for image in images]

    run(create_app({"slow": Slow()}, Limits(batch=1)), listen("127.0.0.1", port), Limits(), "here")


class Server:
    """A child that serves, and requests to it."""

    def __init__(self, folder: Path, function, *arguments):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.errors = folder / "error.txt"
        self.process = start(function, *[self.port if a == "PORT" else a for a in arguments], errors=self.errors)
        self._wait()

    def _wait(self):
        end = time.monotonic() + 60
        while time.monotonic() < end:
            assert self.process.is_alive(), self.errors.read_text() if self.errors.exists() else "ended"
            try:
                return self.get("/api/health")
            except OSError:
                time.sleep(0.05)
        raise AssertionError("the server did not come up")

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def get(self, path):
        connection = self.connect()
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()

    def post(self, query="", data=PNG):
        connection = self.connect()
        connection.request("POST", f"/api/remove?{query}", form(data), {"Content-Type": TYPE})
        answer = connection.getresponse()
        result = answer.status, answer.read()
        connection.close()
        return result

    def health(self):
        return json.loads(self.get("/api/health")[1])

    def resident(self):
        """Megabytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return write_tiny(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def server(tmp_path_factory, files):
    config, weights = map(str, files)
    limits = ["--max-mb", "1", "--timeout", "20", "--edges", "none"]
    words = ["-m", config, "--ckpt", weights, "--device", "cpu", *limits]
    server = Server(tmp_path_factory.mktemp("server"), run_command, words, "PORT")
    yield server
    os.kill(server.process.pid, signal.SIGINT)
    assert finish(server.process) == 0


def array_of(data):
    return np.asarray(Image.open(io.BytesIO(data)))


def test_the_map_is_that_of_every_other_front_end(server, files):
    remover = Remover(files[0], "cpu", files[1], edges="none")
    for query, options in [("type=map", {"type": "map"}), ("threshold=0.5&reverse=1", {"threshold": 0.5})]:
        status, data = server.post(query)
        assert status == 200
        assert np.array_equal(array_of(data), remover.process(picture(), **options, reverse="reverse" in query))


@pytest.mark.parametrize("type", ["rgba", "green", "white", "blur", "overlay", "debug", "%23ff0000", "[1,2,3]"])
def test_every_type(server, type):
    status, data = server.post(f"type={type}&format=webp")
    assert status == 200 and array_of(data).shape[2] in (3, 4)


def test_the_requests_of_the_docs(server):
    text = (Path(__file__).parents[3] / "docs" / "server.md").read_text(encoding="utf-8")
    queries = re.findall(r"^curl -F file=@photo\.jpg '?http://127\.0\.0\.1:7000/api/remove\??([^' ]*)", text, re.M)
    assert len(queries) == 3
    for query in queries:
        assert server.post(query)[0] == 200


def test_a_hundred_clients_at_once(server):
    before = server.health()
    images = [encode(picture(seed=seed)) for seed in range(4)]
    expected = [server.post("type=map", image)[1] for image in images]
    with ThreadPoolExecutor(100) as clients:
        answers = list(clients.map(lambda place: server.post("type=map", images[place % 4]), range(100)))
    assert [status for status, _ in answers] == [200] * 100
    for place, (_, data) in enumerate(answers):  # each gets its own
        assert np.abs(array_of(data).astype(int) - array_of(expected[place % 4])).max() <= 1
    after = server.health()
    assert after["images"] - before["images"] == 104 and after["under_way"] == 0
    assert after["batches"] - before["batches"] < 80  # they went together


def test_memory_stays_flat(server):  # over 2,000 requests: benchmarks/serve.py
    def post_many(count):
        with ThreadPoolExecutor(4) as clients:
            assert {status for status, _ in clients.map(lambda _: server.post(), range(count))} == {200}

    post_many(20)
    growth = []
    for _ in range(5):  # a leak shows in every round, an allocator that still settles in one or two
        before = server.resident()
        post_many(40)
        growth.append(server.resident() - before)
        if growth[-1] < 2:
            return
    raise AssertionError(f"every 40 requests take more memory: {growth} MiB")


def test_an_upload_that_is_cut_off_leaves_nothing_behind(server):
    before = server.health()["images"]
    for end in (50, len(form(PNG)) - 30):
        with socket.create_connection(("127.0.0.1", server.port)) as client:
            head = f"POST /api/remove HTTP/1.1\r\nHost: localhost\r\nContent-Type: {TYPE}\r\n"
            client.sendall(head.encode() + f"Content-Length: {len(form(PNG))}\r\n\r\n".encode() + form(PNG)[:end])
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # cut, not closed
    settled(server)
    assert server.health()["images"] == before and server.post()[0] == 200


def test_a_client_that_goes_away_is_forgotten(server):
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", server.port)) as client:
            head = f"POST /api/remove HTTP/1.1\r\nHost: localhost\r\nContent-Type: {TYPE}\r\n"
            client.sendall(head.encode() + f"Content-Length: {len(form(PNG))}\r\n\r\n".encode() + form(PNG))
    settled(server)
    assert server.post()[0] == 200


def settled(server):
    end = time.monotonic() + 10
    while server.health()["under_way"]:
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_large_upload_is_told_while_it_is_sent(server):
    for chunked in (False, True):
        connection = server.connect()
        body = form(bytes(1_500_000))
        parts = (body[start : start + 65536] for start in range(0, len(body), 65536))
        connection.request(
            "POST", "/api/remove", parts if chunked else body, {"Content-Type": TYPE}, encode_chunked=chunked
        )
        answer = connection.getresponse()
        assert answer.status == 413 and "1 MB" in json.loads(answer.read())["error"]


@pytest.mark.parametrize(
    ("path", "kind", "status"),
    [
        ("/api/remove", "multipart/form-data; boundary=other", 413),
        ("/api/remove", "text/plain", 415),
        ("/api/remove?type=none", TYPE, 422),
        ("/api/remove?threshold=x", TYPE, 422),
        ("/nothing", TYPE, 404),
        ("/api/health", TYPE, 405),
    ],
)
def test_whatever_is_refused_is_answered_and_not_reset(server, path, kind, status):
    body = form(bytes(18_000_000))
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\nConnection: close\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as client:
        client.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    assert answer.startswith(f"HTTP/1.1 {status} ".encode()) and json.loads(answer.partition(b"\r\n\r\n")[2])["error"]


@pytest.mark.parametrize("data", [b"--c\r\n" + bytes(900_000), b"--b" + b"x" * 900_000, b"--b\r\n" * 150_000])
def test_a_malformed_form_is_answered(server, data):
    connection = server.connect()
    connection.request("POST", "/api/remove", data, {"Content-Type": TYPE, "Connection": "close"})
    answer = connection.getresponse()
    assert answer.status in (400, 422) and json.loads(answer.read())["error"]


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (40, 1), (2, 3)])
@pytest.mark.parametrize("type", ["rgba", "map", "white", "blur", "overlay", "debug"])
def test_the_smallest_images(server, type, size):
    status, data = server.post(f"type={type}", encode(np.full((*size, 3), 99, np.uint8)))
    assert status == 200 and (type == "debug" or array_of(data).shape[:2] == size)


def test_bombs_keep_nobody_waiting(server):
    """Six images that take seconds to decode, and small requests beside them."""
    buffer = io.BytesIO()
    Image.new("L", (4000, 4000), 128).save(buffer, "JPEG", progressive=True, quality=10)
    data = buffer.getvalue()
    start = data.rfind(b"\xff\xda")
    bomb = data[:start] + data[start:-2] * 50 + b"\xff\xd9"
    with ThreadPoolExecutor(6) as clients:
        answers = [clients.submit(server.post, "type=map", bomb) for _ in range(6)]
        while server.health()["under_way"] < 6:
            time.sleep(0.01)
        for _ in range(3):
            assert server.post("type=map")[0] == 200 and not answers[-1].done()
            assert server.health()["status"] in ("ok", "busy")
        assert {answer.result()[0] for answer in answers} <= {200, 422, 504}
    settled(server)


def test_a_folder_of_the_machine_is_not_served(server):
    for path in ("/../../etc/passwd", "/docs/../../etc/passwd", "//etc/passwd", "/%2e%2e%2fetc/passwd"):
        status, body = server.get(path)
        assert status == 404 and "root:" not in body.decode()


def test_a_second_server_on_the_port_says_so(server, files, capsys):
    from inspyrenet import cli

    assert cli.main(["s", "--port", str(server.port), "--ckpt", str(files[1])]) == 1
    assert f"port {server.port} (Address already in use): choose another --port" in capsys.readouterr().err


def test_sigterm_finishes_what_is_there(tmp_path):
    server = Server(tmp_path, run_slowly, "PORT", 0.1)
    with ThreadPoolExecutor(12) as clients:
        answers = [clients.submit(server.post, "type=white") for _ in range(12)]
        while server.health()["under_way"] < 12:
            time.sleep(0.01)
        os.kill(server.process.pid, signal.SIGTERM)
        assert [answer.result()[0] for answer in answers] == [200] * 12
    assert finish(server.process) == 0
    with pytest.raises(OSError):
        server.get("/api/health")
