"""Sets that lie there as zip parts: read like the folder they were, refused with the file's name where they are not whole."""

import csv
import logging
import os
import shutil
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from inspyrenet.commands import evaluate
from inspyrenet.data.datasets import packed
from inspyrenet.data.datasets.build import build_train_dataset
from inspyrenet.data.datasets.packed import find_parts, part_name, unpacked
from inspyrenet.data.datasets.pairs import PreflightError, find_pairs
from inspyrenet.data.datasets.synthetic import write_dataset
from inspyrenet.data.hub.archives import ArchiveError
from inspyrenet.engine.eval_sets import find_sets
from inspyrenet.engine.train import split_pairs
from inspyrenet.utils.config.load import load_config
from inspyrenet.utils.metrics import match_folders

COUNT = 6


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    """The cache folder of the test, not yet there."""
    monkeypatch.setenv("INSPYRENET_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "packed"


@pytest.fixture
def data(tmp_path) -> tuple[Path, Path]:
    """Two roots with the same set "toy": as a folder, and in three parts."""
    folder = write_dataset(tmp_path / "plain", "toy", COUNT, size=(64, 80))
    (tmp_path / "travelled" / "toy").mkdir(parents=True)
    files = sorted(path for path in folder.rglob("0*") if path.is_file())
    for index in range(3):
        members = [path for path in files if int(path.stem) % 3 == index]
        write_zip(tmp_path / "travelled" / "toy" / part_name("toy", index + 1, 3), members, folder)
    return tmp_path / "plain", tmp_path / "travelled"


def write_zip(path: Path, files: list[Path], root: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for file in files:
            archive.write(file, file.relative_to(root).as_posix())


def only_folder(cache: Path) -> Path:
    (folder,) = cache.iterdir()
    return folder


# -- read like a folder -------------------------------------------------------------------------------------------


def test_pairs_are_those_of_the_folder(data, cache, caplog):
    with caplog.at_level(logging.INFO):
        plain, travelled = (find_pairs(root, ["toy"]) for root in data)
    assert [(pair.name, pair.dataset) for pair in travelled] == [(pair.name, pair.dataset) for pair in plain]
    for before, after in zip(plain, travelled, strict=True):
        assert after.image.read_bytes() == before.image.read_bytes()
        assert after.mask.read_bytes() == before.mask.read_bytes()
        assert after.image.is_relative_to(only_folder(cache))
    assert "unpacking the 3 parts" in caplog.text
    images = find_pairs(data[1], ["toy"], need_masks=False, limit=2)
    assert [(pair.name, pair.mask) for pair in images] == [("00000", None), ("00003", None)]


def test_training_gets_the_same_batches(data):
    steps = [("static_resize", {"size": [32, 32]}), ("random_flip", {}), ("normalize", {})]
    plain, travelled = (build_train_dataset(find_pairs(root, ["toy"]), steps, seed=3) for root in data)
    for index in range(COUNT):
        assert torch.equal(plain[index]["image"], travelled[index]["image"])
        assert torch.equal(plain[index]["mask"], travelled[index]["mask"])


def test_validation_holds_out_the_same_pairs(data, tmp_path):
    config = tmp_path / "a.yaml"
    transforms = "transforms: {static_resize: {size: [32, 32]}}"
    config.write_text(f"Train: {{Dataset: {{root: x, sets: [toy], {transforms}}}, Validation: {{fraction: 0.5}}}}\n")
    halves = []
    for root in data:
        section = load_config([config], [f"Train.Dataset.root={root}"])[0].Train
        halves.append([[pair.name for pair in half] for half in split_pairs(section, seed=1)])
    assert halves[0] == halves[1]
    assert [len(half) for half in halves[0]] == [3, 3]


def scored(truths: Path, maps: Path, results: Path, *words: str) -> list[dict[str, str]]:
    arguments = ["--pred-root", str(maps), "--gt-root", str(truths), f"Eval.result_path={results}", *words]
    assert evaluate.main([*arguments, "Eval.metrics=[mae, maxFm]", "Eval.num_workers=0"]) == 0
    (table,) = results.rglob("scores.csv")
    with table.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(("inside", "words"), [("", ["Eval.datasets=[toy]"]), ("", []), ("toy", [])])
def test_eval_scores_against_packed_masks(data, tmp_path, inside, words):
    for pair in find_pairs(data[0], ["toy"]):
        path = tmp_path / "maps" / "toy" / f"{pair.name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.roll(np.asarray(Image.open(pair.mask)), 3, axis=1)).save(path)
    plain, travelled = (
        scored(root / inside, tmp_path / "maps", tmp_path / f"results_{root.name}", *words) for root in data
    )
    assert travelled == plain
    assert (plain[0]["dataset"], plain[0]["images"]) == ("toy", str(COUNT))
    assert 0 < float(plain[0]["mae"]) < 0.5


def test_eval_finds_the_photographs_of_a_packed_set(data, cache):
    pairs = find_pairs(data[1], ["toy"])
    maps = make_maps(pairs, cache.parent / "maps")
    (matched,) = match_folders(find_sets(maps, data[1], ["toy"]))
    assert [pair.image for pair in matched.pairs] == [pair.image for pair in pairs]


def make_maps(pairs, root: Path) -> Path:
    for pair in pairs:
        (root / "toy").mkdir(parents=True, exist_ok=True)
        shutil.copy(pair.mask, root / "toy" / f"{pair.name}.png")
    return root


# -- the cache ----------------------------------------------------------------------------------------------------


def test_parts_are_unpacked_once_until_they_change(data, cache):
    folder = unpacked(data[1] / "toy")
    (folder / "images" / "mark.txt").write_text("still the first one")
    assert unpacked(data[1] / "toy") == folder
    assert (folder / "images" / "mark.txt").is_file()
    part = data[1] / "toy" / part_name("toy", 2, 3)
    status = part.stat()
    os.utime(part, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    other = unpacked(data[1] / "toy")
    assert other != folder
    assert not (other / "images" / "mark.txt").exists()
    assert len(list(cache.iterdir())) == 2


def test_several_readers_at_once_get_one_whole_folder(data, cache, monkeypatch):
    barrier, found = threading.Barrier(3, timeout=20), []
    unpack = packed.unpack_parts

    def together(parts, target):
        barrier.wait()
        return unpack(parts, target)

    monkeypatch.setattr(packed, "unpack_parts", together)
    threads = [threading.Thread(target=lambda: found.append(unpacked(data[1] / "toy"))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [only_folder(cache)] * 3
    assert len(list((found[0] / "images").iterdir())) == COUNT


def test_a_cache_that_cannot_be_written_says_what_to_set(data, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("INSPYRENET_CACHE", str(tmp_path / "file"))
    with pytest.raises(OSError, match=r"cannot unpack .*toy into .*file.packed.*set INSPYRENET_CACHE to a writable"):
        find_pairs(data[1], ["toy"])


def test_a_plain_folder_stays_where_it_is(data, cache, tmp_path):
    (data[0] / "toy" / "toy.zip").write_bytes(b"what it was fetched as")
    assert unpacked(data[0] / "toy") == data[0] / "toy"
    assert unpacked(tmp_path / "absent") == tmp_path / "absent"
    assert not cache.exists()


# -- what is refused ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("gone", [(2,), (1, 3)])
def test_missing_parts_are_named(data, cache, gone):
    for index in gone:
        (data[1] / "toy" / part_name("toy", index, 3)).unlink()
    names = ", ".join(part_name("toy", index, 3) for index in gone)
    with pytest.raises(PreflightError, match=f"not complete: {names} missing; copy all 3"):
        find_pairs(data[1], ["toy"])
    assert not cache.exists()


def flip(content: bytes) -> bytes:
    """One byte of a picture's data changed."""
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 255]) + content[middle + 1 :]


@pytest.mark.parametrize("damage", [lambda content: content[:-100], flip, lambda content: b""])
def test_a_damaged_part_is_named_and_leaves_nothing(data, cache, damage):
    part = data[1] / "toy" / part_name("toy", 3, 3)
    part.write_bytes(damage(part.read_bytes()))
    with pytest.raises(PreflightError, match=r"toy-3of3\.zip: cannot be unpacked .*remove it and fetch it again"):
        find_pairs(data[1], ["toy"])
    assert list(cache.iterdir()) == []


def test_eval_names_a_damaged_part_too(data, tmp_path, capsys):
    maps = make_maps(find_pairs(data[0], ["toy"]), tmp_path / "maps")
    (data[1] / "toy" / part_name("toy", 1, 3)).write_bytes(b"nothing")
    assert evaluate.main(["--pred-root", str(maps), "--gt-root", str(data[1])]) == 1
    assert "toy-1of3.zip: cannot be unpacked" in capsys.readouterr().err


@pytest.mark.parametrize("folder", ["images", "masks", "im", "gt"])
def test_parts_beside_an_unpacked_set_are_refused(data, folder):
    (data[1] / "toy" / folder).mkdir()
    with pytest.raises(PreflightError, match=rf"both the folder {folder} and parts .*toy-1of3\.zip.*remove one"):
        find_pairs(data[1], ["toy"])


def test_parts_of_two_packings_are_refused(data):
    folder = data[1] / "toy"
    shutil.copy(folder / part_name("toy", 1, 3), folder / part_name("toy", 1, 4))
    with pytest.raises(ArchiveError, match=r"different packings \(toy-1of3\.zip and toy-1of4\.zip"):
        find_parts(folder)


def test_the_same_file_in_two_parts_is_refused(data, cache):
    folder = data[1] / "toy"
    shutil.copy(folder / part_name("toy", 1, 3), folder / part_name("toy", 2, 3))
    with pytest.raises(ArchiveError, match=r"toy-2of3\.zip: holds images/00000\.jpg, and so does another part"):
        unpacked(folder)
    assert list(cache.iterdir()) == []


def test_a_hostile_part_writes_nothing(data, cache, tmp_path):
    with zipfile.ZipFile(data[1] / "toy" / part_name("toy", 3, 3), "a") as archive:
        archive.writestr("../../escaped.txt", "out")
    with pytest.raises(ArchiveError, match="outside its folder"):
        unpacked(data[1] / "toy")
    assert not list(tmp_path.rglob("escaped.txt"))
    assert list(cache.iterdir()) == []


def test_parts_without_images_are_refused(tmp_path):
    (tmp_path / "odd").mkdir()
    with zipfile.ZipFile(tmp_path / "odd" / "odd-1of1.zip", "w") as archive:
        archive.writestr("notes/plan.png", "picture")
    with pytest.raises(ArchiveError, match=r"odd-1of1\.zip.*no folder images \(inside: notes"):
        unpacked(tmp_path / "odd")
