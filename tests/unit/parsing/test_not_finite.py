"""A network for scenes whose values are not finite gives no label map, and says for which images."""

import logging
import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from inspyrenet.data.datasets.scenes import find_scenes
from inspyrenet.data.images.preprocess import Preprocess
from inspyrenet.engine import build
from inspyrenet.engine.test import PredictionError
from inspyrenet.parsing.test import predict_scenes
from inspyrenet.parsing.validate import SceneValidator
from inspyrenet.utils.config.load import load_config

CONFIG = """
Model: {{name: PSPNet_ResNet50, classes: 3}}
Test:
  Dataset: {{type: Scenes, root: '{root}', sets: [A], transforms: {{static_resize: {{size: [33, 33]}}}}}}
  overlay: true
Eval: {{pred_root: '{maps}'}}
"""


class Overflowing(torch.nn.Module):
    """Class 1 everywhere, and NaN for a white image."""

    def forward(self, x):
        logits = torch.zeros(len(x), 3, *x.shape[-2:])
        logits[:, 1] = 1
        logits[x.amin((1, 2, 3)) > 1] = math.nan
        return SimpleNamespace(logits=logits)


@pytest.fixture
def root(tmp_path):
    for name, gray in (("dark", 20), ("white", 255)):
        for folder, image in (("images", np.full((20, 30, 3), gray, np.uint8)), ("masks", np.ones((20, 30), np.uint8))):
            path = tmp_path / "data" / "A" / folder / f"{name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(path)
    return tmp_path / "data"


def test_a_test_names_the_image_and_writes_the_others(root, tmp_path, monkeypatch):
    (tmp_path / "a.yaml").write_text(CONFIG.format(root=root, maps=tmp_path / "maps"))
    (config,) = load_config([tmp_path / "a.yaml"])
    monkeypatch.setattr(build, "trained_network", lambda config: (Overflowing(), "a.pth"))
    stale = [tmp_path / "maps" / place / "A" / "white.png" for place in ("", "overlay")]
    for path in stale:
        path.parent.mkdir(parents=True)
        path.touch()
    with pytest.raises(PredictionError, match=r"1 of 2 images have no map(.|\n)*A/white: .* not finite"):
        predict_scenes(config, torch.device("cpu"), logging.getLogger("test"))
    assert not any(path.exists() for path in stale)
    assert (np.asarray(Image.open(tmp_path / "maps" / "A" / "dark.png")) == 1).all()


def test_a_validation_names_the_image_and_is_never_the_best(root, caplog):
    validate = SceneValidator(find_scenes(root, ["A"]), Preprocess(size=(33, 33)), 3, 255, torch.device("cpu"))
    values = validate(Overflowing())
    assert values and all(math.isnan(value) for value in values.values())
    assert "A/white" in caplog.text and "A/dark" not in caplog.text
