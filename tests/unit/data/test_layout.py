"""Names of the folders of images and masks: training, testing, scoring and unpacking know the same ones."""

import os
import shutil
import tempfile
import unicodedata
import zipfile

import pytest

from inspyrenet.data.datasets import layout
from inspyrenet.data.datasets.layout import IMAGE_FOLDERS, MASK_FOLDERS, image_folder, mask_folder
from inspyrenet.data.datasets.pairs import find_pairs
from inspyrenet.data.datasets.synthetic import write_dataset
from inspyrenet.data.hub.archives import unpack_dataset
from inspyrenet.engine.eval_sets import find_sets
from inspyrenet.utils.metrics import match_folders

SPELLINGS = [
    (images, masks)
    for spelled in (str, str.capitalize, str.upper)
    for images, masks in zip(map(spelled, IMAGE_FOLDERS), map(spelled, MASK_FOLDERS), strict=True)
]


@pytest.fixture(params=SPELLINGS, ids="-".join)
def data(request, tmp_path):
    """tmp_path/data/toy with folders of these names, and its masks as maps in tmp_path/maps/toy."""
    folder = write_dataset(tmp_path / "data", "toy", 2, size=(64, 64))
    shutil.copytree(folder / "masks", tmp_path / "maps" / "toy")
    for old, new in zip(("images", "masks"), request.param, strict=True):
        (folder / old).rename(tmp_path / "moved")
        (tmp_path / "moved").rename(folder / new)
    return folder


def test_a_set_is_trained_tested_and_scored_alike(data, tmp_path):
    train = find_pairs(data.parent, ["toy"])
    test = find_pairs(data.parent, ["toy"], need_masks=False)
    assert [pair.name for pair in train] == ["00000", "00001"]
    assert [pair.image for pair in test] == [pair.image for pair in train]
    (scored,) = find_sets(tmp_path / "maps", data.parent)
    assert {pair.image.parent for pair in train} == {scored.images}
    assert {pair.mask.parent for pair in train} == {scored.masks}


@pytest.mark.parametrize("inside", ["", "toy", "masks"])
def test_eval_finds_the_masks_from_any_root(data, tmp_path, inside):
    root = {"": data.parent, "toy": data, "masks": mask_folder(data)}[inside]
    (matched,) = match_folders(find_sets(tmp_path / "maps", root))
    assert matched.dataset == "toy"
    trained = find_pairs(data.parent, ["toy"])
    assert [(pair.image, pair.truth) for pair in matched.pairs] == [(pair.image, pair.mask) for pair in trained]


def test_an_archive_of_it_is_unpacked(data, tmp_path):
    with zipfile.ZipFile(tmp_path / "toy.zip", "w") as content:
        for path in data.rglob("*.*g"):
            content.write(path, path.relative_to(data))
    assert unpack_dataset(tmp_path / "toy.zip", tmp_path / "unpacked") == 2


def test_of_several_folders_the_first_of_the_list_counts(tmp_path):
    for name in ("GT", "Masks", "masks", "Imgs"):
        (tmp_path / name).mkdir(exist_ok=True)
    (tmp_path / "images").write_text("no folder")
    assert mask_folder(tmp_path).name.lower() == "masks"
    assert image_folder(tmp_path) == tmp_path / "Imgs"
    assert mask_folder(tmp_path / "absent") is None


@pytest.fixture
def unwritable(tmp_path, monkeypatch):
    """The platform's cache folder cannot be made; temporary files go below tmp_path."""
    monkeypatch.delenv("INSPYRENET_CACHE", raising=False)
    (tmp_path / "home").write_text("a file in its place")
    monkeypatch.setattr("platformdirs.user_cache_path", lambda name: tmp_path / "home" / name)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    layout._writable.cache_clear()
    yield tmp_path
    layout._writable.cache_clear()


def test_caches_go_to_temporary_files_where_nobody_may_write(unwritable, caplog):
    with caplog.at_level("WARNING"):
        folders = {layout.cache_root(), layout.cache_root()}
    assert len(folders) == 1 and folders.pop().parent == unwritable
    assert [str(unwritable / "home" / "inspyrenet") in record.getMessage() for record in caplog.records] == [True]


def test_a_folder_of_temporary_files_that_someone_else_made_is_refused(unwritable):
    (unwritable / "elsewhere").mkdir()
    (unwritable / f"inspyrenet-{os.getuid()}").symlink_to(unwritable / "elsewhere")
    with pytest.raises(OSError, match="INSPYRENET_CACHE"):
        layout.cache_root()


def test_the_folder_of_a_set_is_found_in_either_form_of_its_accents(tmp_path):
    composed, apart = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))
    (tmp_path / "gt" / apart / "masks").mkdir(parents=True)
    (tmp_path / "maps" / composed).mkdir(parents=True)
    (found,) = find_sets(tmp_path / "maps", tmp_path / "gt")
    assert (found.predictions, found.masks) == (tmp_path / "maps" / composed, tmp_path / "gt" / apart / "masks")
    (named,) = find_sets(tmp_path / "maps", tmp_path / "gt", [composed])
    assert named.masks == found.masks
