"""The HTTP API around a stand-in for the network: what is refused, with which code, and how requests are batched."""

import asyncio
import io
import struct
import threading
import time
import zlib
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from inspyrenet import cli
from inspyrenet.data.images.encode import encode
from inspyrenet.remover.image_types import Result
from inspyrenet.remover.remover import RemoverError
from inspyrenet.serve.app import create_app
from inspyrenet.serve.codec import Call, Codec
from inspyrenet.serve.settings import Limits, build_parser, read_limits

PICTURE = np.full((20, 30, 3), 90, np.uint8)
PNG = encode(PICTURE)
LIMITS = Limits(bytes=100_000, pixels=10_000, requests=4, seconds=5, batch=3)


class StandIn:
    """Returns images as they are; waits for `go` where that is cleared; fails on images whose first value is 13."""

    def __init__(self):
        self.go = threading.Event()
        self.go.set()
        self.batches: list[list[int]] = []
        self.error: Exception = RemoverError("not enough memory for this image")
        self.quality: float | None = None

    def describe(self):
        return "stand-in on cpu"

    def process_batch(self, images, type, threshold, reverse, batch_size, keep_metadata):
        images = [image.array for image in images]
        self.batches.append([int(image.flat[0]) for image in images])
        assert self.go.wait(60)
        if any(image.flat[0] == 13 for image in images):
            raise self.error
        arrays = [np.dstack([image, image[..., 0]]) if type.kind == "rgba" else image for image in images]
        return [Result(array, quality=self.quality) for array in arrays]


@pytest.fixture
def network():
    return StandIn()


@pytest.fixture(scope="module")
def codec():
    codec = Codec(LIMITS.pixels, LIMITS.decoding, LIMITS.seconds, workers=2)
    yield codec
    codec.close()


@pytest.fixture
def client(network, codec):
    app = create_app({"small": network, "large": network}, LIMITS, codec=codec)
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


def post(client, data=PNG, name="photo.png", **query):
    return client.post("/api/remove", params=query, files={"file": (name, data)})


def told(answer, status):
    """The message of a refused request."""
    assert answer.status_code == status, answer.text
    assert set(answer.json()) == {"error"}
    return answer.json()["error"]


def png_header(width, height):
    """A PNG that says how large it is, and holds next to nothing."""
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + struct.pack(">I", 13)
        + body
        + struct.pack(">I", zlib.crc32(body))
        + struct.pack(">I", 9)
        + b"IDAT"
    )


# -- what works ---------------------------------------------------------------------------------------------------


def test_an_image_comes_back_cut_out(client):
    answer = post(client)
    assert answer.status_code == 200 and answer.headers["content-type"] == "image/png"
    assert np.asarray(Image.open(io.BytesIO(answer.content))).shape == (20, 30, 4)
    assert "work;dur=" in answer.headers["server-timing"]


def test_the_quality_is_told_where_there_is_an_estimate(client, network):
    assert not [name for name in post(client).headers if name.startswith("cutout-")]
    network.quality = 0.9136
    headers = post(client).headers
    assert headers["cutout-quality"] == "0.914" and headers["cutout-verdict"] == "likely good"


@pytest.mark.parametrize(("format", "kind"), [("jpg", "JPEG"), ("webp", "WEBP"), ("tif", "TIFF"), ("BMP", "BMP")])
def test_formats(client, format, kind):
    answer = post(client, type="white", format=format)
    assert Image.open(io.BytesIO(answer.content)).format == kind
    assert answer.headers["content-type"] == f"image/{kind.lower()}"


def test_health_counts_what_was_done(client, network):
    for _ in range(2):
        post(client, mode="large")
    health = client.get("/api/health").json()
    assert health["status"] == "ok" and health["images"] == 2 and health["under_way"] == health["waiting"] == 0
    assert list(health["modes"]) == ["small", "large"] and health["limits"]["bytes"] == 100_000


def test_the_description_is_complete_and_loads_nothing_from_elsewhere(client):
    spec = client.get("/openapi.json").json()["paths"]["/api/remove"]["post"]
    names = {parameter["name"] for parameter in spec["parameters"]}
    mending = {"clean", "object", "grow", "shrink", "feather", "crop", "size", "anchor", "shadow"}
    assert names == {"type", "mode", "format", "threshold", "reverse", "keep_metadata", *mending}
    assert {"200", "408", "413", "415", "422", "503", "504"} <= set(spec["responses"])
    assert "multipart/form-data" in spec["requestBody"]["content"]
    for path in ("/docs", "/"):
        page = client.get(path)
        assert "//" not in page.text.replace("location.origin}//", "").replace("<!doctype", "")
        assert "default-src 'none'" in page.headers["content-security-policy"]


