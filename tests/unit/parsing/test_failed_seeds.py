"""Seeds of scene networks that failed do not count in the mean, and the table says how many did."""

import numpy as np
from PIL import Image

from inspyrenet.parsing.evaluate import score_scenes
from inspyrenet.utils.config.load import load_config
from inspyrenet.utils.system.failures import Failures
from tests.unit.datasets.test_files import make

CONFIG = """
Model: {{name: PSPNet_ResNet50, classes: 2}}
Test:
  Dataset: {{type: Scenes, root: '{root}', sets: [A], transforms: {{static_resize: {{size: [33, 33]}}}}}}
Eval: {{result_path: '{results}'}}
"""


def test_seeds_that_failed_are_said(tmp_path):
    make(tmp_path / "data", "A/images/{}.jpg", "A/masks/{}.png", "ab")
    for mask in (tmp_path / "data/A/masks").iterdir():
        Image.fromarray(np.zeros((4, 6), np.uint8)).save(mask)
    (tmp_path / "a.yaml").write_text(CONFIG.format(root=tmp_path / "data", results=tmp_path / "results"))
    configs = load_config([tmp_path / "a.yaml"], ["seed=0,1,2", "Eval.pred_root=" + str(tmp_path / "data/maps")])
    for mask in (tmp_path / "data/A/masks").iterdir():
        path = tmp_path / "data/maps/A" / mask.name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.open(mask).save(path)
    failures = Failures(3)
    failures["a_seed-1"] = "the loss is not finite"
    text = score_scenes(configs, failures=failures)
    assert "| a      | A       | 2 of 3 | 1.0000 ± 0.0000" in text
    assert "a_seed-1: failed: the loss is not finite" in text
