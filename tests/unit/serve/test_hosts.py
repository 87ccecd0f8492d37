"""Host headers, read as they are meant: only names of this machine are names of this machine."""

import asyncio

import pytest

from inspyrenet.serve.hosts import LOOPBACK, HostCheck, names_for, parse_host

OWN = ["localhost", "LOCALHOST", "LocalHost:7000", "localhost.", "127.0.0.1", "127.0.0.1:7000", "127.9.9.9", "[::1]"]
OWN += ["[::1]:7000", "[0:0:0:0:0:0:0:1]:7000", "localhost:", " localhost:7000 ", "printer.local"]
OTHERS = [
    "",
    ":7000",
    "evil.example",
    "localhost.evil.example",
    "[::1].evil.com",
    "[::1].evil.com:7000",
    "[::1]x",
    "::1",
]
OTHERS += [
    "[::1",
    "[]",
    "[::1]:7000:80",
    "user@localhost",
    "localhost@evil.example",
    "localhost:port",
    "localhost:70000",
]
OTHERS += [
    "localhost/",
    "localhost#a",
    "localhost evil",
    "localhost,evil",
    "127.0.0.1.evil.example",
    "127.0.0.1:80@evil",
]
OTHERS += ["localhost..", ".", "2130706433", "0.0.0.0", "[::]", "[::2]", "192.168.0.1", "localhöst", "[fe80::1%25lo]"]


def status_of(hosts, names=LOOPBACK | {"printer.local"}):
    """What HostCheck lets a request with these Host headers through to: 200, or 421."""
    sent = []

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200})

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "headers": [(b"host", host.encode("latin-1")) for host in hosts]}
    asyncio.run(HostCheck(app, names)(scope, None, send))
    return sent[0]["status"]


@pytest.mark.parametrize("host", OWN)
def test_names_of_this_machine(host):
    assert status_of([host]) == 200


@pytest.mark.parametrize("host", OTHERS)
def test_other_names_are_refused(host):
    assert status_of([host]) == 421


def test_one_host_header_is_one():
    assert status_of([]) == status_of(["localhost", "evil.example"]) == status_of(["localhost", "localhost"]) == 421


def test_a_server_that_everyone_can_reach_answers_to_any_name():
    assert names_for("0.0.0.0", "0.0.0.0") is None and status_of(["any.example"], None) == 200
    assert names_for("MyHost", "127.0.1.1") == LOOPBACK | {"myhost"}


def test_what_is_left_of_a_host():
    assert parse_host("[0:0::1]:80") == "::1" and parse_host("A.b.:80") == "a.b" and parse_host("a:b") is None