# -- what is refused ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"type": "rgb"}, "type is map, rgba"),
        ({"type": "[1,2]"}, "three whole numbers"),
        ({"type": "#ff000080"}, "a background color is opaque"),
        ({"type": "[1,2,300]"}, "0..255"),
        ({"type": "/etc/hostname"}, "or a color"),
        ({"type": "../../back.png"}, "or a color"),
        ({"type": "https://host/a.png"}, "or a color"),
        ({"mode": "/etc/hostname"}, "mode is small or large"),
        ({"format": "gif"}, "format is png, jpg"),
        ({"format": "jpg"}, "no transparency"),
        ({"threshold": "7"}, "threshold: input should be less"),
        ({"threshold": "nan"}, "threshold"),
        ({"threshold": "x"}, "threshold: input should be a valid number"),
    ],
)
def test_a_wrong_query_says_what_there_is(client, network, query, message):
    assert message in told(post(client, **query), 422)
    assert network.batches == []


def test_no_file_of_the_server_is_opened_for_a_type(client, network, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("back.png", "1,2,3,4", "..,"):
        Image.fromarray(PICTURE).save(tmp_path / name, "PNG")
        told(post(client, type=name), 422)
        told(post(client, type=str(tmp_path / name)), 422)


@pytest.mark.parametrize(
    ("data", "status", "message"),
    [
        (b"", 422, "0 bytes"),
        (b"no image at all", 415, "not an image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", 415, "not an image"),
        (PNG[:60], 422, "damaged"),
        (encode(PICTURE, "jpg")[:-200], 422, "damaged"),
        (png_header(20_000, 20_000), 413, "many more pixels than the limit of 0.01 million"),
        (png_header(200, 100), 413, "more than the limit of 0.01"),
        (PNG + bytes(200_000), 413, "larger than the limit of 0.1 MB"),
    ],
)
def test_a_bad_upload_is_told(client, network, data, status, message):
    assert message in told(post(client, data), status)
    assert post(client).status_code == 200  # and the next is served


def test_bytes_are_counted_where_no_length_is_said(client):
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    sent = []

    def body():
        yield head
        for number in range(200):
            sent.append(number)
            yield bytes(10_000)

    answer = client.post("/api/remove", content=body(), headers={"content-type": "multipart/form-data; boundary=x"})
    assert "larger than the limit" in told(answer, 413)


@pytest.mark.parametrize(
    ("request_", "status", "message"),
    [
        ({"json": {"url": "http://host/a.png"}}, 415, "curl -F file="),
        ({"files": {"image": ("a.png", PNG)}}, 422, "no part called file (there is image)"),
        ({"files": {"url": (None, "http://host/a.png")}}, 422, "addresses are not fetched"),
        ({"files": {"file": (None, "photo.png")}}, 422, "with the @"),
        (
            {"files": {"file": ("a.png", PNG)}, "data": {"type": "white"}},
            422,
            "beside the file there is type; options are",
        ),
        (
            {"files": {"file": ("a.png", PNG)}, "params": {"tpye": "white"}},
            422,
            "no parameter 'tpye'; there is type, mode",
        ),
        ({"files": {"file": ("a.png", PNG)}, "params": {"type": ["map", "white"]}}, 422, "type is given twice"),
        ({"files": [("file", ("a.png", PNG)), ("file", ("b.png", PNG))]}, 422, "the part file is given twice"),
        ({"files": [("mask", ("a.png", PNG))] * 3}, 400, "many files"),
        ({"content": b"x", "headers": {"content-type": "multipart/form-data"}}, 400, "boundary"),
        ({"content": b"xyz", "headers": {"content-type": "multipart/form-data; boundary=b"}}, 400, "nvalid multipart"),
        (
            {"content": b"--b\r\n", "headers": {"content-type": "multipart/form-data; boundary=b"}},
            422,
            "send the image, whole",
        ),
    ],
)
def test_a_wrong_form_is_told(client, request_, status, message):
    assert message in told(client.post("/api/remove", **request_), status)


@pytest.mark.parametrize("path", ["/../../etc/passwd", "/static/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/etc"])
def test_no_path_leads_to_a_file(client, path):
    assert "/docs shows" in told(client.get(path), 404)


def test_a_method_that_there_is_not(client):
    assert "does not take GET" in told(client.get("/api/remove?url=http://host/a.png"), 405)


def test_only_names_of_this_machine_are_answered():
    app = create_app({"small": StandIn()}, LIMITS, frozenset({"localhost", "127.0.0.1", "::1"}))
    for host, status in [("localhost:7000", 200), ("[::1]:7000", 200), ("evil.example", 421), ("", 421)]:
        assert TestClient(app).get("/api/health", headers={"host": host}).status_code == status
    app.state.service.close()


def test_no_other_web_page_may_read_answers(client):
    answer = client.get("/api/health", headers={"origin": "http://other.example"})
    assert not [name for name in answer.headers if name.startswith("access-control")]


# -- load ---------------------------------------------------------------------------------------------------------


def at_once(client, network, calls):
    """Answers of requests of which the first is in the network when the others come, and these wait until all are there."""
    results = [None] * len(calls)
    threads = [
        threading.Thread(target=lambda place=place, call=call: results.__setitem__(place, call()))
        for place, call in enumerate(calls)
    ]
    begun = len(network.batches)
    network.go.clear()
    threads[0].start()
    until(lambda: len(network.batches) > begun)
    for thread in threads[1:]:
        thread.start()
    yield until(lambda: client.app.state.service.batcher.waiting == len(calls) - 1)
    network.go.set()
    for thread in threads:
        thread.join()
    yield results


def until(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_what_waits_goes_through_together_and_each_gets_its_own(client, network):
    calls = [lambda place=place: post(client, encode(PICTURE + place), type="white") for place in range(4)]
    *_, results = at_once(client, network, calls)
    assert [len(batch) for batch in network.batches] == [1, 3]
    for place, answer in enumerate(results):
        assert np.asarray(Image.open(io.BytesIO(answer.content)))[0, 0, 0] == 90 + place


def test_different_wishes_do_not_share_a_batch(client, network):
    calls = [lambda type=type: post(client, type=type) for type in ("white", "rgba", "white", "rgba")]
    *_, results = at_once(client, network, calls)
    assert [answer.status_code for answer in results] == [200] * 4 and sorted(map(len, network.batches)) == [1, 1, 2]


def test_too_many_are_sent_away_with_a_time_to_come_back(client, network):
    steps = at_once(client, network, [lambda: post(client)] * 4)
    next(steps)
    refused = post(client)
    assert "4 requests are under way" in told(refused, 503) and int(refused.headers["retry-after"]) >= 1
    results = next(steps)
    assert [answer.status_code for answer in results] == [200] * 4 and post(client).status_code == 200


def test_an_upload_that_takes_too_long_is_ended(network):
    app, sent = create_app({"small": network}, Limits(seconds=0.1)), []

    async def receive():
        await asyncio.sleep(0.03)
        return {"type": "http.request", "body": b"", "more_body": True}

    async def send(message):
        sent.append(message)

    headers = [(b"content-type", b"multipart/form-data; boundary=b")]
    scope = {"type": "http", "method": "POST", "path": "/api/remove", "query_string": b"", "headers": headers}
    asyncio.run(app(scope, receive, send))
    assert sent[0]["status"] == 408 and b"took longer than 0.1 s" in sent[1]["body"]
    app.state.service.close()


def test_no_result_in_time(network, codec):
    with TestClient(create_app({"small": network}, Limits(seconds=1), codec=codec)) as client:
        network.go.clear()
        first = post(client)
        assert "no result within 1 s" in told(first, 504) and "retry-after" in first.headers
        told(post(client), 504)  # its turn never came
        assert client.app.state.service.batcher.waiting == 0
        network.go.set()
        until(lambda: client.app.state.service.batcher.batches == 1)
        assert post(client).status_code == 200 and len(network.batches) == 2


def slow_image(scans=200, side=90):
    """A progressive JPEG whose last scan comes again and again."""
    buffer = io.BytesIO()
    Image.new("L", (side, side), 128).save(buffer, "JPEG", progressive=True)
    data = buffer.getvalue()
    start = data.rfind(b"\xff\xda")
    return data[:start] + data[start:-2] * scans + b"\xff\xd9"


def test_an_image_that_asks_for_too_much_work_is_told(client, network):
    assert "more than 64 scans" in told(post(client, slow_image()), 422)
    assert network.batches == []


def test_small_images_are_answered_while_large_ones_are_computed(client, network):
    """More than a quarter of the limit on pixels is large: two at a time, in a thread of their own."""
    gate = network.go
    gate.clear()
    large = encode(np.full((60, 60, 3), 77, np.uint8))
    threads = [threading.Thread(target=post, args=(client, large)) for _ in range(3)]
    threads[0].start()
    until(lambda: client.app.state.service.large.computing > 0)
    for thread in threads[1:]:
        thread.start()
    until(lambda: client.app.state.service.large.waiting == 1)  # one is computed, one waits, one is not decoded
    assert client.get("/api/health").json()["status"] == "busy"
    network.go = threading.Event()
    network.go.set()
    assert post(client, type="white").status_code == 200
    assert network.batches == [[77], [90]]
    assert client.app.state.service.large.computing > 0
    gate.set()
    for thread in threads:
        thread.join()


def test_what_is_decoded_for_a_client_that_has_gone_is_stopped(codec):
    """The body's end is a disconnect: the process that decodes is ended, and the place is free."""
    app = create_app({"small": StandIn()}, Limits(seconds=20), codec=codec)
    service, call, sent = app.state.service, Call(), []
    service.codec = SimpleNamespace(measure=lambda file: call, waiting=0, broken="")
    body = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nx\r\n--b--\r\n'
    messages = [{"type": "http.request", "body": body, "more_body": False}, {"type": "http.disconnect"}]

    async def receive():
        return messages.pop(0) if messages else await asyncio.Event().wait()

    async def send(message):
        sent.append(message)

    headers = [(b"content-type", b"multipart/form-data; boundary=b")]
    scope = {"type": "http", "method": "POST", "path": "/api/remove", "query_string": b"", "headers": headers}
    asyncio.run(app(scope, receive, send))
    assert call.stopped and service.under_way == 0 and sent[0]["status"] == 499
    service.close()


def test_health_is_honest(client, network, monkeypatch):
    service = client.app.state.service
    for thread in (service.batcher, service.large):
        monkeypatch.setattr(type(thread), "computing", property(lambda self, slow=thread: 5.5 if self is slow else 0.0))
        health = client.get("/api/health")
        assert health.status_code == 503 and health.json()["status"] == "broken"
        assert "for 6 s" in health.json()["reason"]
        monkeypatch.undo()
    monkeypatch.setattr(service, "under_way", 4)
    health = client.get("/api/health")
    assert health.status_code == 200 and health.json()["status"] == "busy" and "the limit" in health.json()["reason"]
    monkeypatch.undo()
    monkeypatch.setattr(service.codec, "broken", "no process")
    assert client.get("/api/health").json()["reason"] == "no process"
    monkeypatch.undo()
    assert client.get("/api/health").json()["status"] == "ok"
    service.close()
    assert client.get("/api/health").json()["status"] == "broken"


def test_one_image_that_fails_does_not_take_the_others_with_it(client, network):
    bad = encode(np.full((20, 30, 3), 13, np.uint8))
    *_, results = at_once(client, network, [lambda data=data: post(client, data) for data in (PNG, PNG, bad, PNG)])
    assert "not enough memory" in told(results.pop(2), 503)
    assert [answer.status_code for answer in results] == [200] * 3


def test_a_bug_is_not_shown_but_answered(client, network):
    network.error = KeyError("secret")
    assert "secret" not in told(post(client, encode(np.full((20, 30, 3), 13, np.uint8))), 500)
    assert post(client).status_code == 200


# -- the command line ---------------------------------------------------------------------------------------------


def test_limits_of_the_command_line():
    parser = build_parser()
    options = parser.parse_args(["--max-mb", "1.5", "--max-megapixels", "2", "--queue", "9", "--timeout", "3"])
    assert read_limits(parser, options) == Limits(1_500_000, 2_000_000, 9, 3.0, 8)
    assert read_limits(parser, parser.parse_args([])) == Limits() and parser.parse_args([]).host == "127.0.0.1"


@pytest.mark.parametrize("words", [["--queue", "0"], ["--port", "70000"], ["-m", "a", "-m", "b", "--ckpt", "c"], ["x"]])
def test_a_wrong_command_line_is_told(words):
    with pytest.raises(SystemExit) as caught:
        cli.main(["s", *words])
    assert caught.value.code == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--host", "203.0.113.9"], "cannot listen on 203.0.113.9 port 7000"),
        (["--port", "0", "--ckpt", "no/such.pth"], "no such weights: no/such.pth"),
        (["--port", "0", "-m", "fsat"], "did you mean fast?"),
    ],
)
def test_what_cannot_start_says_so_in_one_line(words, message, capsys):
    assert cli.main(["s", *words]) == 1
    error = capsys.readouterr().err
    assert message in error and "Traceback" not in error
