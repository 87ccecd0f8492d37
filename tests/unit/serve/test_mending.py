"""Mending over HTTP: its part of the query, what is refused, and the box in the answer."""

import io

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from inspyrenet import Mending
from inspyrenet.data.images.encode import encode
from inspyrenet.serve.app import create_app
from inspyrenet.serve.codec import Codec
from inspyrenet.serve.settings import Limits
from tests.bright_network import bright_remover, painted

LIMITS = Limits(pixels=20_000, seconds=20)
BOXES = (5, 10, 30, 30), (50, 20, 20, 20)


@pytest.fixture(scope="module")
def client():
    codec = Codec(LIMITS.pixels, LIMITS.decoding, LIMITS.seconds, workers=1)
    try:
        with TestClient(create_app({"bright": bright_remover()}, LIMITS, codec=codec)) as client:
            yield client
    finally:
        codec.close()


def post(client, image=None, **query):
    image = painted(*BOXES) if image is None else image
    return client.post("/api/remove", params=query, files={"file": ("photo.png", encode(image))})


def array(answer):
    assert answer.status_code == 200, answer.text
    return np.asarray(Image.open(io.BytesIO(answer.content)))


def test_the_answer_says_where_the_object_is(client):
    assert post(client).headers["bbox"] == "5,10,65,30"
    assert post(client, object="largest", crop="3", type="white").headers["bbox"] == "5,10,30,30"
    assert "bbox" not in post(client, painted()).headers


def test_a_request_is_mended_as_elsewhere(client):
    query = {"object": "largest", "crop": "10%", "size": "64x64", "anchor": "bottom", "shadow": "true", "feather": "2"}
    words = {**query, "shadow": True, "feather": 2.0}
    expected = bright_remover().process(painted(*BOXES), "red", mending=Mending(**words))
    assert np.array_equal(array(post(client, type="red", **query)), expected)
    assert np.argwhere(array(post(client, type="map", clean="true", grow="2"))).min(0).tolist() == [8, 3]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"grow": "nan"}, "grow is a number of pixels from 0 to 100"),
        ({"grow": "much"}, "grow: input should be a valid number"),
        ({"object": "all"}, "object is largest on a server"),
        ({"object": "3"}, "object is largest on a server"),
        ({"size": "150x150"}, "size has more pixels than an image may have on this server, 0.02 million"),
        ({"size": "9"}, "size is width x height"),
        ({"anchor": "top"}, "it needs size"),
        ({"crop": "x"}, "the margin of crop is"),
        ({"crop": "1", "reverse": "true"}, "reverse takes the object away"),
        ({"shadow": "true", "type": "debug"}, "type debug shows what the network says"),
        ({"grow": ["1", "2"]}, "the parameter grow is given twice"),
    ],
)
def test_what_cannot_be_is_refused(client, query, said):
    answer = post(client, **query)
    assert answer.status_code == 422 and said in answer.json()["error"]


def test_nothing_to_crop_to_is_told(client):
    answer = post(client, painted(), crop="5")
    assert answer.status_code == 422 and "nothing was found in this image" in answer.json()["error"]
