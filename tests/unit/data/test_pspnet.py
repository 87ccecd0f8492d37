"""Crops and blur: where the window lies, what is padding, and that the data set says so."""

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from inspyrenet.data.augment.pspnet import FILL, RandomBlur, RandomCrop
from inspyrenet.data.augment.transforms import Sample, build_transforms
from inspyrenet.data.datasets.build import build_train_dataset
from inspyrenet.data.datasets.pairs import find_pairs
from inspyrenet.data.datasets.synthetic import write_dataset


def numbered(height: int, width: int) -> Sample:
    """Every pixel tells its row and column."""
    rows, columns = np.mgrid[:height, :width].astype(np.uint8)
    return Sample(np.stack([rows, columns, rows], axis=2), np.where(columns < width // 2, 255, 0).astype(np.uint8))


@given(height=st.integers(1, 40), width=st.integers(1, 40), seed=st.integers(0, 99))
def test_a_window_is_part_of_the_image_or_padding(height, width, seed):
    sample, crop = numbered(height, width), RandomCrop((17, 25), (1, 1))
    (image, mask), valid = crop.apply(sample, crop.draw(np.random.default_rng(seed)))
    assert image.shape == (17, 25, 3) and mask.shape == valid.shape == (17, 25)
    assert valid.sum() == min(height, 17) * min(width, 25)
    assert (image[~valid] == FILL).all() and not mask[~valid].any()
    rows, columns = image[valid][:, 0].astype(int), image[valid][:, 1].astype(int)
    assert np.array_equal(mask[valid], sample.mask[rows, columns])
    assert len({*zip(rows.tolist(), columns.tolist(), strict=True)}) == valid.sum()


def test_every_place_of_the_window_occurs_and_padding_is_on_both_sides():
    rng, crop = np.random.default_rng(0), RandomCrop((4, 8), (1, 1))
    drawn = [crop.apply(numbered(6, 4), crop.draw(rng)) for _ in range(60)]
    assert {int(sample.image[0, 2, 0]) for sample, _ in drawn} == {0, 1, 2}
    assert all(valid.any(axis=0).tolist() == [False] * 2 + [True] * 4 + [False] * 2 for _, valid in drawn)


def test_images_are_scaled_and_masks_stay_binary_or_soft():
    sample = numbered(20, 30)
    (image, mask), valid = RandomCrop((40, 60), (2, 2)).apply(sample, (2.0, 0.0, 0.0))
    assert valid.all() and set(np.unique(mask)) == {0, 255}
    assert np.array_equal(image, cv2.resize(sample.image, (60, 40), interpolation=cv2.INTER_LINEAR))
    soft = Sample(sample.image, np.arange(0, 240, 8, dtype=np.uint8)[None].repeat(20, axis=0))
    assert len(np.unique(RandomCrop((40, 60)).apply(soft, (2.0, 0.0, 0.0))[0].mask)) > 40


def test_a_hard_mask_is_sampled_where_its_image_is():
    mask = np.where(np.random.default_rng(0).random((30, 45)) < 0.5, 255, 0).astype(np.uint8)
    sample = Sample(np.dstack([mask] * 3), mask)
    (image, mask), _ = RandomCrop((10, 15)).apply(sample, (1 / 3, 0.0, 0.0))  # the middle ones of 3 pixels
    assert np.array_equal(image[..., 0], mask)


def test_blur_is_opencvs_on_the_image_alone():
    sample, rng = (
        Sample(np.random.default_rng(0).integers(0, 256, (9, 9, 3), dtype=np.uint8), np.eye(9, dtype=np.uint8)),
        (np.random.default_rng(1)),
    )
    out = RandomBlur(p=1)(sample, rng)
    assert np.array_equal(out.image, cv2.GaussianBlur(sample.image, (5, 5), 0)) and out.mask is sample.mask
    assert RandomBlur(p=0)(sample, rng) is sample
    with pytest.raises(ValueError, match="odd"):
        build_transforms([("random_blur", {"size": 4})])


@pytest.mark.parametrize("pipeline", ["fast", "pil"])
def test_a_data_set_with_crops_says_where_images_are(tmp_path, pipeline):
    write_dataset(tmp_path, "set", 2, seed=1, size=(80, 64))
    pairs = find_pairs(tmp_path, ["set"])
    steps = [("random_flip", {}), ("random_crop", {"size": [33, 41], "scale": [0.25, 0.375]}), ("normalize", {})]
    dataset = build_train_dataset(pairs, steps, 2, pipeline, labels=[7, 1])
    item = dataset[0]
    assert item["image"].shape == (3, 33, 41) and item["mask"].shape == item["valid"].shape == (1, 33, 41)
    assert set(item["valid"].unique().tolist()) == {0, 1} and item["label"] == 7
    assert item["image"][:, item["valid"][0] == 0].abs().max() < 0.01  # the mean color
    assert torch.equal(item["image"], dataset[0]["image"])
    dataset.set_epoch(1)
    assert not torch.equal(item["image"], dataset[0]["image"])
    assert set(build_train_dataset(pairs, steps[:1], 2, pipeline)[0]) == {"image", "mask", "index"}


def test_labels_must_fit_the_pairs(tmp_path):
    write_dataset(tmp_path, "set", 2, seed=1, size=(80, 64))
    with pytest.raises(ValueError, match="1 labels for 2 pairs"):
        build_train_dataset(find_pairs(tmp_path, ["set"]), [], labels=[0])
