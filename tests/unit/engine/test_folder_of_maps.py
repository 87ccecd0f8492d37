"""Maps are never written among the images or masks that they are made of."""

import pytest

from inspyrenet.engine import build
from inspyrenet.engine.test import folder_of_maps
from inspyrenet.utils.config.load import ConfigError, load_config
from tests.unit.datasets.test_files import make


@pytest.fixture
def folder(tmp_path, monkeypatch):
    make(tmp_path, "data/Own/images/{}.jpg", "data/Own/masks/{}.png")
    make(tmp_path, "data/Flat/{}.jpg", "data/Flat/{}.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def checked(maps: str, *words: str, sets: str = "[Own, Flat]") -> str:
    words = (f"Test.Dataset.sets={sets}", "Test.Dataset.root=data", f"Eval.pred_root={maps}", *words)
    (config,) = load_config(["Quickstart"], ["Test.Dataset.type=Pairs", *words])
    return str(folder_of_maps(config, build.pairs(build.section(config, "Test").Dataset, need_masks=False)))


def test_other_folders_are_fine(folder):
    assert checked("maps") == "maps"
    assert checked("data/maps") == "data/maps"


@pytest.mark.parametrize(
    ("maps", "words"),
    [
        ("data", []),
        ("linked", []),
        ("data/../data/", []),
        ("data/Own/images", []),
        ("data/Own/masks", []),
        ("masks", ["Eval.gt_root=masks"]),
        ("masks", ["Test.Dataset.mask_root=masks", "Eval.gt_root=other"]),
    ],
)
def test_the_folders_of_images_and_masks_are_refused(folder, maps, words):
    (folder / "linked").symlink_to("data")
    with pytest.raises(ConfigError, match="holds the images or masks of"):
        checked(maps, *words)


def test_a_set_that_is_itself_the_folder_of_its_images_is_refused(folder):
    (folder / "maps").mkdir()
    (folder / "maps" / "Own").symlink_to(folder / "data" / "Own" / "images")
    with pytest.raises(ConfigError, match="holds the images or masks of Own"):
        checked("maps")
