"""Prompts are checked when they are made, and again against the image."""

import numpy as np
import pytest
from PIL import Image

from inspyrenet.interactive.prompt import Prompt, PromptError, Stroke, _crosses, _marks, probability_of, prompt_of

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (lambda: Stroke(()), "at least one point"),
        (lambda: Stroke(((1, NAN),)), "a point is x, y in pixels"),
        (lambda: Stroke(((1, 2, 3),)), "a point is x, y"),
        (lambda: Stroke((("1", 2),)), "a point is x, y"),
        (lambda: Stroke(((1, 2),), width=0), "width"),
        (lambda: Stroke(((1, 2),), width=INF), "width"),
        (lambda: Stroke(((0, 0),) * 10_001), "too many"),
        (lambda: Prompt(boxes=((0, 0, 5),)), "a box is x, y, width, height"),
        (lambda: Prompt(boxes=((0, 0, 5, 0),)), "above 0"),
        (lambda: Prompt(boxes=((0, 0, 5, -2),)), "above 0"),
        (lambda: Prompt(boxes=((0, NAN, 5, 2),)), "a box is"),
        (lambda: Prompt(base="both"), "base is auto, model, prompt"),
        (lambda: Prompt(base="prompt"), "it is empty"),
        (lambda: Prompt(np.zeros((4, 4, 3))), "one channel"),
        (lambda: Prompt(np.zeros((0, 4))), "height, width"),
        (lambda: Prompt(np.full((2, 2), NAN)), "not finite"),
        (lambda: Prompt(np.full((2, 2), 1.5)), "0..1, not 1.5"),
        (lambda: Prompt(np.zeros((2, 2), np.int32)), "int32"),
        (lambda: prompt_of(Prompt(), boxes=[(0, 0, 1, 1)]), "not both"),
        (lambda: prompt_of(points=[(1, 2, 7)]), "keep true or false"),
        (lambda: prompt_of(points=[(1,)]), "a point is"),
        (lambda: prompt_of(points=(100, 150)), r"points is a list of points, also for a single one: \[100,150\]"),
        (lambda: prompt_of(boxes=(1, 2, 3, 4)), "boxes is a list of boxes"),
        (lambda: Stroke(((10**400, 2),)), "none beyond 1,000,000, not 1000"),
        (lambda: Stroke(((1, 2), (1e300, 2))), r"none beyond 1,000,000, not 1e\+300,2"),
        (lambda: Stroke(((1j, 2),)), "not 1j,2"),
        (lambda: Stroke(((np.float64(NAN), 2),)), "not nan,2"),
        (lambda: Stroke(((1, 2),), width=1e300), "width"),
        (lambda: Prompt(boxes=((0, 0, INF, 2),)), "not 0,0,inf,2"),
        (lambda: Prompt("mask.png"), "a mask is an array or a Pillow image, not 'mask.png'"),
        (lambda: Prompt(np.ones((2, 2), np.uint16)), "not uint16: divide by its white"),
        (lambda: Prompt(np.zeros((2, 2)) - 0.5), "0..1, not -0.5"),
        (lambda: prompt_of(mask=Image.fromarray(np.full((3, 4), 9e6, np.float32))), "the mask: floating point values"),
        (lambda: prompt_of(mask=np.zeros((3, 4, 4), np.uint8)), r"not of shape \(3, 4, 4\): give one channel"),
        (lambda: prompt_of(mask=[[1, 2], [3]]), "rows that are equally long"),
        (lambda: prompt_of(mask=b"PNG"), "a mask is an array or a Pillow image, not b'PNG'"),
        (lambda: prompt_of(points=5), "points is a list of points, not 5"),
        (lambda: prompt_of(points=[None]), r"a point is \(x, y\) or \(x, y, keep\), not None"),
        (lambda: prompt_of(points=["12"]), "a point is x, y in pixels, .* not '1','2'"),
        (lambda: prompt_of(points=[(1, 2)] * 10_001), "10,001 strokes are too many"),
        (lambda: prompt_of(boxes=[None]), "a box is x, y, width, height, not None"),
        (lambda: prompt_of("keep"), "prompt is a Prompt, not 'keep'"),
    ],
)
def test_what_cannot_be_is_told(made, said):
    with pytest.raises(PromptError, match=said):
        made()


@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        (Prompt(strokes=(Stroke(((30, 5),)),)), r"keep at 30,5 lies outside the image, which has 30×20 pixels"),
        (Prompt(strokes=(Stroke(((-1, 5),), keep=False),)), "remove at -1,5 lies outside"),
        (Prompt(strokes=(Stroke(((-9, 5), (5, -9.5))),)), "keep at -9,5 lies outside"),
        (Prompt(boxes=((5, 5, 9, 9),), strokes=(Stroke(((1, 8), (8, 1), (20, 4))),)), "outside the boxes"),
        (Prompt(boxes=((30, 0, 5, 5),)), "box 30,0,5,5 lies outside"),
        (Prompt(boxes=((0, 0, 9, 9),), strokes=(Stroke(((20, 5),)),)), "outside the boxes"),
        (Prompt(boxes=((29.5, 0, 5, 5),)), "less than a pixel"),
        (Prompt(boxes=((0, 0, 0.01, 5),)), "less than a pixel"),
        (Prompt(np.zeros((3, 3))), "marks nothing"),
        (Prompt(strokes=(Stroke(((3, 5),), keep=False),), base="prompt"), "nothing to keep"),
        (Prompt(np.eye(2), boxes=((20, 0, 10, 9),)), "the mask marks nothing within the boxes"),
        (Prompt(np.eye(2), boxes=((20, 0, 10, 9), (0, 11, 14, 9)), base="model"), "nothing within the boxes"),
    ],
)
def test_what_does_not_fit_the_image_is_told(prompt, said):
    with pytest.raises(PromptError, match=said):
        prompt.check((20, 30))


