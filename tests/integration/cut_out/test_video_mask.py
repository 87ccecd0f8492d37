"""A mask of a video's first picture, and the object that is followed through it, by the bundled model."""

import numpy as np
import pytest
from PIL import Image

from inspyrenet import cli
from inspyrenet.commands import cut_out
from tests.moving import look, make_video

FRAMES, SIZE = 14, (240, 320)
CENTERS = ((90, 90), (230, 150))  # x, y
COLORS = ((220, 60, 50), (240, 200, 60))


def two_objects(number: int) -> tuple[np.ndarray, list[np.ndarray]]:
    """A picture of two objects that come nearer to each other on a patterned ground, and the mask of each, bool."""
    rng = np.random.default_rng(3)
    ground, skin = (rng.integers(*ends, (24, 32, 3)).repeat(10, 0).repeat(10, 1) for ends in ((70, 110), (-20, 20)))
    canvas, masks = ground, []
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    for (center, middle), color, step in zip(CENTERS, COLORS, (2, -2), strict=True):
        left = x - center - step * number
        masks.append((left / 45) ** 2 + ((y - middle) / 35) ** 2 < 1)
        canvas = np.where(masks[-1][..., None], np.array(color) + np.roll(skin, step * number, 1), canvas)
    return canvas.clip(0, 255).astype(np.uint8), masks


def overlap(found: np.ndarray, mask: np.ndarray) -> float:
    return float((found & mask).sum() / (found | mask).sum())


@pytest.mark.parametrize("chosen", [0, 1])
def test_the_object_of_the_mask_is_followed_and_not_the_other(tmp_path, chosen):
    scenes = [two_objects(number) for number in range(FRAMES)]
    clip = make_video(tmp_path / "clip.mp4", pictures=[image for image, _ in scenes])
    Image.fromarray(scenes[0][1][chosen]).save(tmp_path / "mask.png")
    words = ["-t", "map", "--device", "cpu", "--mask", str(tmp_path / "mask.png")]
    assert cli.main([str(clip), str(tmp_path / "map.mov"), *words]) == 0
    frames = look(tmp_path / "map.mov").frames
    assert len(frames) == FRAMES
    for frame, (_, masks) in zip(frames, scenes, strict=True):
        found = frame[..., 0] > 127
        assert overlap(found, masks[chosen]) > 0.85 and overlap(found, masks[1 - chosen]) < 0.02


@pytest.mark.parametrize(
    ("mask", "words", "message"),
    [
        (np.ones((10, 20), bool), [], "the mask has 20×10 pixels, but the pictures of clip.mp4 have 64×48"),
        (np.zeros((48, 64), bool), [], "the mask marks nothing"),
        (np.ones((48, 64), bool), ["--no-steady"], "which --no-steady leaves out: take one of them"),
        (np.ones((48, 64), bool), ["--keep", "3,3"], "boxes and points belong to one image"),
    ],
)
def test_what_is_wrong_with_a_mask_is_said_before_a_network_is_loaded(
    tmp_path, monkeypatch, capsys, mask, words, message
):
    monkeypatch.setattr(cut_out, "load", lambda options: pytest.fail("loaded a network"))
    Image.fromarray(mask).save(tmp_path / "mask.png")
    clip = make_video(tmp_path / "clip.mp4", 2)
    assert cut_out.main(["--source", str(clip), "--mask", str(tmp_path / "mask.png"), *words]) == 1
    assert message in capsys.readouterr().err
