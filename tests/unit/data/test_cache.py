"""The cache of the first resize: the same batches, found again, never half-built."""

import logging
import os
import pickle
import threading
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

from inspyrenet.data.augment.transforms import DynamicResize, Sample, StaticResize
from inspyrenet.data.datasets import cache
from inspyrenet.data.datasets.build import build_train_dataset
from inspyrenet.data.datasets.cache import build_cache, default_folder
from inspyrenet.data.datasets.torch_datasets import find_pairs, read_pair
from inspyrenet.data.images.masks import Coding
from inspyrenet.data.images.read import ImageError

STEPS = [("static_resize", {"size": [48, 64]}), ("random_scale_crop", {}), ("random_flip", {}), ("random_rotate", {}),
         ("random_image_enhance", {}), ("normalize", {})]  # fmt: skip


@pytest.fixture
def pairs(tmp_path):
    rng = np.random.default_rng(0)
    for index in range(5):
        for folder, shape in (("images", (40 + index, 60, 3)), ("masks", (40 + index, 60))):
            path = tmp_path / "set" / folder / f"{index}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(0, 256, shape, np.uint8)).save(path)
    return find_pairs(tmp_path, ["set"])


def loaded(dataset, **options):
    return list(DataLoader(dataset, batch_size=2, **options))


def same(first, second):
    return all(torch.equal(a[key], b[key]) for a, b in zip(first, second, strict=True) for key in a)


@pytest.mark.parametrize("kind", ["ram", "disk"])
@pytest.mark.parametrize("pipeline", ["pil", "fast"])
def test_batches_are_those_without_a_cache(pairs, tmp_path, kind, pipeline):
    plain = build_train_dataset(pairs, STEPS, seed=2, pipeline=pipeline)
    cached = build_train_dataset(pairs, STEPS, 2, pipeline, cache=kind, cache_folder=tmp_path / "cache")
    for pair in pairs:  # the files are not needed any more
        pair.image.rename(pair.image.with_suffix(".moved"))
    first = loaded(cached)
    assert same(first, loaded(cached, num_workers=2))
    assert same(first, loaded(pickle.loads(pickle.dumps(cached))))
    for pair in pairs:
        pair.image.with_suffix(".moved").rename(pair.image)
    assert same(first, loaded(plain))


def test_an_image_of_two_masks_keeps_both(pairs, tmp_path):
    other = replace(pairs[0], mask=tmp_path / "other.png", dataset="other")
    Image.fromarray(255 - np.asarray(Image.open(pairs[0].mask))).save(other.mask)
    cached = build_cache([*pairs, other], StaticResize((8, 8)), resized, "ram")
    for pair in (pairs[0], other):
        assert np.array_equal(cached(pair).mask, resized(pair).mask)
    assert not np.array_equal(cached(pairs[0]).mask, cached(other).mask)


def counting(read):
    def counted(pair):
        counted.count += 1
        return read(pair)

    counted.count = 0
    return counted


def resized(pair):
    return StaticResize((8, 8)).apply(read_pair(pair), None)


def test_a_disk_cache_is_found_again_until_something_changes(pairs, tmp_path):
    folder, read = tmp_path / "cache", counting(resized)
    resize = StaticResize((8, 8))
    build_cache(pairs, resize, read, "disk", folder)
    assert read.count == 5
    build_cache(pairs, resize, read, "disk", folder)
    assert read.count == 5
    build_cache(pairs, resize, read, "disk", folder, label="other")
    assert read.count == 10
    status = pairs[0].mask.stat()
    os.utime(pairs[0].mask, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    build_cache(pairs, resize, read, "disk", folder)
    assert read.count == 15


def test_masks_that_are_read_another_way_get_their_own_cache(pairs, tmp_path):
    folders = {
        build_cache(
            [replace(pair, coding=Coding(label)) for pair in pairs],
            StaticResize((8, 8)),
            blank,
            "disk",
            tmp_path / "cache",
        ).folder
        for label in (0, 0, 1)
    }
    assert len(folders) == 2


def blank(pair):
    return Sample(np.zeros((8, 8, 3), np.uint8), np.zeros((8, 8), np.uint8))


def test_size_is_announced_first(pairs, tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        build_cache(pairs, StaticResize((8, 8)), resized, "disk", tmp_path / "cache")
    assert "caching 5 pairs at 8x8: 0.00 GB" in caplog.records[0].message


def test_a_damaged_file_leaves_no_cache(pairs, tmp_path):
    pairs[3].image.write_bytes(b"")
    with pytest.raises(ImageError, match=r"3\.png"):
        build_cache(pairs, StaticResize((8, 8)), resized, "disk", tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_two_builders_at_once(pairs, tmp_path):
    barrier, readers = threading.Barrier(2, timeout=20), []

    def slow(pair):
        if pair.name == "4":
            barrier.wait()
        return resized(pair)

    def build():
        readers.append(build_cache(pairs, StaticResize((8, 8)), slow, "disk", tmp_path / "cache"))

    threads = [threading.Thread(target=build) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(readers) == 2
    for reader in readers:
        np.testing.assert_array_equal(reader(pairs[2]).image, resized(pairs[2]).image)
    assert len(list((tmp_path / "cache").iterdir())) == 1


def test_shortage_of_space_is_said_before_anything_is_read(pairs, tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "available_memory", lambda: 100)
    with pytest.raises(ValueError, match="use cache: disk"):
        build_cache(pairs, StaticResize((8, 8)), resized, "ram")
    monkeypatch.setattr(cache.shutil, "disk_usage", lambda path: Usage())
    with pytest.raises(ValueError, match="cache: none"):
        build_cache(pairs, StaticResize((8, 8)), resized, "disk", tmp_path / "cache")


class Usage:
    free = 100


def test_a_disk_that_fills_up_is_an_error_with_a_remedy(pairs, tmp_path, monkeypatch):
    def full(pair):
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match=r"No space left on device.*cache: none"):
        build_cache(pairs, StaticResize((8, 8)), full, "disk", tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_what_cannot_be_cached_is_refused(pairs, tmp_path):
    with pytest.raises(ValueError, match="static_resize"):
        build_cache(pairs, DynamicResize(64), resized, "ram")
    with pytest.raises(ValueError, match="static_resize"):
        build_train_dataset(pairs, STEPS[1:], cache="ram")
    with pytest.raises(ValueError, match="cache must be"):
        build_train_dataset(pairs, STEPS, cache="tape")
    with pytest.raises(ValueError, match="was read as"):
        build_cache(pairs, StaticResize((9, 9)), resized, "disk", tmp_path / "cache")


def test_the_folder_comes_from_the_environment_first(monkeypatch, tmp_path):
    monkeypatch.setenv("INSPYRENET_CACHE", str(tmp_path))
    assert default_folder() == tmp_path / "resized"
    monkeypatch.delenv("INSPYRENET_CACHE")
    assert "inspyrenet" in str(default_folder())


@pytest.mark.parametrize("damage", [lambda path: path.write_bytes(path.read_bytes()[:200]), lambda path: path.unlink()])
def test_a_damaged_cache_is_made_anew(pairs, tmp_path, caplog, damage):
    build = partial(build_cache, pairs, StaticResize((8, 8)), resized, "disk", tmp_path / "cache")
    first = build()(pairs[0])
    (folder,) = (tmp_path / "cache").iterdir()
    damage(folder / "masks.npy")
    with caplog.at_level(logging.WARNING):
        again = build()(pairs[0])
    assert "is damaged" in caplog.text and np.array_equal(first.image, again.image)
