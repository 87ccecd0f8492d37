"""POST /api/remove with a prompt, around a stand-in for the network."""

import io
import threading
import time

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from inspyrenet.data.images.encode import encode
from inspyrenet.interactive.prompt import Prompt
from inspyrenet.remover.image_types import Result
from inspyrenet.serve import app
from inspyrenet.serve.app import create_app
from inspyrenet.serve.codec import Codec
from inspyrenet.serve.settings import Limits

PNG = encode(np.full((20, 40, 3), 90, np.uint8))
MASK = encode(np.eye(3, dtype=np.uint8))
LIMITS = Limits(bytes=100_000, pixels=10_000, seconds=20)


class StandIn:
    """Says what it was asked; waits for `go` where that is cleared."""

    def __init__(self):
        self.go = threading.Event()
        self.go.set()
        self.asked = []

    def cut(self, image, style, threshold, reverse, keep_metadata, prompt):
        return self.answers(prompt, [image])[0]

    def process_batch(self, images, style, threshold, reverse, batch_size, keep_metadata):
        return self.answers(None, images)

    def answers(self, prompt, images):
        self.asked.append((prompt, len(images)))
        assert self.go.wait(60)
        return [Result(image.array) for image in images]


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
    with TestClient(create_app({"only": network}, LIMITS, codec=codec), raise_server_exceptions=False) as client:
        yield client


def post(client, mask=None, **fields):
    files = {"file": ("photo.png", PNG)} | ({"mask": ("mask.png", mask)} if mask is not None else {})
    return client.post("/api/remove?type=map", files=files, data=fields)


def test_a_prompt_reaches_the_network(client, network):
    assert post(client, MASK, boxes="1,2,30,10", keep="5,5", remove="7,7 8,8,9,9").status_code == 200
    ((prompt, _),) = network.asked
    assert prompt.boxes == ((1, 2, 30, 10),) and prompt.replaces
    assert [(stroke.points, stroke.keep) for stroke in prompt.strokes] == [
        (((5, 5),), True),
        (((7, 7),), False),
        (((8, 8), (9, 9)), False),
    ]
    assert prompt.probability.tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]  # of labels 0 and 1


@pytest.mark.parametrize(
    "mask",
    [
        np.eye(3, dtype=np.uint16) * 65535,
        np.dstack([np.full((3, 3, 3), 255, np.uint8), np.eye(3, dtype=np.uint8) * 255]),  # in its alpha channel
        np.dstack([np.full((3, 3), 200, np.uint8), *np.zeros((2, 3, 3), np.uint8), np.eye(3, dtype=np.uint8) * 255]),
    ],
)
def test_masks_of_other_codings_are_understood(client, network, mask):
    file = io.BytesIO()
    Image.fromarray(mask).save(file, "PNG")
    assert post(client, file.getvalue()).status_code == 200
    assert network.asked[0][0].probability.tolist() == np.eye(3).tolist()


def test_a_prompt_that_says_nothing_is_none(client, network):
    assert post(client, keep="").status_code == 200 and network.asked == [(None, 1)]


@pytest.mark.parametrize(
    ("mask", "fields", "status", "message"),
    [
        (None, {"keep": "41,5"}, 422, "keep at 41,5 lies outside the image, which has 40×20 pixels"),
        (None, {"boxes": "0,0,5,5", "keep": "30,5"}, 422, "lies outside the boxes"),
        (None, {"boxes": "0,0,0,5"}, 422, "a width and a height above 0"),
        (None, {"keep": "nan,5"}, 422, "not nan,5"),
        (None, {"keep": "-1,5"}, 422, "keep at -1,5 lies outside the image"),
        (None, {"keep": "1,1,1e300,5"}, 422, "none beyond 1,000,000, not 1e+300,5"),
        (None, {"boxes": "5,5,-3,4"}, 422, "a width and a height above 0, not 5,5,-3,4"),
        (None, {"boxes": "[5,5,3,4]"}, 422, "boxes takes x,y,width,height with spaces between several"),
        (MASK, {"boxes": "30,0,9,5"}, 422, "the mask marks nothing within the boxes"),
        (None, {"keep": "1,1 " * 3000}, 422, "3,000 boxes and points are too many"),
        (None, {"keep": "1,1 " * 6000}, 400, "exceeded maximum size"),
        (None, {"base": "prompt", "remove": "1,1"}, 422, "there is nothing to keep"),
        (encode(np.zeros((5, 5), np.uint8)), {}, 422, "the mask marks nothing"),
        (b"no image", {}, 415, "not an image"),
        (b"", {}, 422, "0 bytes"),
        (encode(np.zeros((200, 100), np.uint8)), {}, 413, "more than the limit of 0.01 million"),
        (None, {"strokes": "1,1"}, 422, "beside the file there is strokes"),
    ],
)
def test_what_cannot_be_is_told(client, network, mask, fields, status, message):
    answer = post(client, mask, **fields)
    assert answer.status_code == status and message in answer.json()["error"], answer.text
    assert network.asked == []
    assert post(client).status_code == 200


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ({"keep": ("keep.txt", b"1,1")}, "the part keep is text, not a file"),
        ({"mask": (None, "mask.png")}, "the part called mask has no file name: curl -F mask=@"),
    ],
)
def test_a_part_of_the_wrong_kind_is_told(client, part, message):
    answer = client.post("/api/remove", files={"file": ("a.png", PNG), **part})
    assert answer.status_code == 422 and message in answer.json()["error"]


def test_a_prompt_goes_through_the_network_alone(client, network):
    network.go.clear()
    batcher = client.app.state.service.batcher
    threads = [threading.Thread(target=post, args=(client,), kwargs=fields) for fields in ({}, {}, {"keep": "1,1"}, {})]
    for place, thread in enumerate(threads):
        thread.start()
        end = time.monotonic() + 30
        while batcher.waiting != place or not network.asked:
            assert time.monotonic() < end
            time.sleep(0.005)
    network.go.set()
    for thread in threads:
        thread.join()
    assert [(prompt is not None, count) for prompt, count in network.asked] == [(False, 1), (False, 2), (True, 1)]


def test_what_grows_with_a_request_is_done_in_its_room_and_beside_the_event_loop(client, network, monkeypatch):
    service, loop, done = client.app.state.service, client.portal.call(threading.current_thread), []

    def noting(work):
        def noted(*arguments):
            done.append((work.__name__, threading.current_thread() is loop, service._pixels._left < LIMITS.pixels))
            return work(*arguments)

        return noted

    def bbox(result):
        return 1, 2, 3, 4

    monkeypatch.setattr(app, "gray_of", noting(app.gray_of))
    monkeypatch.setattr(app, "prompt_of_form", noting(app.prompt_of_form))
    monkeypatch.setattr(Prompt, "check", noting(Prompt.check))
    monkeypatch.setattr(Result, "bbox", property(noting(bbox)))
    assert post(client, MASK, boxes="1,2,30,10").headers["bbox"] == "1,2,3,4"
    assert done == [(name, False, True) for name in ("gray_of", "prompt_of_form", "check", "bbox")]


def test_the_description_names_the_parts(client):
    body = client.get("/openapi.json").json()["paths"]["/api/remove"]["post"]["requestBody"]["content"]
    parts = body["multipart/form-data"]["schema"]["properties"]
    assert list(parts) == ["file", "mask", "boxes", "keep", "remove", "base"]


def test_the_picture_has_the_size_of_the_image(client):
    assert Image.open(io.BytesIO(post(client, MASK).content)).size == (40, 20)
