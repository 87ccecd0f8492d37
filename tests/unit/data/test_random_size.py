"""Batches of a size of their own: which sizes, and that they depend on the batch alone."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from inspyrenet.data.augment.random_size import RandomSize
from inspyrenet.data.datasets.build import build_train_dataset
from inspyrenet.data.datasets.pairs import find_pairs
from inspyrenet.data.datasets.synthetic import write_dataset
from inspyrenet.utils.train.loader import TrainLoader

RANGES = {"height": (32, 96), "width": (32, 160)}


@given(epoch=st.integers(0, 500), index=st.integers(0, 20000), seed=st.integers(0, 99))
def test_sizes_are_multiples_of_32_in_range(epoch, index, seed):
    height, width = RandomSize(seed, (256, 2304), (300, 700)).size(epoch, index)
    assert height % 32 == width % 32 == 0
    assert 256 <= height <= 2304 and 288 <= width <= 700


def test_sizes_cover_the_range_and_change_with_the_epoch():
    collate = RandomSize(0, (256, 511), (256, 511))
    sizes = {collate.size(0, index) for index in range(400)}
    assert {height for height, _ in sizes} == set(range(256, 512, 32))
    assert [collate.size(1, i) for i in range(20)] != [collate.size(0, i) for i in range(20)]
    assert RandomSize(1, (256, 511), (256, 511)).size(0, 7) != collate.size(0, 7)


@settings(max_examples=5)
@given(count=st.integers(1, 3))
def test_a_batch_has_one_size_and_keeps_masks_in_range(count):
    items = []
    for i in range(count):
        mask = torch.rand(1, 50 + 10 * i, 70).round()
        items.append({"image": mask.expand(3, -1, -1), "mask": mask, "index": i + 5, "label": 3 * i, "epoch": 2})
    collate = RandomSize(3, (32, 96), (32, 160))
    batch = collate(items)
    assert tuple(batch["image"].shape) == (count, 3, *collate.size(2, 5))
    assert batch["mask"].shape[1:] == (1, *collate.size(2, 5))
    assert batch["index"].tolist() == [i + 5 for i in range(count)]
    assert batch["label"].tolist() == [3 * i for i in range(count)]
    assert batch["mask"].min() >= 0 and batch["mask"].max() <= 1
    assert torch.allclose(batch["image"][:, :1].clamp(0, 1), batch["mask"])


@pytest.mark.parametrize("ends", [(16, 64), (96, 64)])
def test_ranges_that_make_no_sense_are_refused(ends):
    with pytest.raises(ValueError, match=f"32.*{ends[0]} to {ends[1]}"):
        RandomSize(0, ends, (64, 64))


# -- through the loader -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    root = tmp_path_factory.mktemp("shapes")
    write_dataset(root, "small", 4, seed=1, size=(70, 80))
    write_dataset(root, "large", 3, seed=2, size=(90, 64))
    return find_pairs(root, ["small", "large"])


def loader(pairs, workers=0, batch=2):
    dataset = build_train_dataset(pairs, [("random_flip", {}), ("normalize", {})], 4, random_size=RANGES)
    return TrainLoader(dataset, batch, num_workers=workers, seed=4, collate=dataset.collate)


def batches(found, epoch, start=0):
    return [(batch["index"].tolist(), batch["image"], batch["mask"]) for batch in found.batches(epoch, start)]


def same(left, right):
    return len(left) == len(right) and all(
        a[0] == b[0] and torch.equal(a[1], b[1]) and torch.equal(a[2], b[2]) for a, b in zip(left, right, strict=True)
    )


def test_workers_and_resuming_do_not_change_a_batch(pairs):
    alone, many = loader(pairs), loader(pairs, workers=2)
    try:
        epochs = [batches(alone, epoch) for epoch in range(3)]
        assert len({image.shape[-2:] for epoch in epochs for _, image, _ in epoch}) > 3
        assert all(same(batches(many, epoch), epochs[epoch]) for epoch in range(2))
        assert same(batches(loader(pairs), 2, start=4), epochs[2][2:])  # another process, from the middle
    finally:
        many.close()
