"""A map that is not finite costs its own image alone, by name."""

import math

import cv2
import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

from inspyrenet.data.datasets.pairs import Pair
from inspyrenet.data.datasets.torch_datasets import TestDataset, collate_test
from inspyrenet.data.images.preprocess import Preprocess
from inspyrenet.engine import test as testing
from inspyrenet.engine.predictor import Predictor
from inspyrenet.engine.validate import Validator
from inspyrenet.lib.types import SaliencyPyramid

CPU = torch.device("cpu")
PREPARE = Preprocess(size=(32, 32), mean=None, std=None)


class Relative(nn.Module):
    """Gray values by the brightest one: NaN for a black image."""

    def forward(self, x):
        return SaliencyPyramid((x[:, :1] / x.amax(dim=(1, 2, 3), keepdim=True),))


@pytest.fixture
def pairs(tmp_path) -> list[Pair]:
    for name, gray in (("black", 0), ("white", 255)):
        cv2.imwrite(str(tmp_path / f"{name}.png"), np.full((32, 32), gray, np.uint8))
    white = tmp_path / "white.png"
    return [Pair(tmp_path / f"{name}.png", white, name, "Own") for name in ("black", "white")]


def test_a_test_names_it_and_removes_the_map_of_an_earlier_run(pairs, tmp_path):
    root = tmp_path / "maps"
    (root / "Own").mkdir(parents=True)
    for pair in pairs:
        (root / "Own" / f"{pair.name}.png").write_bytes(b"of an earlier run")
    images = TestDataset(pairs, PREPARE, on_error="report")
    loader = DataLoader(images, 2, collate_fn=collate_test)
    (said,) = testing._predict(loader, Predictor(Relative(), CPU), root, "none", False, False, images)
    assert said.startswith("Own/black: the saliency map has values that are not finite")
    assert [path.name for path in (root / "Own").iterdir()] == ["white.png"]
    assert cv2.imread(str(root / "Own" / "white.png")).shape[:2] == (32, 32)


def test_a_validation_names_it_and_has_no_score(pairs, caplog):
    scores = Validator(pairs, PREPARE, "wFm", CPU)(Relative())
    assert {"wFm", "mae"} <= scores.keys() and all(math.isnan(value) for value in scores.values())
    assert "maps with values that are not finite: 1 of them, Own/black" in caplog.text
    assert not math.isnan(Validator(pairs[1:], PREPARE, "wFm", CPU)(Relative())["wFm"])
