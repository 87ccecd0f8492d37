"""Packing data sets for travel: what is read back, what fits, what is refused."""

import importlib
import subprocess
import zipfile
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from inspyrenet.data.augment.sample import is_binary
from inspyrenet.data.datasets.pairs import Pair, find_pairs
from inspyrenet.data.datasets.synthetic import write_dataset
from inspyrenet.data.images import headers
from inspyrenet.data.images.masks import read_mask
from inspyrenet.data.images.read import read_image
from tests.tiny_network import write_tiny

BENCHMARKS = Path(__file__).resolve().parents[3] / "benchmarks"
COUNT = 6
SOFT = "00003"  # the pair with a soft mask


@pytest.fixture
def pack(monkeypatch, tmp_path) -> ModuleType:
    """benchmarks/pack.py, with a small clone and a cache of the test's own."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    monkeypatch.setenv("INSPYRENET_CACHE", str(tmp_path / "cache"))
    script = importlib.import_module("pack")
    monkeypatch.setattr(script, "clone_bytes", lambda root: 5_000_000)
    return script


@pytest.fixture
def packing(pack) -> ModuleType:
    """benchmarks/packing.py."""
    return importlib.import_module("packing")


@pytest.fixture
def data(tmp_path) -> Path:
    """A set of painted pairs with masks of 0 and 255, but for one."""
    folder = write_dataset(tmp_path / "data", "toy", COUNT, size=(96, 128))
    for path in (folder / "masks").iterdir():  # painted with soft edges
        if path.stem != SOFT:
            Image.fromarray(np.uint8(255) * (read_mask(path) > 127)).save(path)
    return folder


def words(data: Path, out: Path, *more: str, size: int = 64, limit: float = 1, parts: int = 2) -> list[str]:
    numbers = ["--size", str(size), "--limit-mb", str(limit), "--parts", str(parts)]
    return [str(data), str(out), *numbers, "--no-score", *more]


def both(data: Path, out: Path) -> list[tuple[Pair, Pair]]:
    pairs, packed = find_pairs(data.parent, [data.name]), find_pairs(out, [data.name])
    assert [pair.name for pair in packed] == [pair.name for pair in pairs]
    return list(zip(pairs, packed, strict=True))


# -- what is read back --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["webp", "avif"])
def test_pairs_come_back_smaller_with_the_same_masks(pack, packing, data, tmp_path, kind):
    assert pack.main(words(data, tmp_path / "out", "--format", kind)) == 0
    for before, after in both(data, tmp_path / "out"):
        height, width = read_mask(before.mask).shape
        scale = 64 / max(height, width)
        assert read_image(after.image).shape == (round(height * scale), round(width * scale), 3)
        assert after.image.suffix == f".{kind}"
        mask = read_mask(after.mask)
        np.testing.assert_array_equal(mask, packing.reduced_mask(before, 64))
        assert is_binary(mask) == (before.name != SOFT)
        assert headers.parse(after.mask.read_bytes()).depth == (8 if before.name == SOFT else 1)
        assert packing.reduced_image(before, 64).shape == read_image(after.image).shape


def test_small_images_are_not_enlarged(pack, data, tmp_path):
    assert pack.main(words(data, tmp_path / "out", size=1000)) == 0
    for before, after in both(data, tmp_path / "out"):
        assert read_image(after.image).shape == read_image(before.image).shape
        np.testing.assert_array_equal(read_mask(after.mask), read_mask(before.mask))


@pytest.mark.parametrize("kind", ["webp", "avif"])
def test_the_same_pairs_make_the_same_bytes(pack, data, tmp_path, kind):
    for out in ("first", "second"):
        assert pack.main(words(data, tmp_path / out, "--format", kind, "--quality", "40")) == 0
    first, second = (sorted((tmp_path / out / "toy").iterdir()) for out in ("first", "second"))
    assert [path.name for path in first] == [path.name for path in second] == ["toy-1of2.zip", "toy-2of2.zip"]
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_parts_are_plain_zips_of_about_equal_size(pack, data, tmp_path):
    assert pack.main(words(data, tmp_path / "out", parts=3)) == 0
    parts = sorted((tmp_path / "out" / "toy").iterdir())
    assert [path.name for path in parts] == ["toy-1of3.zip", "toy-2of3.zip", "toy-3of3.zip"]
    entries = []
    for path in parts:
        with zipfile.ZipFile(path) as archive:
            entries += archive.infolist()
    assert all(entry.compress_type == zipfile.ZIP_STORED for entry in entries)
    assert [entry.filename for entry in entries[:2]] == ["images/00000.avif", "masks/00000.png"]
    largest = max(a.file_size + b.file_size for a, b in zip(entries[::2], entries[1::2], strict=True))
    sizes = [path.stat().st_size for path in parts]
    assert max(sizes) - min(sizes) <= largest + 500


@pytest.mark.parametrize("sizes", [[1, 1, 1, 1000], [1000, 1, 1, 1], [5] * 8])
def test_no_part_is_empty(packing, sizes):
    pairs = [(("i", bytes(size)), ("m", b"")) for size in sizes]
    for count in range(1, len(sizes) + 1):
        runs = packing.split_evenly(pairs, count)
        assert len(runs) == count
        assert all(runs)
        assert [pair for run in runs for pair in run] == pairs


def test_a_folder_of_sets_is_packed_set_by_set(pack, data, tmp_path):
    write_dataset(data.parent, "other", 3, seed=2, size=(64, 80))
    (data.parent / "notes").mkdir()
    assert pack.main(words(data.parent, tmp_path / "out")) == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["other", "toy"]
    assert len(find_pairs(tmp_path / "out", ["other", "toy"])) == COUNT + 3


def test_a_packed_set_can_be_packed_again(pack, data, tmp_path):
    assert pack.main(words(data, tmp_path / "out")) == 0
    assert pack.main(words(tmp_path / "out" / "toy", tmp_path / "smaller", size=48, parts=1)) == 0
    assert max(read_image(find_pairs(tmp_path / "smaller", ["toy"])[0].image).shape) == 48


# -- what fits ----------------------------------------------------------------------------------------------------


def packer(packing: ModuleType, data: Path, limit: int, kind: str = "webp"):
    return packing.Packer(find_pairs(data.parent, [data.name]), 64, kind, 2, limit)


def test_the_quality_is_the_highest_that_fits(packing, data, tmp_path):
    found = packer(packing, data, 9_000)
    best = found.pack()
    assert 1 < best.quality < 100
    assert found.total(best) <= 9_000 < found.total(found.encode(best.quality + 1))
    parts = packing.write_parts(best, tmp_path / "out")
    assert sum(path.stat().st_size for path in parts) == found.total(best)


@pytest.mark.parametrize("side", [24, 128])
def test_a_sample_that_misleads_is_corrected_by_the_whole(packing, data, side):
    """Of images that are too small the sample promises too high a quality, and of large ones too low a one."""
    right = packer(packing, data, 9_000).pack().quality
    misled = packer(packing, data, 9_000)
    misled.sample = [np.resize(image, (side, side, 3)) for image in misled.sample]
    first = misled._fitting(1.0)
    assert (first > right) if side == 24 else (first < right)
    best = misled.pack()
    assert misled.total(best) <= 9_000
    assert abs(best.quality - right) < abs(first - right)


@pytest.mark.parametrize("more", [["--quality", "95"], []])
def test_what_does_not_fit_is_refused_and_nothing_is_written(pack, data, tmp_path, capsys, more):
    assert pack.main(words(data, tmp_path / "out", *more, limit=0.004)) == 1
    said = capsys.readouterr().err
    assert ("quality 95 makes" if more else "even the lowest quality 1 makes") in said
    assert "over --limit-mb 0.004: allow more, or reduce --size" in said
    assert not (tmp_path / "out").exists()


def test_parts_get_their_names_together(packing, data, tmp_path, monkeypatch):
    packed, write = packer(packing, data, 100_000).pack(), packing._write_zip

    def full(path, files):
        if any((tmp_path / "out").rglob("*.part")):
            raise OSError(28, "No space left on device")
        write(path, files)

    monkeypatch.setattr(packing, "_write_zip", full)
    with pytest.raises(OSError, match="No space left"):
        packing.write_parts(packed, tmp_path / "out")
    assert list((tmp_path / "out" / "toy").iterdir()) == []


# -- what is refused ----------------------------------------------------------------------------------------------


def test_parts_that_are_there_are_not_mixed_with_new_ones(pack, data, tmp_path, capsys):
    assert pack.main(words(data, tmp_path / "out")) == 0
    assert pack.main(words(data, tmp_path / "out", parts=3)) == 1
    assert f"{tmp_path / 'out' / 'toy'} is not empty" in capsys.readouterr().err
    assert pack.main(words(data, data.parent)) == 1


def test_more_parts_than_pairs_and_no_set_at_all(pack, data, tmp_path, capsys):
    assert pack.main(words(data, tmp_path / "out", parts=COUNT + 1)) == 1
    assert f"toy has {COUNT} pairs: --parts {COUNT + 1} are too many" in capsys.readouterr().err
    assert pack.main(words(data / "images", tmp_path / "out")) == 1
    assert "neither a set" in capsys.readouterr().err


@pytest.mark.parametrize("wrong", [["--quality", "0"], ["--size", "0"], ["--limit-mb", "-1"], ["--parts", "0"]])
def test_impossible_numbers_are_usage_errors(pack, data, tmp_path, wrong):
    with pytest.raises(SystemExit, match="2"):
        pack.main(words(data, tmp_path / "out", *wrong))


# -- what it says -------------------------------------------------------------------------------------------------


def test_psnr(pack):
    gray = np.full((4, 4, 3), 100, np.uint8)
    assert pack.psnr(gray, gray + np.uint8(1)) == pytest.approx(20 * np.log10(255))
    assert pack.psnr(np.zeros_like(gray), np.full_like(gray, 255)) == 0
    assert pack.psnr(gray, gray) == pack.BEST_PSNR


def test_changes_are_measured_against_the_reduced_pairs(pack, data):
    pairs = find_pairs(data.parent, ["toy"])
    decibels, share = pack.changes(pairs, pairs, 1000)
    assert (decibels == pack.BEST_PSNR).all()
    assert share == 0
    mask = read_mask(pairs[0].mask).copy()
    mask[0, :5] = 255 - mask[0, :5]
    reduced = pack.reduced(pairs[0], 1000)
    Image.fromarray(reduced.image ^ 1).save(data / "images" / "changed.png")
    Image.fromarray(mask).save(data / "masks" / "changed.png")
    changed = Pair(data / "images" / "changed.png", data / "masks" / "changed.png", "changed", "toy")
    decibels, share = pack.changes(pairs[:1], [changed], 1000)
    assert decibels == pytest.approx(20 * np.log10(255), abs=0.01)
    assert share == 5 / mask.size


def test_a_network_is_scored_on_both(pack, data, tmp_path, capsys, flushed):
    config, weights = write_tiny(tmp_path / "net")
    options = [word for word in words(data, tmp_path / "out") if word != "--no-score"]
    assert pack.main([*options, "--config", str(config), "--ckpt", str(weights), "--device", "cpu"]) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("max F")]
    before, after = (float(part.split()[-1]) for part in line.split(",")[:2])
    assert line.startswith(f"max F on {COUNT} pairs")
    assert 0 < before < 1
    assert 0 < after < 1


def test_all_that_travels_is_summed(pack, data, tmp_path, capsys):
    (tmp_path / "wheels" / "deep").mkdir(parents=True)
    for name, size in (("start.safetensors", 2_000_000), ("wheels/a.whl", 1_000_000), ("wheels/deep/b.whl", 500_000)):
        (tmp_path / name).write_bytes(bytes(size))
    more = ["--weights", str(tmp_path / "start.safetensors"), "--wheels", str(tmp_path / "wheels")]
    assert pack.main(words(data, tmp_path / "out", *more, "--travel-limit-mb", "8.6")) == 0
    said = capsys.readouterr().out.splitlines()
    for line in ("clone 5.00 MB", "start weights 2.00 MB", "wheels 1.50 MB"):
        assert line in [" ".join(other.split()) for other in said]
    parts = sum(path.stat().st_size for path in (tmp_path / "out" / "toy").iterdir())
    assert said[-1].split() == ["all", "that", "travels", f"{8.5 + parts / 1e6:.2f}", "MB"]


@pytest.mark.parametrize(("limit", "written"), [("5.001", True), ("4", False)])
def test_too_much_to_travel_is_exit_code_1(pack, data, tmp_path, capsys, limit, written):
    assert pack.main(words(data, tmp_path / "out", "--travel-limit-mb", limit)) == 1
    assert f"over --travel-limit-mb {limit}; the largest of them is clone with 5.00 MB" in capsys.readouterr().err
    assert (tmp_path / "out").exists() == written


@pytest.mark.parametrize("option", ["--weights", "--wheels"])
def test_what_is_absent_is_reported_first(pack, data, tmp_path, capsys, option):
    assert pack.main(words(data, tmp_path / "out", option, str(tmp_path / "none"))) == 1
    assert f"{option} {tmp_path / 'none'}: no" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_clone_is_what_git_tracks(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    script = importlib.import_module("pack")
    with pytest.raises(script.PackingError, match="git cannot list the files of the clone"):
        script.clone_bytes(tmp_path)
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    (tmp_path / "tracked é.txt").write_bytes(bytes(300))
    (tmp_path / "gone.txt").write_bytes(bytes(70))
    subprocess.run(["git", "-C", str(tmp_path), "add", "."], check=True)
    (tmp_path / "gone.txt").unlink()
    (tmp_path / "other.txt").write_bytes(bytes(1000))
    assert script.clone_bytes(tmp_path) == 300
