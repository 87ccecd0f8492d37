"""Pairing by stem and the pre-flight that reports every problem at once."""

import logging
import pickle
import unicodedata

import numpy as np
import pytest
from PIL import Image

from inspyrenet.data.datasets import checking
from inspyrenet.data.datasets.torch_datasets import Pair, PreflightError, find_pairs


def save(path, height=8, width=12, value=255):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((height, width), value, np.uint8)).save(path)
    return path


def make_set(root, name="set", count=3, folders=("images", "masks"), extension=".jpg"):
    for index in range(count):
        save(root / name / folders[0] / f"{index}{extension}")
        save(root / name / folders[1] / f"{index}.png")
    return root / name


@pytest.mark.parametrize("folders", [("images", "masks"), ("im", "gt")])
@pytest.mark.parametrize("extension", [".jpg", ".JPEG", ".png", ".webp", ".BMP", ".tiff"])
def test_both_layouts_and_every_extension(tmp_path, folders, extension):
    make_set(tmp_path, folders=folders, extension=extension)
    pairs = find_pairs(tmp_path, ["set"])
    assert [pair.name for pair in pairs] == ["0", "1", "2"]
    assert all(pair.image.parent.name == folders[0] and pair.mask.parent.name == folders[1] for pair in pairs)


def test_the_older_nested_root_is_just_a_root(tmp_path):
    make_set(tmp_path / "data" / "RGB_Dataset" / "Train_Dataset", "DUTS-TR")
    assert len(find_pairs(tmp_path / "data/RGB_Dataset/Train_Dataset", ["DUTS-TR"])) == 3


def test_pairs_are_matched_by_stem_not_by_position(tmp_path):
    for stem, mask_extension in (("b", ".jpg"), ("a.x", ".PNG"), ("sub/b", ".tif")):
        save(tmp_path / "s" / "images" / f"{stem}.jpg")
        save(tmp_path / "s" / "masks" / f"{stem}{mask_extension}")
    pairs = find_pairs(tmp_path, ["s"])
    assert [pair.name for pair in pairs] == ["a.x", "b", "sub/b"]
    for pair in pairs:
        assert pair.dataset == "s"
        assert pair.mask.relative_to(tmp_path / "s/masks").with_suffix("").as_posix() == pair.name


def test_every_problem_of_every_set_is_in_one_message(tmp_path):
    first = make_set(tmp_path, "first")
    save(first / "images" / "nomask.jpg")
    save(first / "masks" / "noimage.png")
    save(first / "images" / "twice.jpg")
    save(first / "images" / "twice.png")
    save(first / "masks" / "twice.png")
    save(first / "images" / "other.jpg", 8, 12)
    save(first / "masks" / "other.png", 12, 8)
    (first / "images" / "0.jpg").write_bytes(b"")
    whole = (first / "images" / "1.jpg").read_bytes()
    (first / "images" / "1.jpg").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "empty" / "images").mkdir(parents=True)
    (tmp_path / "empty" / "masks").mkdir()
    (tmp_path / "half" / "images").mkdir(parents=True)
    with pytest.raises(PreflightError) as caught:
        find_pairs(tmp_path, ["first", "empty", "half", "absent"])
    text = str(caught.value)
    for part in (
        "nomask.jpg: no mask",
        "noimage.png: no image",
        "twice.jpg: twice.png has the same name",
        f"other.jpg: is 12x8 but its mask {first / 'masks' / 'other.png'} is 8x12",
        "0.jpg: the file is empty",
        "1.jpg",
        f"{tmp_path / 'empty' / 'images'}: no image",
        f"{tmp_path / 'half'}: has no folder masks or mask or gt or gts or ground_truth_mask",
        f"{tmp_path / 'absent'}: no such set; {tmp_path} has empty, first, half",
    ):
        assert part in text
    assert len(caught.value.problems) == 9
    assert text.startswith("9 problems")
    assert str(pickle.loads(pickle.dumps(caught.value))) == text


def test_skip_goes_on_and_says_what_it_left_out(tmp_path, caplog):
    folder = make_set(tmp_path)
    (folder / "images" / "1.jpg").write_bytes(b"")
    save(folder / "images" / "lonely.jpg")
    with caplog.at_level(logging.WARNING):
        pairs = find_pairs(tmp_path, ["set"], on_bad_pair="skip")
    assert [pair.name for pair in pairs] == ["0", "2"]
    assert "1.jpg" in caplog.text
    assert "lonely.jpg" in caplog.text
    assert "skipped 2, 2 pairs left" in caplog.text


