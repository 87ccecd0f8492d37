"""Clients that say too little, too slowly or nonsense, over real sockets, with short deadlines."""

import contextlib
import json
import socket
import threading
import time

import pytest
import uvicorn

from inspyrenet.serve.connections import GuardedProtocol
from inspyrenet.serve.draining import Drained

PAGE = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
SEND = "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
LARGE = 30_000_000


class Short(GuardedProtocol):
    head_seconds, body_seconds, tick_seconds = 0.5, 0.7, 0.3
    most_connections = 50


class Patient(GuardedProtocol):
    head_seconds, most_connections = 300.0, 400


async def app(scope, receive, send):
    """/large answers with 30 MB, /refuse with 422 before it has read anything, all else reads the body first."""
    if scope["type"] == "lifespan":
        return
    status, body = 200, b"x" * LARGE if scope["path"] == "/large" else b"fine"
    if scope["path"] == "/refuse":
        status = 422
    else:
        while (message := await receive()).get("more_body") and message["type"] == "http.request":
            pass
        if message["type"] == "http.disconnect":
            return
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


@contextlib.contextmanager
def serving(protocol):
    """The port of a server in a thread."""
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listener:
        config = uvicorn.Config(Drained(app), http=protocol, lifespan="off", log_level="critical")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join(20)


@pytest.fixture(scope="module")
def port():
    with serving(Short) as port:
        yield port


def connect(port, words=b""):
    client = socket.create_connection(("127.0.0.1", port), timeout=20)
    client.sendall(words)
    return client


def read_all(client):
    """Everything until the server ends the connection."""
    data = b""
    with contextlib.suppress(ConnectionResetError):
        while part := client.recv(2**20):
            data += part
    return data


def wait_for_page(client):
    data = b""
    while not data.endswith(b"fine"):
        part = client.recv(1000)
        assert part, data
        data += part


def told(data, status):
    head, _, body = data.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status), data[:200]
    return json.loads(body)["error"]


@pytest.mark.parametrize("words", [b"G", PAGE[:-2], PAGE[:-2] + b"X: " + b"y" * 1000], ids=["letter", "end", "field"])
def test_half_a_head_is_told_that_it_took_too_long(port, words):
    with connect(port, words) as client:
        assert "head took longer than 0.5 s" in told(read_all(client), 408)


def test_a_head_that_comes_a_byte_at_a_time_has_the_same_deadline(port):
    with connect(port) as client, contextlib.suppress(BrokenPipeError, ConnectionResetError):
        for byte in PAGE * 20:
            client.sendall(bytes([byte]))
            time.sleep(0.02)
        raise AssertionError("the server took a head of 14 seconds")


def test_a_client_that_says_nothing_is_left(port):
    with connect(port) as client:
        assert read_all(client) == b""


def test_the_next_head_on_a_connection_has_a_deadline_too(port):
    with connect(port, PAGE) as client:
        wait_for_page(client)
        client.sendall(PAGE[:20])
        assert "head took longer" in told(read_all(client), 408)


def test_a_body_that_does_not_come_is_told(port):
    with connect(port, (SEND % ("/", 100)).encode() + b"abc") as client:
        assert "body took longer than 0.7 s" in told(read_all(client), 408)


def test_an_answer_that_nobody_reads_is_let_go(port):
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(20)
        client.connect(("127.0.0.1", port))
        client.sendall(PAGE.replace(b"/ ", b"/large ", 1))
        until_cut(client)


def until_cut(client):
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            client.sendall(b"x")  # fails once the other side is gone
        except OSError:
            return
        time.sleep(0.05)
    raise AssertionError("the server still waits for its answer to be read")


def test_an_answer_that_is_read_slowly_but_steadily_arrives(port):
    with connect(port, PAGE.replace(b"/ ", b"/large ", 1)) as client:
        count = 0
        while count < LARGE:
            part = client.recv(2**20)
            assert part
            count += len(part)
            time.sleep(0.02)


@pytest.mark.parametrize("words", [b"nonsense\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01"])
def test_what_is_no_http_is_told_although_it_goes_on(port, words):
    with connect(port, words) as client:
        client.sendall(bytes(5_000_000))
        assert "valid HTTP" in told(read_all(client), 400)


def test_a_refusal_of_a_large_body_arrives(port):
    with connect(port, (SEND % ("/refuse", 18_000_000)).encode()) as client:
        client.sendall(bytes(18_000_000))
        answer = read_all(client)
        assert answer.startswith(b"HTTP/1.1 422") and answer.endswith(b"fine")


def test_a_refusal_asks_for_nothing_that_waits_to_be_asked(port):
    words = (SEND % ("/refuse", 18_000_000)).replace("Connection", "Expect: 100-continue\r\nConnection").encode()
    with connect(port, words) as client:
        assert read_all(client).startswith(b"HTTP/1.1 422")


def test_more_connections_than_there_may_be_push_out_those_that_waited_longest(port):
    with contextlib.ExitStack() as stack:
        half = [stack.enter_context(connect(port, PAGE[:10])) for _ in range(60)]
        with connect(port, PAGE) as client:
            wait_for_page(client)
        assert read_all(half[0]) == b""


def test_three_hundred_half_open_connections_are_survived():
    with serving(Patient) as port, contextlib.ExitStack() as stack:
        for _ in range(300):
            stack.enter_context(connect(port, PAGE[:10]))
        for _ in range(3):
            with connect(port, PAGE) as client:
                wait_for_page(client)


def test_the_deadline_of_a_head_is_ten_seconds():
    assert GuardedProtocol.head_seconds == 10 and GuardedProtocol.most_connections > 300
