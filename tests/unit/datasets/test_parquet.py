"""Sets in parquet shards: unpacked once, found everywhere, complete or an error."""

import io
import shutil

import numpy as np
import pytest
from PIL import Image

from inspyrenet.data.datasets import parquet
from inspyrenet.data.datasets.pairs import PreflightError, find_pairs
from inspyrenet.engine.eval_sets import find_sets

arrow = pytest.importorskip("pyarrow")
write_table = pytest.importorskip("pyarrow.parquet").write_table


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("INSPYRENET_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def encoded(form: str, value: int = 255) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full((8, 12), value, np.uint8)).save(file, form)
    return file.getvalue()


def write(folder, split="train", shards=2, rows=3, columns=("image", "mask"), paths=True):
    """Shards of a split in folder/data: rows with a JPEG image and a PNG mask."""
    (folder / "data").mkdir(parents=True, exist_ok=True)
    for shard in range(shards):
        numbers = range(shard * rows, (shard + 1) * rows)
        image = [{"bytes": encoded("JPEG"), "path": f"deep/{split}_{i}.jpg" if paths else None} for i in numbers]
        table = {columns[0]: image, columns[1]: [encoded("PNG") for _ in numbers], "width": [12 for _ in numbers]}
        write_table(arrow.table(table), folder / "data" / f"{split}-{shard:05}-of-{shards:05}.parquet")
    return folder


def test_shards_are_one_set_that_is_unpacked_once(tmp_path, cache, monkeypatch):
    write(tmp_path / "HF", columns=("image", "label"))
    found = find_pairs(tmp_path, ["HF"])
    assert [pair.name for pair in found] == [f"train_{i}" for i in range(6)]
    assert {(pair.image.suffix, pair.mask.suffix) for pair in found} == {(".jpg", ".png")}
    assert found[0].image.read_bytes() == encoded("JPEG") and found[0].read_mask().shape == (8, 12)
    monkeypatch.setattr(parquet, "_unpack", None)
    assert find_pairs(tmp_path, ["HF"]) == found
    (tmp_path / "maps" / "HF").mkdir(parents=True)
    (scored,) = find_sets(tmp_path / "maps", tmp_path, ["HF"])
    assert scored.masks == found[0].mask.parent


def test_splits_are_sets_of_their_own(tmp_path):
    write(tmp_path / "HF")
    write(tmp_path / "HF", "test", 1, 2, paths=False)
    assert [pair.name for pair in find_pairs(tmp_path, ["HF/test"])] == ["00000", "00001"]
    assert len(find_pairs(tmp_path, ["HF/train"])) == 6
    with pytest.raises(PreflightError, match="has the splits test and train; name one: HF/test"):
        find_pairs(tmp_path, ["HF"])


def test_shards_with_a_hash_in_their_names_keep_their_splits(tmp_path):
    folder = write(write(tmp_path / "HF"), "test", 1, 2) / "data"
    for number, path in enumerate(sorted(folder.iterdir())):
        path.rename(path.with_stem(f"{path.stem}-a09b74b3ef9c3b{number:02x}"))
    assert len(find_pairs(tmp_path, ["HF/train"])) == 6 and len(find_pairs(tmp_path, ["HF/test"])) == 2
    shutil.copy(folder / "train-00000-of-00002-a09b74b3ef9c3b01.parquet", folder / "train-00000-of-00002-ff.parquet")
    with pytest.raises(PreflightError, match="has shards of different packings"):
        find_pairs(tmp_path, ["HF/train"])
    shutil.copy(folder / "test-00000-of-00001-a09b74b3ef9c3b00.parquet", folder / "test.parquet")
    with pytest.raises(PreflightError, match="has shards of different packings"):
        find_pairs(tmp_path, ["HF/test"])


def test_files_of_names_that_say_nothing_are_not_taken_for_one_split(tmp_path):
    folder = write(tmp_path / "HF", shards=2) / "data"
    for name, path in zip(("mine", "yours"), sorted(folder.iterdir()), strict=True):
        path.rename(folder / f"{name}.parquet")
    with pytest.raises(PreflightError, match="has the splits mine and yours; name one: HF/mine"):
        find_pairs(tmp_path, ["HF"])
    for number, path in enumerate(sorted(folder.iterdir())):
        path.rename(folder / f"{number:04}.parquet")
    assert len(find_pairs(tmp_path, ["HF"])) == 6


def test_folders_and_tables_of_one_place_are_told_apart(tmp_path):
    for part in ("images", "masks"):
        (tmp_path / "HF" / part).mkdir(parents=True)
        (tmp_path / "HF" / part / "a.png").write_bytes(encoded("PNG"))
    table = {"image": ["a.png"], "mask": ["a.png"], "quality": [0.9]}  # of paths, such as the manifest of a batch
    write_table(arrow.table(table), tmp_path / "HF" / "manifest.parquet")
    assert [pair.name for pair in find_pairs(tmp_path, ["HF"])] == ["a"]
    write(tmp_path / "HF")
    for path in (tmp_path / "HF" / "data").iterdir():
        path.rename(tmp_path / "HF" / path.name)
    with pytest.raises(
        PreflightError, match=r"has both the folder images and train-00000-of-00002\.parquet; remove one"
    ):
        find_pairs(tmp_path, ["HF"])


def test_rows_are_read_a_few_at_a_time(tmp_path, monkeypatch):
    """What is in memory at once depends on ROWS, not on the shard."""
    sizes = []
    monkeypatch.setattr(parquet, "ROWS", 2)
    opened = parquet._opened

    def watched(shard):
        file = opened(shard)
        batches = file.iter_batches
        file.iter_batches = lambda *words, **more: (sizes.append(len(b)) or b for b in batches(*words, **more))
        return file

    monkeypatch.setattr(parquet, "_opened", watched)
    write(tmp_path / "HF", shards=1, rows=5, paths=False)
    assert len(find_pairs(tmp_path, ["HF"])) == 5
    assert sizes[-3:] == [2, 2, 1]


def test_what_is_wrong_with_shards_is_said(tmp_path):
    write(tmp_path / "gap", shards=3)
    (tmp_path / "gap/data/train-00001-of-00003.parquet").unlink()
    write(tmp_path / "both", columns=("image", "mask"))
    table = {name: [encoded("PNG")] for name in ("image", "mask", "gt")}
    write_table(arrow.table(table), tmp_path / "both/data/train-00000-of-00002.parquet")
    write_table(arrow.table({"image": [encoded("PNG")], "mask": [b"text"]}), tmp_path / "bad.parquet")
    (tmp_path / "bad" / "data").mkdir(parents=True)
    (tmp_path / "bad.parquet").rename(tmp_path / "bad/data/train.parquet")
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / "train.parquet").write_bytes(b"PAR1 torn")
    for name, message in {
        "gap": "train-00001-of-00003.parquet missing",
        "both": "mask and gt may hold the masks",
        "bad": r"row 0 of .*\(mask\): is no image of a known kind",
        "torn": "cannot be read",
    }.items():
        with pytest.raises(PreflightError, match=message):
            find_pairs(tmp_path, [name])
