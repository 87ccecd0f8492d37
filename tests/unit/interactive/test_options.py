"""Prompts as words of a command line."""

import argparse

import numpy as np
import pytest
from PIL import Image

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


def test_no_words_are_no_prompt():
    assert prompt_from(parsed()) is None and prompt_from(argparse.Namespace()) is None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--box", "1,2,3"), "4 numbers are wanted, not 3"),
        (("--keep", "1,2,3"), "x,y pairs are wanted"),
        (("--remove", "one,two"), "numbers with commas"),
        (("--keep", ""), "numbers with commas"),
    ],
)
def test_what_is_no_position_is_told(words, said):
    with pytest.raises(argparse.ArgumentError, match=said):
        parsed(*words)


def test_an_empty_prompt_cannot_stand_alone():
    with pytest.raises(PromptError, match="empty"):
        prompt_from(parsed("--prompt-only"))
