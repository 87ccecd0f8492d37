"""run/Data.py: what sets hold and what is wrong with them in one round, sheets to look at, and lists that can be used at once."""

import numpy as np
import pytest
from PIL import Image, ImageOps

from inspyrenet import cli
from inspyrenet.commands.data import main
from inspyrenet.data.datasets.pairs import find_pairs
from inspyrenet.data_tools.show import LABEL, TILE
from tests.unit.datasets.test_near_duplicates import picture


def make(root, name, seeds, folders=("images", "masks")):
    """A set of random pictures with a square object each, named by their seeds."""
    mask = np.zeros((120, 160), np.uint8)
    mask[30:90, 40:120] = 255
    for folder in folders:
        (root / name / folder).mkdir(parents=True, exist_ok=True)
    for seed in seeds:
        picture(seed).save(root / name / folders[0] / f"{seed:02}.jpg")
        Image.fromarray(mask).save(root / name / folders[1] / f"{seed:02}.png")
    return root / name


def add(folder, name, image, like="00"):
    image.save(folder / "images" / f"{name}.jpg")
    (folder / "masks" / f"{name}.png").write_bytes((folder / "masks" / f"{like}.png").read_bytes())


def test_check_says_what_a_set_is(tmp_path, capsys):
    folder = make(tmp_path, "Own", range(5), ("Own-Image", "Own-Mask"))
    assert main(["check", str(folder)]) == 0
    text = capsys.readouterr().out
    for part in (
        "images in Own-Image, masks in Own-Mask",
        "5 can be used",
        "5 masks of 0 and 255",
        "width       160 to 160 pixels, median 160",
        "object      25.0% to 25.0% of the image",
        "0 problems",
    ):
        assert part in text


def test_check_finds_everything_in_one_round(tmp_path, capsys):
    train, test = make(tmp_path, "train", range(6)), make(tmp_path, "test", range(10, 14))
    add(train, "twice", picture(2).resize((160, 120)))
    add(test, "leak", ImageOps.mirror(picture(4)), like="10")
    (train / "masks" / "05.png").unlink()
    (test / "images" / "13.jpg").write_bytes(b"")
    (tmp_path / "odd" / "images").mkdir(parents=True)
    assert cli.main(["data", "check", str(tmp_path)]) == 1
    text = capsys.readouterr().out
    for part in (
        "02 and twice",
        "test/leak is nearly the same (mirrored) as train/04",
        "05.jpg: no mask 05.*",
        "13.jpg: the file is empty",
        "odd: has no folder masks",
        "4 problems:",
    ):
        assert part in text


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("none", "no such set"),
        ("empty", "neither a set of images and masks nor a folder of such sets; it holds nothing"),
        ("own", "it holds labels, photos. A set has folders images and masks"),
    ],
)
def test_check_of_nothing_is_an_error(tmp_path, capsys, word, message):
    for name in ("empty", "own/photos", "own/labels"):
        (tmp_path / name).mkdir(parents=True)
    assert main(["check", str(tmp_path / word)]) == 1
    assert message in capsys.readouterr().err


