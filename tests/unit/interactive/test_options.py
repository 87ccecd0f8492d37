"""Prompts as words of a command line."""

import argparse

import numpy as np
import pytest
from PIL import Image

from inspyrenet.data.images.read import ImageError
from inspyrenet.interactive.mask_image import read_mask
from inspyrenet.interactive.options import add_prompt_options, prompt_from
from inspyrenet.interactive.prompt import PromptError


def parsed(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(exit_on_error=False)
    add_prompt_options(parser)
    return parser.parse_args(words)


def test_words_become_a_prompt(tmp_path):
    Image.fromarray(np.eye(4, dtype=np.uint8)).save(tmp_path / "mask.png")
    prompt = prompt_from(
        parsed(
            "--mask",
            str(tmp_path / "mask.png"),
            "--box",
            "1,2,3,4",
            "--box=0,0,9,9.5",
            "--keep",
            "1,2,3,4",
            "--remove",
            "5,6",
        )
    )
    assert prompt is not None and prompt.probability is not None
    assert prompt.probability.tolist() == np.eye(4).tolist()  # of labels 0 and 1
    assert prompt.boxes == ((1, 2, 3, 4), (0, 0, 9, 9.5)) and prompt.base == "auto"
    assert [(stroke.points, stroke.keep) for stroke in prompt.strokes] == [(((1, 2), (3, 4)), True), (((5, 6),), False)]


def test_what_is_transparent_in_a_mask_is_no_object(tmp_path):
    pixels = np.full((2, 3, 4), 255, np.uint8)
    pixels[:, 0, 3] = 0
    Image.fromarray(pixels).save(tmp_path / "cutout.png")
    prompt = prompt_from(parsed("--mask", str(tmp_path / "cutout.png")))
    assert prompt is not None and prompt.probability is not None and prompt.probability.tolist() == [[0, 1, 1]] * 2


INSIDE = np.tile(np.uint8([0, 128, 255]), (2, 1))
BLACK, WHITE = np.zeros((2, 3, 3), np.uint8), np.full((2, 3, 3), 255, np.uint8)
RED = np.dstack([WHITE[..., 0], BLACK[..., :2]])


@pytest.mark.parametrize(
    ("picture", "expected"),
    [
        (INSIDE, [0, 128, 255]),
        (INSIDE.astype(np.uint16) * 257, [0, 128, 255]),  # 16 bits
        (np.dstack([INSIDE] * 3), [0, 128, 255]),
        (np.dstack([INSIDE] * 3 + [WHITE[..., 0]]), [0, 128, 255]),
        (np.dstack([WHITE, INSIDE]), [0, 128, 255]),
        (np.dstack([RED, INSIDE]), [0, 128, 255]),  # a cut-out
        (np.dstack([RED // 10, INSIDE]), [0, 128, 255]),
        (np.dstack([BLACK, INSIDE]), [0, 128, 255]),
        (np.dstack([RED, WHITE[..., 0]]), [255, 255, 255]),  # a picture without transparency: its brightest channel
        (np.dstack([INSIDE, WHITE[..., 0]]), [0, 128, 255]),  # gray and alpha
        (INSIDE // 255, [0, 0, 1]),
        (np.dstack([INSIDE // 255] * 3 + [INSIDE]), [0, 0, 255]),  # labels of 0 and 1, transparent to the left
    ],
)
def test_masks_of_every_coding(tmp_path, picture, expected):
    Image.fromarray(picture).save(tmp_path / "mask.png")
    assert read_mask(tmp_path / "mask.png").tolist() == [expected] * 2


def test_a_cut_out_of_a_gray_photograph_is_known_by_its_shades(tmp_path):
    gray = np.tile(np.arange(20, 220, 2, dtype=np.uint8), (40, 1))
    alpha = np.zeros_like(gray)
    alpha[5:35, 10:60] = 255
    Image.fromarray(np.dstack([gray, alpha])).save(tmp_path / "photo.out.png")
    assert np.array_equal(read_mask(tmp_path / "photo.out.png"), alpha)
    drawn = np.where(gray > 100, 255, 0).astype(np.uint8)  # a mask that covers a part of the image
    Image.fromarray(np.dstack([drawn, alpha])).save(tmp_path / "drawn.png")
    assert np.array_equal(read_mask(tmp_path / "drawn.png"), np.minimum(drawn, alpha))


def test_no_words_are_no_prompt():
    assert prompt_from(parsed()) is None and prompt_from(argparse.Namespace()) is None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--box", "1,2,3"), "4 numbers are wanted, not 3"),
        (("--keep", "1,2,3"), "x,y pairs are wanted"),
        (("--remove", "one,two"), "numbers with commas"),
        (("--keep", ""), "numbers with commas"),
        (("--keep", "[3,4]"), "numbers with commas"),
        (("--box", "1,2,3,4,5"), "4 numbers are wanted, not 5"),
    ],
)
def test_what_is_no_position_is_told(words, said):
    with pytest.raises(argparse.ArgumentError, match=said):
        parsed(*words)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--keep", "nan,2"), "in pixels, none beyond 1,000,000, not nan,2"),
        (("--remove", "1,2,1e300,4"), r"not 1e\+300,4"),
        (("--box", "1,2,0,4"), "a width and a height above 0"),
        (("--box", "1,2,3,-4"), "a width and a height above 0"),
        (("--keep", "1,2" + ",1,2" * 10_000), "10,001 points of a stroke are too many"),
    ],
)
def test_what_is_no_prompt_is_told(words, said):
    with pytest.raises(PromptError, match=said):
        prompt_from(parsed(*words))


def test_digits_of_every_script_are_numbers():
    prompt = prompt_from(parsed("--keep", "１２,٣"))
    assert prompt is not None and prompt.strokes[0].points == ((12, 3),)


@pytest.mark.parametrize("data", [None, b"", b"text", b"\x89PNG\r\n\x1a\n"])
def test_a_mask_that_is_no_image_is_told(tmp_path, data):
    if data is not None:
        (tmp_path / "mask.png").write_bytes(data)
    with pytest.raises(ImageError, match=r"mask\.png: "):
        prompt_from(parsed("--mask", str(tmp_path / "mask.png")))


def test_an_empty_prompt_cannot_stand_alone():
    with pytest.raises(PromptError, match="empty"):
        prompt_from(parsed("--prompt-only"))
