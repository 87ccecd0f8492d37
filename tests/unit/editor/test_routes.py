"""Requests to draw on an image, around a stand-in for the network; and the page's files."""

import base64
import io
import re
import threading
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from inspyrenet.data.images.encode import encode
from inspyrenet.editor import drawing, page
from inspyrenet.editor.drawing import shown_shape
from inspyrenet.editor.routes import add_editor
from inspyrenet.editor.sessions import Bounds
from inspyrenet.networks.network import NetworkMaps
from inspyrenet.remover.image_types import Result
from inspyrenet.serve.app import create_app
from inspyrenet.serve.codec import Codec
from inspyrenet.serve.settings import Limits

PNG = encode(np.full((20, 40, 3), 90, np.uint8))
LIMITS = Limits(bytes=100_000, pixels=10_000, requests=2, seconds=5)
STROKE = {"strokes": [{"points": [[30, 5]]}]}


class StandIn:
    """The left half is object; with a prompt, everything is. Waits for `go` where that is cleared."""

    def __init__(self, parts=True):
        self.network = SimpleNamespace(parts=parts or None)
        self.go = threading.Event()
        self.go.set()

    def describe(self):
        return "stand-in"

    def interactive(self, image):
        shape = image.array.shape[:2]

        def maps(prompt):
            prompt.check(shape)
            assert self.go.wait(60)
            probability = np.zeros((1, 1, *shape), np.float32)
            probability[..., : 20 if prompt.is_empty else 40] = 1
            return NetworkMaps(probability)

        def saliency(prompt):
            return np.repeat(np.uint8([255, 255 if maps(prompt).probability.all() else 0]), 20)[None].repeat(20, 0)

        return SimpleNamespace(shape=shape, nbytes=1000, maps=maps, saliency=saliency)

    def compose(self, image, saliency, style, threshold, reverse, keep_metadata):
        return Result(saliency if style.kind == "map" else np.dstack([image.array, saliency]))


@pytest.fixture(scope="module")
def codec():
    codec = Codec(LIMITS.pixels, LIMITS.decoding, LIMITS.seconds, workers=1)
    yield codec
    codec.close()


@pytest.fixture
def network():
    return StandIn()


@pytest.fixture
def client(network, codec):
    app = create_app({"first": network, "flat": StandIn(parts=False)}, LIMITS, codec=codec)
    app.state.drawing = add_editor(app, Bounds(images=2))
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def image(client):
    """The path of an image that is open."""
    return f"/editor/images/{opened(client).json()['id']}"


def opened(client, data=PNG, **query):
    return client.post("/editor/images", params=query, files={"file": ("photo.png", data)})


def told(answer, status):
    assert answer.status_code == status, answer.text
    assert set(answer.json()) == {"error"}
    return answer.json()["error"]


def pixels(data):
    return np.asarray(Image.open(io.BytesIO(data)))


def test_an_image_is_opened_asked_and_taken(client):
    said = opened(client).json()
    assert (said["width"], said["height"]) == (40, 20)
    own = pixels(base64.b64decode(said["map"]))
    assert own.shape == (20, 40) and own[:, :10].min() == 255 and own[:, 30:].max() == 0
    path = f"/editor/images/{said['id']}"
    answer = client.post(f"{path}/map", json=STROKE)
    assert answer.headers["content-type"] == "image/png" and pixels(answer.content).min() == 255
    assert re.fullmatch(r"wait;dur=[\d.]+, prompt;dur=[\d.]+, work;dur=[\d.]+, encode;dur=[\d.]+",
                        answer.headers["server-timing"])  # fmt: skip
    answer = client.post(f"{path}/result?format=webp", json={})
    assert answer.headers["content-type"] == "image/webp" and pixels(answer.content)[10, [5, 35], 3].tolist() == [
        255,
        0,
    ]
    assert pixels(client.post(f"{path}/result?type=map", json=STROKE).content).min() == 255