def test_folders_of_a_published_set_do_not_hide_the_sets_beside_them(tmp_path, capsys):
    make(tmp_path, "Own", range(2))
    make(tmp_path, ".", range(2, 4), ("X-Image", "X-Mask"))
    assert main(["check", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert {str(tmp_path / "Own"), str(tmp_path / "X")} <= set(lines)


def test_a_contact_sheet_shows_the_object_in_its_place(tmp_path, capsys):
    folder = make(tmp_path, "Own", range(5))
    sheet = tmp_path / "sheet.png"
    assert main(["show", str(folder), "-o", str(sheet), "--count", "4"]) == 0
    pixels = np.asarray(Image.open(sheet)).astype(int)
    assert pixels.shape[0] > 2 * TILE
    plain, tinted = (pixels[LABEL : LABEL + TILE, left : left + TILE] for left in (4, 8 + TILE))
    changed = np.abs(plain - tinted).max(axis=2) > 25
    assert changed[70:98, 60:110].mean() > 0.9 and not changed[:50].any() and not changed[:, :38].any()
    assert main(["show", str(folder), "-o", str(sheet)]) == 1
    assert "--overwrite replaces it" in capsys.readouterr().err
    assert main(["show", str(folder), "-o", str(sheet), "--overwrite"]) == 0


CONFIG = """
Train:
  Dataset:
    root: {root}
    sets: [Own]
    transforms: {{static_resize: {{size: [64, 64]}}, random_flip: {{lr: true, ud: false, p: 1.0}}}}
"""


def test_pictures_after_augmentation_are_what_training_sees(tmp_path, capsys):
    """A flip that always happens: the red corner of the image is on the other side in each of the five versions."""
    folder = make(tmp_path, "Own", range(1))
    image = Image.new("RGB", (160, 160))
    image.paste((0, 0, 255), (0, 0, 40, 40))
    image.save(folder / "images" / "00.jpg")
    Image.new("L", (160, 160)).save(folder / "masks" / "00.png")
    make(tmp_path, "Own", [1])
    (tmp_path / "a.yaml").write_text(CONFIG.format(root=tmp_path))
    sheet = tmp_path / "sheet.png"
    words = ["show", str(folder), "-o", str(sheet), "--augmented", str(tmp_path / "a.yaml")]
    assert main([*words, "--count", "1"]) == 0
    pixels = np.asarray(Image.open(sheet))
    corners = []
    for number in range(6):
        tile = pixels[LABEL : LABEL + TILE, 4 + number * (TILE + 4) :][:, :TILE, 2].astype(int)
        corners.append((tile[10, 10] > 200, tile[10, -10] > 200))
    assert corners == [(True, False)] + [(False, True)] * 5
    off = "Train.Dataset.transforms.random_flip=null"
    assert main([*words, "--count", "1", "--overwrite", off]) == 0
    tile = np.asarray(Image.open(sheet))[LABEL : LABEL + TILE, 8 + TILE :][:, :TILE, 2]
    assert tile[10, 10] > 200 > tile[10, -10]
    assert main([*words, "--overwrite", "Train.Dataset.type=Scenes"]) == 1
    assert "Train.Dataset.type: Scenes has label maps" in capsys.readouterr().err


def lists(folder) -> dict[str, list[str]]:
    return {path.name: path.read_text().splitlines() for path in sorted(folder.glob("*.txt"))}


def test_split_lists_every_pair_once_and_keeps_copies_together(tmp_path, capsys):
    folder = make(tmp_path, "Own", range(18))
    add(folder, "copy_a", picture(3).resize((80, 60)).resize((160, 120)))
    add(folder, "copy_b", ImageOps.mirror(picture(3)))
    found = []
    for seed in range(4):
        assert main(["split", str(folder), "--val", "0.2", "--test", "0.2", "--seed", str(seed), "--overwrite"]) == 0
        parts = lists(folder)
        assert {name: len(names) for name, names in parts.items()} == {"train.txt": 12, "val.txt": 4, "test.txt": 4}
        assert len({name for names in parts.values() for name in names}) == 20
        assert sum({"03", "copy_a", "copy_b"} <= set(names) for names in parts.values()) == 1
        found.append(parts)
    assert found[0] != found[1]
    assert main(["split", str(folder), "--val", "0.2", "--test", "0.2", "--overwrite"]) == 0
    assert lists(folder) == found[0]
    assert main(["split", str(folder)]) == 1
    assert "--overwrite replaces them" in capsys.readouterr().err
    assert [pair.name for pair in find_pairs(tmp_path, ["Own/val.txt"])] == found[0]["val.txt"]


def test_folds_are_apart_and_together_everything(tmp_path):
    folder = make(tmp_path, "Own", range(7))
    assert main(["split", str(folder), "--folds", "3"]) == 0
    parts = lists(folder)
    held_out = [parts[f"fold{k}_val.txt"] for k in range(3)]
    assert sorted(map(len, held_out)) == [2, 2, 3]
    assert sorted(name for names in held_out for name in names) == [f"{i:02}" for i in range(7)]
    for k in range(3):
        assert sorted([*parts[f"fold{k}_train.txt"], *held_out[k]]) == [f"{i:02}" for i in range(7)]


def test_folders_in_pairs_are_split_by_paths(tmp_path):
    make(tmp_path, "", range(6), ("TE-Image", "TE-Mask"))
    assert main(["split", str(tmp_path / "TE"), "--val", "0.5"]) == 0
    assert len(find_pairs(tmp_path, ["TE_train.txt"])) == len(find_pairs(tmp_path, ["TE_val.txt"])) == 3


def test_too_few_pairs_are_said(tmp_path, capsys):
    folder = make(tmp_path, "Own", range(2))
    assert main(["split", str(folder), "--folds", "3"]) == 1
    assert "2 pairs are too few: nothing is left for fold 2" in capsys.readouterr().err
    assert main(["split", str(folder), "--val", "0.9", "--test", "0.3"]) == 1
    assert "leave nothing to train on" in capsys.readouterr().err
    for share in ("1", "-0.1", "nan"):
        assert main(["split", str(folder), "--val", share]) == 1
        assert "share of validation must be at least 0 and less than 1" in capsys.readouterr().err
    assert lists(folder) == {}


def test_lists_of_another_division_do_not_stay_beside_the_new_ones(tmp_path, capsys):
    folder = make(tmp_path, "Own", range(10))
    (folder / "notes.txt").write_text("mine")
    assert main(["split", str(folder), "--val", "0.2", "--test", "0.2"]) == 0
    before = lists(folder)
    assert main(["split", str(folder), "--val", "0.3", "--overwrite"]) == 1
    assert f"{folder / 'test.txt'}: of another division" in capsys.readouterr().err and lists(folder) == before
    assert main(["split", str(folder), "--folds", "3"]) == 0  # which are not used together with these
    assert main(["split", str(folder), "--folds", "2", "--overwrite"]) == 1
    assert "fold2_train.txt" in capsys.readouterr().err
    (folder / "test.txt").unlink()
    assert main(["split", str(folder), "--val", "0.3", "--overwrite"]) == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["check", "a", "--folds", "3"], "--folds belongs to split, not to check"),
        (["split", "a", "--folds", "3", "--val", "0.1"], "one or the other"),
        (["split", "a", "b"], "split takes one PATH"),
        (["show", "a", "x=1"], "none is named"),
        (["show", "a", "--count", "0"], "at least 1"),
    ],
)
def test_options_that_do_not_fit_are_said(words, message, capsys):
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 2 and message in capsys.readouterr().err
