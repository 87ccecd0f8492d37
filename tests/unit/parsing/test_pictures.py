"""Colors of classes, legends, and label maps at the size of the photograph."""

import numpy as np
import torch
from torch.nn import functional as F

from inspyrenet.parsing.pictures import PAPER, SHARE, legend, overlay, voc_palette, whole_palette
from inspyrenet.parsing.predictor import most_probable


def test_the_palette_is_that_of_pascal_voc():
    palette = voc_palette()
    assert len(set(palette)) == 256
    assert palette[:6] == ((0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0), (0, 0, 128), (128, 0, 128))
    assert palette[8] == (64, 0, 0) and palette[20] == (0, 64, 128) and palette[255] == (224, 224, 192)
    assert whole_palette([(1, 2, 3)])[:2] == ((1, 2, 3), (0, 0, 0)) and len(whole_palette([(1, 2, 3)])) == 256


def test_an_overlay_mixes_and_its_legend_shows_the_classes_that_are_there():
    image, labels = np.full((80, 40, 3), 100, np.uint8), np.zeros((80, 40), np.uint8)
    labels[:, 20:] = 2
    palette = ((200, 0, 0), (0, 200, 0), (0, 0, 200))
    picture = overlay(image, labels, palette, ["sky", "ground", "disc"])
    assert picture[5, 5].tolist() == np.rint((1 - SHARE) * 100 + SHARE * np.array([200, 0, 0])).astype(int).tolist()
    box = legend([0, 2], palette, ["sky", "ground", "disc"])
    assert np.array_equal(picture[: box.shape[0], 40:], box) and (picture[box.shape[0] :, 40:] == PAPER).all()
    colors = {tuple(color) for color in box.reshape(-1, 3).tolist()}
    assert {(200, 0, 0), (0, 0, 200)} <= colors and (0, 200, 0) not in colors


def test_the_most_probable_class_is_that_of_enlarged_probabilities():
    p = torch.rand(5, 6, 7, generator=torch.Generator().manual_seed(0)).softmax(dim=0)
    whole = F.interpolate(p[None], size=(30, 23), mode="bilinear", align_corners=False)[0].argmax(dim=0)
    assert np.array_equal(most_probable(p, (30, 23)), whole.numpy())
    assert not most_probable(torch.full((3, 2, 2), 1 / 3), (4, 4)).any()  # of equals the first