def test_skip_does_not_forgive_a_set_with_nothing_left(tmp_path):
    folder = make_set(tmp_path, count=1)
    (folder / "images" / "0.jpg").write_bytes(b"")
    with pytest.raises(PreflightError, match=r"(?s)no usable pair is left.*0\.jpg"):
        find_pairs(tmp_path, ["set"], on_bad_pair="skip")


@pytest.mark.parametrize("sets", [["set", "set"], []])
def test_sets_twice_or_none(tmp_path, sets):
    make_set(tmp_path)
    with pytest.raises(PreflightError):
        find_pairs(tmp_path, sets)


def test_absent_root_and_wrong_option(tmp_path):
    with pytest.raises(PreflightError, match="no such folder"):
        find_pairs(tmp_path / "none", ["set"])
    with pytest.raises(ValueError, match="on_bad_pair"):
        find_pairs(tmp_path, ["set"], on_bad_pair="ignore")


def test_disjoint_stems_are_an_error(tmp_path):
    save(tmp_path / "s/images/a.jpg")
    save(tmp_path / "s/masks/b.png")
    with pytest.raises(PreflightError, match="no image has a mask of the same name"):
        find_pairs(tmp_path, ["s"], on_bad_pair="skip")


def test_a_set_is_said_to_be_what_it_was_taken_for(tmp_path, caplog):
    folder = make_set(tmp_path)
    for index in range(3):
        save(folder / "masks" / f"{index}.png", value=1 if index else 0)
    with caplog.at_level(logging.INFO):
        pairs = find_pairs(tmp_path, ["set"])
    assert "set: 3 masks of 0 and 1, 1 of them empty" in caplog.text
    assert [int(pair.read_mask().max()) for pair in pairs] == [0, 255, 255]


def test_one_mask_of_another_coding_among_many_is_found(tmp_path):
    folder = make_set(tmp_path, count=30)
    save(folder / "masks" / "17.png", value=1)
    with pytest.raises(PreflightError, match=r"17\.png: holds 1 but .*0\.png 255; save the masks as 8-bit gray PNG"):
        find_pairs(tmp_path, ["set"], on_bad_pair="skip")


def test_a_mask_without_a_meaning_can_be_skipped(tmp_path, caplog):
    folder = make_set(tmp_path)
    color = np.zeros((8, 12, 3), np.uint8)
    color[:4, :, 0] = color[4:6, :, 1] = 255
    Image.fromarray(color).save(folder / "masks" / "1.png")
    with pytest.raises(PreflightError, match=r"1\.png: has several colors"):
        find_pairs(tmp_path, ["set"])
    assert [pair.name for pair in find_pairs(tmp_path, ["set"], on_bad_pair="skip")] == ["0", "2"]
    assert "skipped 1, 2 pairs left" in caplog.text


def test_a_set_without_an_object_is_said_and_alone_is_an_error(tmp_path, caplog):
    make_set(tmp_path, "full")
    empty = make_set(tmp_path, "backgrounds")
    for index in range(3):
        save(empty / "masks" / f"{index}.png", value=0)
    assert len(find_pairs(tmp_path, ["full", "backgrounds"])) == 6
    assert "backgrounds: all of its 3 masks are empty" in caplog.text
    with pytest.raises(PreflightError, match="all masks of backgrounds are empty"):
        find_pairs(tmp_path, ["backgrounds"])