def test_a_map_is_as_small_as_it_is_shown(client, image):
    assert pixels(client.post(f"{image}/map?size=10", json={}).content).shape == (5, 10)
    assert shown_shape((1000, 2000), (320, 320), 1024) == (320, 640)  # no finer than what the network found
    assert shown_shape((1000, 2000), (1280, 2560), 1024) == (512, 1024) and shown_shape((9, 1), (9, 9), 3) == (3, 1)
    assert "size: input should be" in told(client.post(f"{image}/map?size=0", json={}), 422)


@pytest.mark.parametrize(
    ("path", "words", "status", "message"),
    [
        ("map", {"strokes": [{"points": [[50, 5]]}]}, 422, "keep at 50,5 lies outside the image, which has 40×20"),
        ("map", {"boxes": [[50, 50, 9, 9]]}, 422, "lies outside the image"),
        ("map", {"boxes": [[0, 0, 9, 9]], "strokes": [{"points": [[30, 5]]}]}, 422, "lies outside the boxes"),
        ("map", {"mask": {"width": 1, "height": 1, "gray": "AA=="}}, 422, "the mask marks nothing"),
        ("map", {"mask": {"width": 2, "height": 1, "gray": "/wA="}, "boxes": [[30, 0, 5, 9]]}, 422, "within the boxes"),
        ("map", {"mask": {"width": 0, "height": 1, "gray": ""}}, 422, "mask.width: input should be greater"),
        ("map", {"mask": [[0, 1]]}, 422, "mask: input should be an object"),
        ("map", {"boxes": [[5, 5, 0, 9]]}, 422, "a width and a height above 0, not 5,5,0,9"),
        ("map", {"boxes": [5, 5, 9, 9]}, 422, "boxes.0: input should be a valid"),
        ("map", {"strokes": [{"points": [[5, 5], [1e300, 5]]}]}, 422, "none beyond 1,000,000, not 1e+300,5"),
        ("map", {"strokes": [{"points": [[-1, -1]]}]}, 422, "keep at -1,-1 lies outside the image"),
        ("map", {"strokes": [{"points": [["1", "5"]]}]}, 422, "strokes.0.points.0.0: input should be a valid number"),
        ("map", {"base": "prompt"}, 422, "it is empty"),
        ("map", {"base": "prompt", "strokes": [{"points": [[1, 1]], "keep": False}]}, 422, "nothing to keep"),
        ("map", {"strokes": [{"points": [[1, 1]] * 3000}]}, 422, "3,000 boxes and points are too many"),
        ("map", {"strokes": "x" * 3_000_000}, 413, "JSON is 2 MB at most"),
        ("map?sise=4", {}, 422, "no parameter 'sise'; there is size"),
        ("result", {"strokes": [{"points": [[50, 5]]}]}, 422, "lies outside the image"),
        ("result?type=rgb", {}, 422, "type is map, rgba"),
        ("result?format=jpg", {}, 422, "no transparency"),
        ("result?object=all", {}, 422, "object is largest on a server"),
        ("result?type=debug", {}, 422, "no picture of the network's levels"),
    ],
)
def test_what_cannot_be_is_told(client, image, path, words, status, message):
    assert message in told(client.post(f"{image}/{path}", json=words), status)
    assert client.post(f"{image}/map", json=STROKE).status_code == 200


def test_json_is_said_to_be_json(client, image):
    """So that a page of another site cannot send it."""
    assert "Content-Type: application/json" in told(client.post(f"{image}/map", content=b"{}"), 415)


@pytest.mark.parametrize(
    ("data", "query", "status", "message"),
    [
        (b"no image", {}, 415, "not an image"),
        (encode(np.zeros((200, 100, 3), np.uint8)), {}, 413, "more than the limit of 0.01 million"),
        (PNG, {"mode": "third"}, 422, "mode is first or flat"),
        (PNG, {"mode": "flat"}, 422, "flat has no coarse map to draw on; POST /api/remove takes a mask and boxes"),
        (PNG + bytes(300_000), {}, 413, "larger than the limit of 0.1 MB"),
    ],
)
def test_what_cannot_be_opened_is_told(client, data, query, status, message):
    assert message in told(opened(client, data, **query), status)
    assert len(client.app.state.drawing.sessions) == 0


