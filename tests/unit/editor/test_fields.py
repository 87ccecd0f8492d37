"""Prompts out of forms and JSON: what is understood, and what is told of what is not."""

import base64
import json
import re
from pathlib import Path

import numpy as np
import pytest

from inspyrenet.editor.fields import FIELDS, JSON_SCHEMA, MASK_SIDE, MOST, prompt_of_form, prompt_of_json
from inspyrenet.interactive.prompt import Prompt, PromptError, Stroke


def said(prompt: Prompt):
    return prompt.boxes, prompt.strokes, prompt.base


def test_a_form_says_it_in_the_words_of_the_command_line():
    mask = np.full((2, 3), 255, np.uint8)
    fields = {"boxes": "1,2,3,4 5,6,7.5,8", "keep": "1,2", "remove": "3,4 5,6,7,8", "base": "model"}
    prompt = prompt_of_form(fields, mask)
    strokes = (Stroke(((1, 2),)), Stroke(((3, 4),), False), Stroke(((5, 6), (7, 8)), False))
    assert said(prompt) == (((1, 2, 3, 4), (5, 6, 7.5, 8)), strokes, "model")
    assert prompt.mask is mask


def test_a_form_without_a_prompt_has_none():
    assert prompt_of_form({}, None) is None and prompt_of_form({"keep": " "}, None) is None


def test_json_says_the_same():
    mask = {"width": 3, "height": 2, "gray": base64.b64encode(bytes([0, 1, 2, 253, 254, 255])).decode()}
    stroke = {"points": [[1, 2], [3.5, 4]], "keep": False, "width": 9}
    words = {"boxes": [[1, 2, 3, 4]], "strokes": [stroke], "mask": mask, "base": "model"}
    prompt = prompt_of_json(json.dumps(words).encode())
    assert said(prompt) == (((1, 2, 3, 4),), (Stroke(((1, 2), (3.5, 4)), False, 9),), "model")
    assert prompt.mask.tolist() == [[0, 1, 2], [253, 254, 255]]
    assert prompt_of_json(b"{}").is_empty


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"keep": "1"}, "keep takes pairs x,y, not 1 numbers: '1'"),
        ({"keep": "1;2"}, "keep takes x,y or x,y,x,y,… with spaces between several, not '1;2'"),
        ({"remove": "nan,2"}, "not nan,2"),
        ({"boxes": "1,2,3"}, "boxes takes x,y,width,height, not 3 numbers: '1,2,3'"),
        ({"boxes": "1,2,0,5"}, "a width and a height above 0"),
        ({"boxes": "1,2,3,inf"}, "not 1,2,3,inf"),
        ({"base": "mine"}, "base is auto, model, prompt, not 'mine'"),
        ({"base": "prompt"}, "it is empty"),
        ({"keep": "1,2 " * (MOST + 1)}, "2,001 boxes and points are too many for one request: 2,000 at most"),
    ],
)
def test_a_wrong_field_is_told(fields, message):
    with pytest.raises(PromptError) as error:
        prompt_of_form(fields, None)
    assert message in str(error.value)


LONG = "1" + "0" * 400


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "invalid json"),
        ("[" * 10_000, "invalid json"),
        ("[]", "input should be an object"),
        ('{"stroke": []}', "stroke: extra inputs are not permitted"),
        ('{"strokes": [{"points": []}]}', "a stroke has at least one point"),
        ('{"strokes": [{"points": [[1]]}]}', "strokes.0.points.0.1: field required"),
        ('{"strokes": [{"points": [["1", 2]]}]}', "strokes.0.points.0.0: input should be a valid number"),
        ('{"strokes": [{"points": [[NaN, 2]]}]}', "not nan,2"),
        ('{"strokes": [{"points": [[' + LONG + ", 2]]}]}", "not inf,2"),
        ('{"strokes": [{"points": [[1, 2]], "width": 0}]}', "a number of pixels above 0"),
        ('{"strokes": [{"points": [[1, 2]], "keep": 1}]}', "strokes.0.keep: input should be a valid boolean"),
        ('{"boxes": [[1, 2, 3, -4]]}', "a width and a height above 0"),
        ('{"mask": {"width": 2, "height": 2, "gray": "AAAA"}}', "a mask of 2×2 has 4 bytes, not 3"),
        ('{"mask": {"width": 1, "height": 3, "gray": "A-AA"}}', "mask.gray"),
        (f'{{"mask": {{"width": {MASK_SIDE + 1}, "height": 1, "gray": ""}}}}', "mask.width: input should be less"),
        (json.dumps({"boxes": [[1, 2, 3, 4]] * (MOST + 1)}), "2,001 boxes and points are too many"),
    ],
)
def test_wrong_json_is_told(text, message):
    with pytest.raises(PromptError) as error:
        prompt_of_json(text.encode())
    assert message in str(error.value)


def test_the_schema_stands_alone():
    assert "$ref" not in json.dumps(JSON_SCHEMA) and "$defs" not in JSON_SCHEMA
    assert JSON_SCHEMA["properties"]["strokes"]["items"]["properties"]["points"]["description"].startswith("x, y")


def test_the_requests_of_the_docs_are_understood():
    text = (Path(__file__).parents[3] / "docs" / "server.md").read_text(encoding="utf-8")
    requests = [line for line in text.splitlines() if line.startswith("curl -F file=@photo.jpg -F")]
    assert len(requests) == 2
    for line in requests:
        fields = dict(re.findall(r"-F '(\w+)=([^']+)'", line))
        assert fields and set(fields) <= set(FIELDS) and prompt_of_form(fields, None) is not None
    (json_,) = re.findall(r"-d '(.+)'", text)
    assert len(prompt_of_json(json_.encode()).strokes) == 1
