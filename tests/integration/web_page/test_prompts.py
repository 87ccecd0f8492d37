"""Strokes, boxes and masks do in the browser what `InteractiveImage` does with them."""

import base64
import json

import numpy as np
import pytest

from inspyrenet import Remover
from inspyrenet.editor.fields import prompt_of_json
from inspyrenet.interactive.prompt import Prompt, PromptError, Stroke
from tests.integration.web_page.static_host import PRELUDE, cut_out, in_script, painted, picture_of, png

pytestmark = pytest.mark.system
HEIGHT, WIDTH = 300, 420
REMOVE = Stroke(((150, 130), (210, 150), (262, 171)), keep=False, width=17)
KEEP = Stroke(((31, 40), (70, 62)), width=22)
THIN = Stroke(((300.5, 20.5),), width=5)
MASK = np.zeros((60, 90), np.uint8)
MASK[12:40, 9:50] = 255
PROMPTS = {
    "no prompt": Prompt(),
    "remove": Prompt(strokes=(REMOVE,)),
    "keep, then remove": Prompt(strokes=(KEEP, REMOVE)),
    "more strokes than go in turn": Prompt(
        strokes=tuple(Stroke(((40 * x + 20, 33),), x % 2 == 0, 13) for x in range(9))
    ),
    "a thin click": Prompt(strokes=(THIN,)),
    "from side to side": Prompt(strokes=(Stroke(((-15, 118.5), (WIDTH + 20, 123)), keep=False),)),
    "through a box": Prompt(boxes=((101.5, 60, 190, 150),), strokes=(Stroke(((20, 30), (WIDTH - 5, HEIGHT - 9))),)),
    "no width": Prompt(strokes=(Stroke(((44, 52), (91, 47))),)),
    "a box": Prompt(boxes=((101.5, 60, 190, 150),)),
    "a box beside the object": Prompt(boxes=((7, 9, 60, 50),)),
    "a box and a stroke": Prompt(boxes=((20, 20, 260, 200),), strokes=(REMOVE,)),
    "a mask": Prompt(MASK),
    "a mask of labels": Prompt(MASK // 255),
    "a mask and a stroke": Prompt(MASK, strokes=(KEEP,)),
}
DARK, HALF = ({"width": 2, "height": 1, "gray": base64.b64encode(gray).decode()} for gray in (b"\x7f\x00", b"\xff\x00"))
REFUSED = [
    {"strokes": [{"points": []}]},
    {"strokes": [{"points": [[5, 5]], "width": -0.5}]},
    {"strokes": [{"points": [[5, 5]] * 10_001}]},
    {"strokes": [{"points": [[-9, 5.25]]}]},
    {"strokes": [{"points": [[9, 300]], "keep": False}]},
    {"strokes": [{"points": [[-9, 5], [5, -9.5]]}]},
    {"boxes": [[40, 40, 50, 50]], "strokes": [{"points": [[20, 60], [60, 20]]}]},
    {"boxes": [[0, 0, 50, 50]], "strokes": [{"points": [[90, 90]]}]},
    {"boxes": [[0, 0, 50, 0]]},
    {"boxes": [[420, 10, 50, 50]]},
    {"boxes": [[-10, 5, 10.5, 20]]},
    {"mask": DARK},
    {"mask": DARK, "strokes": [{"points": [[5, 5]], "keep": False}]},
    {"mask": HALF, "boxes": [[211, 0, 50, 50]]},
    {"mask": {**HALF, "width": 3}},
]


@pytest.fixture(scope="module")
def image():
    return painted(4, HEIGHT, WIDTH)


@pytest.fixture(scope="module")
def interactive(image):
    return Remover(device="cpu").interactive(image)


@pytest.fixture(scope="module")
def opened(browser, image):
    """The browser with the image open as `one`."""
    browser.evaluate(
        f"""(async () => {{ {PRELUDE} const {{ BrowserNetwork }} = await import("./index.js");
        window.one = new BrowserNetwork();
        await one.open(new Blob([{in_script(png(image))}])); }})()"""
    )
    return browser


def words(prompt: Prompt) -> str:
    """An expression for the prompt."""
    strokes = [
        {"points": one.points, "keep": one.keep, **({"width": one.width} if one.width else {})}
        for one in prompt.strokes
    ]
    said = json.dumps({"boxes": prompt.boxes, "strokes": strokes})
    if prompt.mask is None:
        return said
    height, width = prompt.mask.shape
    return f"{{...{said}, mask: {{width: {width}, height: {height}, gray: {in_script(prompt.mask)}}}}}"


@pytest.mark.parametrize("name", PROMPTS)
def test_maps_with_prompts_are_those_of_python(opened, interactive, name):
    script = f"await one.ask({words(PROMPTS[name])}); const blob = await one.result('map');"
    found = picture_of(opened, script)[..., 0].astype(int)
    expected, own = interactive.saliency(PROMPTS[name]), interactive.saliency(Prompt())
    assert np.abs(found - expected).max() <= 2
    assert name == "no prompt" or np.abs(expected.astype(int) - own).max() > 50


@pytest.mark.parametrize("said", REFUSED)
def test_prompts_that_cannot_be_are_told_as_in_python(opened, said):
    with pytest.raises(PromptError) as told:
        prompt_of_json(json.dumps(said).encode()).check((HEIGHT, WIDTH))
    script = f"""(async () => {{ {PRELUDE} const said = {json.dumps(said)};
        if (said.mask) said.mask.gray = bytesOf(said.mask.gray);
        return one.ask(said).then(() => "", error => error.message); }})()"""
    assert opened.evaluate(script) == str(told.value)


def test_an_image_is_drawn_on_after_another_was_opened(opened, image, interactive):
    """Features are kept of the newest image only."""
    cut_out(opened, painted(2, 90, 60))
    found = picture_of(opened, f"await one.ask({words(PROMPTS['remove'])}); const blob = await one.result('map');")
    assert np.abs(found[..., 0].astype(int) - interactive.saliency(PROMPTS["remove"])).max() <= 2
