"""Of label maps, too, only those of the images that Test.Dataset.limit chooses are scored."""

import pytest

from inspyrenet.parsing.evaluate import _match
from inspyrenet.utils.config.load import load_config
from inspyrenet.utils.metrics.files import PairingError
from tests.unit.datasets.test_files import make

CONFIG = """
Model: {{name: PSPNet_ResNet50, classes: 5}}
Test:
  Dataset: {{type: Scenes, root: '{root}', sets: [A], limit: 2, transforms: {{static_resize: {{size: [33, 33]}}}}}}
Eval: {{pred_root: '{maps}'}}
"""


def test_maps_beyond_the_limit_do_not_count(tmp_path):
    make(tmp_path / "data", "A/images/{}.jpg", "A/masks/{}.png", "abcd")
    make(tmp_path, "unused/{}.jpg", "maps/A/{}.png", "abcd")
    (tmp_path / "a.yaml").write_text(CONFIG.format(root=tmp_path / "data", maps=tmp_path / "maps"))
    (config,) = load_config([tmp_path / "a.yaml"])
    (matched,) = _match(config, allow_missing=False)
    assert [pair.name for pair in matched.pairs] == ["a", "c"] and matched.masks == 4
    (tmp_path / "maps/A/c.png").unlink()
    with pytest.raises(PairingError, match=r"A: 1 of the 2 images of Test\.Dataset\.limit have no map in .*: c"):
        _match(config, allow_missing=False)
    (matched,) = _match(config, allow_missing=True)
    assert [pair.name for pair in matched.pairs] == ["a"]


def test_sets_of_which_the_limit_chooses_nothing_need_no_maps(tmp_path):
    make(tmp_path / "data", "A/images/{}.jpg", "A/masks/{}.png", "abcd")
    make(tmp_path / "data", "B/images/{}.jpg", "B/masks/{}.png", "e")
    make(tmp_path, "unused/{}.jpg", "maps/A/{}.png", "abcd")
    text = CONFIG.format(root=tmp_path / "data", maps=tmp_path / "maps").replace("sets: [A]", "sets: [A, B]")
    (tmp_path / "a.yaml").write_text(text)
    (config,) = load_config([tmp_path / "a.yaml"])
    assert [matched.dataset for matched in _match(config, allow_missing=False)] == ["A"]
    (config,) = load_config([tmp_path / "a.yaml"], ["Eval.datasets=[B]"])
    with pytest.raises(PairingError, match=r"Test\.Dataset\.limit chooses no image of B"):
        _match(config, allow_missing=False)
