"""Training and test data sets: what items hold, and that randomness depends on seed, epoch and index alone."""

import pickle

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

from inspyrenet.data.augment.transforms import build_transforms
from inspyrenet.data.datasets.torch_datasets import Pair, TestDataset, TrainDataset, collate_test, find_pairs
from inspyrenet.data.images.preprocess import Preprocess
from inspyrenet.data.images.read import ImageError

STEPS = [("static_resize", {"size": [32, 32]}), ("random_scale_crop", {}), ("random_flip", {}), ("random_rotate", {}),
         ("random_image_enhance", {}), ("normalize", {})]  # fmt: skip


@pytest.fixture
def pairs(tmp_path):
    rng = np.random.default_rng(0)
    for index in range(7):
        for folder, shape in (("images", (20 + index, 30, 3)), ("masks", (20 + index, 30))):
            path = tmp_path / "set" / folder / f"{index}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(0, 256, shape, np.uint8)).save(path)
    return find_pairs(tmp_path, ["set"])


def batches(dataset, **options):
    return list(DataLoader(dataset, batch_size=3, **options))


def same(first, second):
    return all(torch.equal(a[key], b[key]) for a, b in zip(first, second, strict=True) for key in a)


def test_items_and_names(pairs):
    dataset = TrainDataset(pairs, build_transforms(STEPS), seed=1)
    item = dataset[2]
    assert item["image"].shape == (3, 32, 32)
    assert item["mask"].shape == (1, 32, 32)
    assert item["index"] == 2
    assert dataset[-1]["index"] == 6
    assert dataset.describe(2) == f"set/2 ({pairs[2].image})"
    batch = batches(dataset)[1]
    assert dataset.names(batch["index"]) == [dataset.describe(index) for index in (3, 4, 5)]


def test_same_batches_for_any_number_of_workers_and_other_ones_each_epoch(pairs):
    dataset = TrainDataset(pairs, build_transforms(STEPS), seed=5)
    alone = batches(dataset)
    assert same(alone, batches(dataset, num_workers=2))
    assert same(alone, batches(pickle.loads(pickle.dumps(dataset))))
    dataset.set_epoch(1)
    assert not same(alone, batches(dataset))
    dataset.set_epoch(0)
    assert same(alone, batches(dataset))
    assert not same(alone, batches(TrainDataset(pairs, build_transforms(STEPS), seed=6)))


def test_a_repetition_is_the_same_pair_with_other_draws(pairs):
    dataset = TrainDataset(pairs, build_transforms(STEPS), seed=5)
    first, again, third = dataset[4], dataset[4, 1], dataset[4, 2]
    assert first["index"] == again["index"] == third["index"] == 4
    assert not torch.equal(first["image"], again["image"]) and not torch.equal(again["image"], third["image"])
    assert torch.equal(dataset[4, 1]["image"], again["image"])


def test_workers_that_live_on_see_the_new_epoch(pairs):
    dataset = TrainDataset(pairs, build_transforms(STEPS), seed=5)
    loader = DataLoader(dataset, batch_size=3, num_workers=1, persistent_workers=True)
    list(loader)
    dataset.set_epoch(3)
    assert same(list(loader), batches(dataset))


def test_reading_errors_name_the_file(pairs):
    dataset = TrainDataset(pairs, build_transforms(STEPS))
    pairs[4].image.write_bytes(pairs[4].image.read_bytes()[:300])
    with pytest.raises(ImageError, match=str(pairs[4].image)):
        dataset[4]
    Image.fromarray(np.zeros((5, 6), np.uint8)).save(pairs[3].mask)
    with pytest.raises(ImageError, match=r"30x23 but its mask .* is 6x5"):
        dataset[3]
    with pytest.raises(ImageError, match="no mask"):
        TrainDataset([Pair(pairs[0].image, None, "0", "set")], build_transforms(STEPS))[0]


def test_an_empty_data_set_is_an_error():
    with pytest.raises(ValueError, match="without pairs"):
        TrainDataset([], build_transforms(STEPS))
    with pytest.raises(ValueError, match="without images"):
        TestDataset([], Preprocess())


def test_test_items_from_pairs_and_paths(pairs):
    preprocess = Preprocess("dynamic", 64, base_size=(32, 32))
    item = TestDataset(pairs, preprocess)[1]
    assert item["image"].shape == (3, 32, 32)
    assert item["resized"].shape == (3, 32, 32)
    assert (item["shape"], item["name"], item["dataset"]) == ((21, 30), "1", "set")
    single = TestDataset([str(pairs[1].image)], preprocess)[0]
    assert (single["name"], single["dataset"]) == ("1", "")
    assert torch.equal(single["image"], item["image"])


def test_collate_groups_equal_sizes_and_keeps_errors_apart(tmp_path):
    shapes = [(40, 40), (40, 80), (40, 40), None]
    paths = []
    for index, shape in enumerate(shapes):
        paths.append(tmp_path / f"{index}.png")
        if shape:
            Image.fromarray(np.zeros((*shape, 3), np.uint8)).save(paths[-1])
    dataset = TestDataset(paths, Preprocess("dynamic", 64), on_error="report")
    (grouped,) = DataLoader(dataset, batch_size=4, collate_fn=collate_test)
    assert [batch["name"] for batch in grouped] == [["0", "2"], ["1"], ["3"]]
    assert grouped[0]["image"].shape == (2, 3, 32, 32)
    assert grouped[0]["resized"] is None
    assert grouped[0]["shape"] == [(40, 40), (40, 40)]
    assert "no such file" in grouped[2]["error"][0]
    with pytest.raises(ImageError):
        TestDataset(paths, Preprocess())[3]