def test_an_image_is_forgotten(client, image):
    assert client.delete(image).status_code == client.delete(image).status_code == 204
    assert "open it again" in told(client.post(f"{image}/map", json={}), 410)


def test_too_many_images_are_sent_away(client):
    assert [opened(client).status_code for _ in range(2)] == [200, 200]
    refused = opened(client)
    assert "2 images are being drawn on" in told(refused, 503) and int(refused.headers["retry-after"]) >= 1


def test_the_servers_limits_hold(client, image, network):
    """Two requests are under way, which is the limit; and what takes too long is told."""
    network.go.clear()
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(client.post(f"{image}/map", json={}))) for _ in range(2)]
    for thread in threads:
        thread.start()
    while client.app.state.service.under_way < 2:
        threading.Event().wait(0.005)
    assert "2 requests are under way" in told(client.post(f"{image}/map", json={}), 503)
    network.go.set()
    for thread in threads:
        thread.join()
    assert [answer.status_code for answer in answers] == [200, 200]


def test_no_image_outlives_the_server(codec):
    app = create_app({"first": StandIn()}, LIMITS, codec=codec)
    drawing = add_editor(app)
    with TestClient(app) as client:
        opened(client)
        assert len(drawing.sessions) == 1
    assert len(drawing.sessions) == 0


# -- the page -----------------------------------------------------------------------------------------------------


def test_the_page_loads_its_own_files_alone(client):
    answer = client.get("/editor/")
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'self'; script-src 'self'; ") and "unsafe" not in policy
    named = {"page.html", *re.findall(r'(?:href|src)="([\w.]+)"', answer.text)}
    assert "{{" not in answer.text
    for name in (one for one in page.NAMES if one.endswith(".js")):
        named |= set(re.findall(r'from "\./([\w.]+)"', client.get(f"/editor/{name}").text))
    assert named == set(page.NAMES)
    for name in page.NAMES[1:]:
        answer = client.get(f"/editor/{name}")
        assert answer.headers["content-type"].partition(";")[0] == page.MEDIA[name.rpartition(".")[2]]
        assert answer.headers["x-content-type-options"] == "nosniff" and "://" not in answer.text


def test_the_address_without_a_slash_leads_there(client):
    answer = client.get("/editor", follow_redirects=False)
    assert answer.status_code == 308 and answer.headers["location"] == "editor/"


def test_the_description_has_the_requests(client):
    paths = client.get("/openapi.json").json()["paths"]
    assert {"/editor/images", "/editor/images/{id}/map", "/editor/images/{id}/result", "/editor/images/{id}"} <= set(
        paths
    )
    body = paths["/editor/images/{id}/map"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert set(body["properties"]) == {"boxes", "strokes", "mask", "base"}


def test_what_grows_with_a_request_is_done_beside_the_event_loop(client, monkeypatch):
    loop, done = client.portal.call(threading.current_thread), []

    def noting(work):
        def noted(*arguments, **words):
            done.append((work.__name__, threading.current_thread() is loop))
            return work(*arguments, **words)

        return noted

    monkeypatch.setattr(drawing, "prompt_of_json", noting(drawing.prompt_of_json))
    monkeypatch.setattr(drawing, "JSONResponse", noting(drawing.JSONResponse))
    image = f"/editor/images/{opened(client).json()['id']}"
    for name in ("map", "result"):
        assert client.post(f"{image}/{name}", json=STROKE).status_code == 200
    assert done == [("JSONResponse", False), ("prompt_of_json", False), ("prompt_of_json", False)]