def test_what_fits_passes():
    for prompt in (
        Prompt(),
        Prompt(strokes=(Stroke(((-5, 5), (3, 3))),)),  # a stroke may begin outside
        Prompt(strokes=(Stroke(((-5, 5), (40, 9))),)),  # and go through
        Prompt(boxes=((5, 5, 9, 9),), strokes=(Stroke(((9, 1), (9, 19))),)),
        Prompt(boxes=((-5, -5, 100, 100),)),
        Prompt(np.zeros((3, 3)), base="model"),
        Prompt(np.zeros((3, 3)), strokes=(Stroke(((3, 5),)),)),
        Prompt(np.eye(2), boxes=((20, 0, 10, 9), (-3, -3, 4, 4))),
        Prompt(np.eye(2), boxes=((14.5, 9, 10, 5),)),
    ):
        prompt.check((20, 30))


def test_a_line_lies_in_a_box_where_one_of_its_points_does():
    rng = np.random.default_rng(0)
    boxes = np.concatenate([rng.integers(0, 60, (40, 2)), rng.integers(1, 30, (40, 2))], 1).astype(float)
    along = np.linspace(0, 1, 5001)[:, None]
    crossing = 0
    for start, end in rng.integers(-10, 90, (60, 2, 2)):
        points = start * (1 - along) + end * along - boxes[:, None, :2]
        deep = np.minimum(points, boxes[:, None, 2:] - points).min(2).max(1)  # how deep a line goes into each box
        for box, depth in zip(boxes, deep, strict=True):
            if abs(depth) > 0.05:
                assert _crosses((tuple(start), tuple(end)), box[None]) == (depth > 0)
                crossing += depth > 0
        assert _crosses((tuple(start), tuple(end)), boxes) == (deep > 0).any() or abs(deep.max()) < 0.05
    assert crossing > 100


def test_a_mask_is_looked_at_once_however_many_boxes_there_are():
    values = np.random.default_rng(0).random((7, 11)) * 0.502
    corners = [(x, y) for x in range(-2, 29, 3) for y in range(-1, 19, 2)]
    for corner in corners:
        box = (*corner, 4.5, 2.5)
        x, y = max(0, int(box[0] * 11 / 30)), max(0, int(box[1] * 7 / 20))
        right, bottom = np.ceil((box[0] + 4.5) * 11 / 30), np.ceil((box[1] + 2.5) * 7 / 20)
        marked = bool((values[y : int(bottom), x : int(right)] >= 0.5).any())
        assert _marks(values, (box,), (20, 30)) == marked
    empty = tuple(box for box in ((x, y, 1.0, 1.0) for x, y in corners) if not _marks(values, (box,), (20, 30)))
    assert 5 < len(empty) < len(corners) and not _marks(values, empty, (20, 30))


def test_a_pillow_mask_is_read_as_its_file_would_be():
    mask = Image.new("P", (4, 3), 1)
    mask.putpalette([255, 255, 255, 0, 0, 0])  # white is 0, black is 1
    mask.putpixel((2, 1), 0)
    expected = np.zeros((3, 4))
    expected[1, 2] = 1
    for one in (mask, mask.convert("L"), mask.convert("1"), mask.convert("RGB")):
        prompt = prompt_of(mask=one)
        assert prompt is not None and prompt.probability is not None and np.array_equal(prompt.probability, expected)


def test_a_prompt_comes_from_its_parts():
    made = prompt_of(
        mask=Image.new("L", (4, 3), 255), boxes=[[1, 2, 3, 4]], points=[(5, 6), (7, 8, 0), Stroke(((1, 1),))]
    )
    assert made is not None and made.probability is not None
    assert made.probability.shape == (3, 4) and made.probability.min() == 1
    assert made.boxes == ((1, 2, 3, 4),) and [stroke.keep for stroke in made.strokes] == [True, False, True]
    assert prompt_of() is None and prompt_of(Prompt()) is None and prompt_of(made) is made


def test_a_mask_stands_in_place_of_the_map_and_strokes_on_top_of_it():
    mask, stroke = np.ones((2, 2), bool), Stroke(((0, 0),))
    assert Prompt(mask).replaces and not Prompt(mask, base="model").replaces
    assert not Prompt(strokes=(stroke,)).replaces and Prompt(strokes=(stroke,), base="prompt").replaces


def test_masks_of_labels_and_of_gray_levels():
    for values in (np.eye(3, dtype=np.uint8), np.eye(3, dtype=np.uint8) * 255, np.eye(3, dtype=bool), np.eye(3)):
        assert np.array_equal(probability_of(values), np.eye(3, dtype=np.float32))
