"""Masks of a video's first picture."""

import numpy as np
import pytest

from inspyrenet.interactive.prompt import Prompt, PromptError, Stroke
from inspyrenet.video.first_mask import check_mask, check_mask_of_file
from tests.moving import make_video


def mask(height: int, width: int, value: int = 255) -> Prompt:
    return Prompt(np.full((height, width), value, np.uint8))


def test_a_mask_as_large_as_the_pictures_is_taken(tmp_path):
    check_mask_of_file(mask(48, 64), make_video(tmp_path / "clip.mp4", 3))
    check_mask_of_file(mask(64, 48), make_video(tmp_path / "turned.mp4", 3, turn=90))


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        (
            mask(64, 48),
            "the mask has 48×64 pixels, but the pictures of clip.mp4 have 64×48: make it from the first picture",
        ),
        (mask(48, 64, 0), "the mask marks nothing"),
        (
            Prompt(strokes=(Stroke(((1, 1),)),)),
            "clip.mp4: a video takes a mask of its first picture; boxes and points belong",
        ),
        (Prompt(mask(48, 64).mask, boxes=((0, 0, 5, 5),)), "boxes and points belong to one image"),
    ],
)
def test_what_is_wrong_with_a_mask_is_told(tmp_path, prompt, words):
    with pytest.raises(PromptError, match=words):
        check_mask_of_file(prompt, make_video(tmp_path / "clip.mp4", 1))


def test_the_name_of_what_is_no_file():
    with pytest.raises(PromptError, match="the pictures of stdin have 10×9"):
        check_mask(mask(9, 9), (9, 10), "stdin")
