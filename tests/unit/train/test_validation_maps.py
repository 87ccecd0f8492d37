"""A coarse stage's map is shown and scored where the network put it."""

import cv2
import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from inspyrenet.data.datasets.pairs import Pair
from inspyrenet.data.images.preprocess import Preprocess
from inspyrenet.engine.predictor import Predictor
from inspyrenet.engine.validate import Validator
from inspyrenet.lib.types import SaliencyPyramid


class Cells(nn.Module):
    """Says the mean gray of each 8x8 cell, as a network with finest_stage 3 would; `enlarged`: at the image's size."""

    def __init__(self, enlarged: bool):
        super().__init__()
        self.enlarged = enlarged

    def forward(self, x):
        logits = torch.logit(functional.avg_pool2d(x[:, :1], 8), eps=1e-3)  # (B, 1, H/8, W/8)
        if self.enlarged:
            logits = functional.interpolate(logits, scale_factor=8, mode="bilinear", align_corners=False)
        return SaliencyPyramid((logits,))


def off_center_square(folder):
    gray = np.zeros((64, 64), np.uint8)
    gray[8:16, 40:56] = 255
    for name in ("image.png", "mask.png"):
        cv2.imwrite(str(folder / name), gray)
    return Pair(folder / "image.png", folder / "mask.png", "image", "Own")


def test_a_coarse_map_scores_as_the_same_map_at_the_image_s_size(tmp_path):
    prepare = Preprocess(size=(64, 64), mean=None, std=None)
    validate = Validator([off_center_square(tmp_path)], prepare, "maxFm", torch.device("cpu"))
    coarse, full = validate(Cells(enlarged=False)), validate(Cells(enlarged=True))
    assert dict(coarse) == pytest.approx(dict(full), abs=1e-6)
    assert full["mae"] < 0.06  # soft edges alone: the square is where it was


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("cell", [(0, 0), (3, 7), (7, 7)])
def test_every_way_of_predicting_gives_the_image_s_size_and_moves_no_cell(cell, flip):
    image = torch.zeros(1, 3, 8, 8)
    image[(..., *cell)] = 1
    image = functional.interpolate(image, scale_factor=8)
    saliency = Predictor(Cells(enlarged=False), torch.device("cpu"), flip=flip)(image).logits.sigmoid()
    assert saliency.shape[-2:] == (64, 64)
    row, column = divmod(int(saliency.argmax()), 64)
    assert (row // 8, column // 8) == cell


def test_a_small_image_keeps_the_map_of_its_base_size_copy():
    image, copy = torch.zeros(1, 3, 32, 64), torch.rand(1, 3, 64, 64)
    out = Predictor(Cells(enlarged=True), torch.device("cpu"), threshold=100)(image, copy).logits
    assert torch.equal(out, Cells(enlarged=True)(copy).logits)


def test_images_of_several_sizes_are_scored_with_their_own_masks(tmp_path):
    """Four squares in two sizes that alternate: every map is its image, so that a mask of another pair would show."""
    pairs = []
    for number, (width, left) in enumerate([(64, 8), (128, 72), (64, 40), (128, 8)]):
        mask = np.zeros((64, width), np.uint8)
        mask[16:48, left : left + 16] = 255
        file = tmp_path / f"{number}.png"
        cv2.imwrite(str(file), mask)
        pairs.append(Pair(file, file, str(number), "set"))
    validate = Validator(pairs, Preprocess("dynamic", 64, mean=None, std=None), "mae", torch.device("cpu"))
    assert validate(Cells(enlarged=True))["mae"] < 0.06
