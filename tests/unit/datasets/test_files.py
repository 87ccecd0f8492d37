"""Every layout of a data set is found alike by training, testing and scoring; what can be read in two ways is an error."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from inspyrenet.data.datasets.files import is_set
from inspyrenet.data.datasets.pairs import PreflightError, find_pairs
from inspyrenet.data.datasets.sets import sets_below
from inspyrenet.engine.eval_sets import find_sets
from inspyrenet.utils.metrics import match_folders

NAMES = ("a", "b c", "sub/d")
LAYOUTS = {  # set that is named: (path of an image, path of its mask), below the root
    "Own": ("Own/Imgs/{}.jpg", "Own/GT/{}.png"),
    "Suffix": ("Suffix/images/{}.jpg", "Suffix/masks/{}_mask.png"),
    "DUTS-TR": ("DUTS-TR/DUTS-TR-Image/{}.jpg", "DUTS-TR/DUTS-TR-Mask/{}.png"),
    "DUTS-TE": ("DUTS-TE-Image/{}.jpg", "DUTS-TE-Mask/{}.png"),
    "Flat": ("Flat/{}.jpg", "Flat/{}.png"),
    "Flat_mask": ("Flat_mask/{}.png", "Flat_mask/{}_mask.png"),
    "MSRA10K": ("MSRA10K/Imgs/{}.jpg", "MSRA10K/Imgs/{}.png"),
}


def save(path: Path, value: int = 255) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((8, 12), value, np.uint8)).save(path)
    return path


def make(root: Path, image: str, mask: str, names=NAMES) -> None:
    for name in names:
        save(root / image.format(name), 90)
        save(root / mask.format(name))


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_layout_is_trained_tested_and_scored_alike(name, tmp_path, caplog):
    caplog.set_level("INFO")
    image, mask = LAYOUTS[name]
    root = tmp_path / "data"
    make(root, image, mask)
    expected = [(one, root / image.format(one), root / mask.format(one)) for one in NAMES]
    assert [(pair.name, pair.image, pair.mask) for pair in find_pairs(root, [name])] == expected
    said = [record.getMessage() for record in caplog.records if record.getMessage().startswith(f"{name}: images")]
    assert len(said) == 1
    tested = find_pairs(root, [name], need_masks=False)
    assert [(pair.name, pair.image) for pair in tested] == [one[:2] for one in expected]
    for one in NAMES:
        save(tmp_path / "maps" / name / f"{one}.png")
    (scored,) = match_folders(find_sets(tmp_path / "maps", root, [name]))
    assert [(pair.name, pair.image, pair.truth) for pair in scored.pairs] == expected


@pytest.mark.parametrize("name", [name for name in LAYOUTS if name != "DUTS-TE"])
def test_a_set_is_told_from_a_folder_of_sets(name, tmp_path):
    make(tmp_path / "data", *LAYOUTS[name])
    assert is_set(tmp_path / "data" / name) and not is_set(tmp_path / "data")
    assert sets_below(tmp_path / "data") == [name]


def test_all_sets_of_a_root_are_listed(tmp_path):
    for image, mask in LAYOUTS.values():
        make(tmp_path, image, mask)
    save(tmp_path / "holidays" / "beach.jpg")
    assert sets_below(tmp_path) == sorted(LAYOUTS)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (("s/x.jpg", "s/x.png", "s/x_mask.png"), "its mask may be x.png or x_mask.png"),
        (("s/images/x.jpg", "s/masks/x.png", "s/masks/x_mask.png"), r"its mask may be .*x\.png or .*x_mask\.png"),
        (("s/x.jpg", "s/x_gt.png", "s/x_mask.png"), "its mask may be x_gt.png or x_mask.png"),
        (("s/images/x.jpg", "s/masks/x_gt.png", "s/masks/x_mask.png"), r"its mask may be .*x_gt\.png or .*x_mask\.png"),
        (("s/images/x.jpg", "s/masks/x.png", "s/GT/x.png"), "its masks may be those in GT or masks"),
        (("s/A-Image/x.jpg", "s/A-Mask/x.png", "s/B-Image/x.jpg", "s/B-Mask/x.png"), "name one of the sets A or B"),
        (("s/x.bmp", "s/x.png", "s/y.jpg", "s/y.png"), "x.png has the same name"),
    ],
)
def test_two_readings_are_an_error_that_names_both(tmp_path, files, message):
    for file in files:
        save(tmp_path / file)
    with pytest.raises(PreflightError, match=message):
        find_pairs(tmp_path, ["s"])


def test_a_set_of_several_is_named_below_its_folder(tmp_path):
    for which in ("TR", "TE"):
        make(tmp_path, f"DUTS/DUTS-{which}-Image/{{}}.jpg", f"DUTS/DUTS-{which}-Mask/{{}}.png", [f"only_{which}"])
    assert [pair.name for pair in find_pairs(tmp_path, ["DUTS/DUTS-TE"])] == ["only_TE"]


def test_masks_below_a_root_of_their_own(tmp_path):
    make(tmp_path, "photos/Own/{}.jpg", "truth/Own/{}_gt.png")
    found = find_pairs(tmp_path / "photos", ["Own"], mask_root=tmp_path / "truth")
    assert [(pair.name, pair.mask) for pair in found] == [(n, tmp_path / "truth/Own" / f"{n}_gt.png") for n in NAMES]
    shutil.copytree(tmp_path / "photos", tmp_path / "maps")
    (scored,) = match_folders(find_sets(tmp_path / "maps", tmp_path / "truth", ["Own"], tmp_path / "photos"))
    assert [(pair.name, pair.truth) for pair in scored.pairs] == [(pair.name, pair.mask) for pair in found]
    with pytest.raises(PreflightError, match=r"truth/Other: no such set; .*truth has Own"):
        save(tmp_path / "photos/Other/x.jpg")
        find_pairs(tmp_path / "photos", ["Other"], mask_root=tmp_path / "truth")


def test_a_mask_that_lacks_its_image_is_still_said(tmp_path):
    make(tmp_path, *LAYOUTS["Flat"])
    save(tmp_path / "Flat" / "lonely.jpg")
    with pytest.raises(PreflightError, match=r"lonely\.jpg: no mask lonely\.\*"):
        find_pairs(tmp_path, ["Flat"])


@pytest.mark.parametrize("need_masks", [True, False])
def test_an_empty_folder_is_no_set(tmp_path, need_masks):
    (tmp_path / "empty").mkdir()
    with pytest.raises(PreflightError, match="has no folder images" if need_masks else "empty: no image in it"):
        find_pairs(tmp_path, ["empty"], need_masks=need_masks)