def noise(path, **options):
    pixels = np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)
    Image.fromarray(pixels if "quality" in options else pixels[..., 0] // 2 + 128).save(path, **options)
    return path


@pytest.mark.parametrize("broken", ["image", "mask", "jpeg mask"])
@pytest.mark.parametrize("fill", ["zeros", "random"])
def test_damage_in_the_middle_of_a_file_is_skipped_and_the_rest_stays(tmp_path, broken, fill, caplog):
    folder = tmp_path / "set"
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True)
    for index in range(4):
        noise(folder / "images" / f"{index}.jpg", quality=90)
        noise(folder / "masks" / f"{index}{'.jpg' if broken == 'jpeg mask' else '.png'}")
    path = next((folder / ("images" if broken == "image" else "masks")).glob("2.*"))
    data = bytearray(path.read_bytes())
    middle = slice(len(data) // 2, len(data) // 2 + 300)
    data[middle] = bytes(300) if fill == "zeros" else np.random.default_rng(1).bytes(300)
    path.write_bytes(data)
    for _ in range(2):
        assert [pair.name for pair in find_pairs(tmp_path, ["set"], on_bad_pair="skip")] == ["0", "1", "3"]
    assert path.name in caplog.text and "skipped 1, 3 pairs left" in caplog.text


def test_whole_jpegs_that_a_camera_filled_up_are_kept(tmp_path):
    folder = make_set(tmp_path)
    path = noise(folder / "images" / "1.jpg", quality=90)
    data = path.read_bytes()
    path.write_bytes(data[:-2] + bytes(500) + data[-2:])
    save(folder / "masks" / "1.png", 64, 96)
    assert len(find_pairs(tmp_path, ["set"], on_bad_pair="skip")) == 3


@pytest.mark.parametrize("suffix", ["png", "jpe", "bmp"])
def test_a_damaged_jpeg_is_one_by_its_bytes_not_its_name(tmp_path, suffix):
    folder = make_set(tmp_path)
    for name in ("0", "1"):
        (folder / "images" / f"{name}.jpg").unlink(missing_ok=True)
        (folder / "images" / f"{name}.png").unlink(missing_ok=True)
        path = noise(folder / "images" / f"{name}.jpg", quality=90)
        path = path.rename(path.with_suffix(f".{suffix}"))
        save(folder / "masks" / f"{name}.png", 64, 96)
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 300] = bytes(300)
    path.write_bytes(data)
    assert [pair.name for pair in find_pairs(tmp_path, ["set"], on_bad_pair="skip")] == ["0", "2"]


def test_accents_in_either_form_are_the_same_name(tmp_path):
    composed, apart = (unicodedata.normalize(form, "café/été") for form in ("NFC", "NFD"))
    save(tmp_path / "set" / "images" / f"{apart}.jpg")
    save(tmp_path / "set" / "masks" / f"{composed}.png")
    (pair,) = find_pairs(tmp_path, ["set"])
    assert pair.name == composed
    save(tmp_path / "set" / "images" / f"{composed}.png")
    with pytest.raises(PreflightError, match="has the same name"):
        find_pairs(tmp_path, ["set"])


def test_images_alone_need_no_masks_and_no_layout(tmp_path):
    make_set(tmp_path, "laid")
    save(tmp_path / "plain" / "deep" / "x.jpg")
    pairs = find_pairs(tmp_path, ["laid", "plain"], need_masks=False)
    assert [(pair.dataset, pair.name, pair.mask) for pair in pairs][-2:] == [
        ("laid", "2", None),
        ("plain", "deep/x", None),
    ]


@pytest.mark.parametrize(
    ("limit", "expected"), [(1, ["0"]), (2, ["0", "5"]), (5, list("02468")), (99, list("0123456789"))]
)
def test_limit_picks_evenly(tmp_path, limit, expected):
    make_set(tmp_path, count=10)
    assert [pair.name for pair in find_pairs(tmp_path, ["set"], limit=limit)] == expected


def test_orientation_counts_when_sizes_are_compared(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    (tmp_path / "s/images").mkdir(parents=True)
    Image.fromarray(np.zeros((8, 12, 3), np.uint8)).save(tmp_path / "s/images/a.jpg", exif=exif)
    save(tmp_path / "s/masks/a.png", 12, 8)
    assert len(find_pairs(tmp_path, ["s"])) == 1


def test_progress_is_said_when_checking_takes_long(tmp_path, caplog, monkeypatch):
    make_set(tmp_path)
    monkeypatch.setattr(checking, "QUIET_SECONDS", -1.0)
    with caplog.at_level(logging.INFO):
        find_pairs(tmp_path, ["set"])
    assert "of 3 pairs" in caplog.text


def test_pair_is_plain_data():
    pair = Pair(image="a", mask=None, name="a", dataset="s")
    assert pickle.loads(pickle.dumps(pair)) == pair
