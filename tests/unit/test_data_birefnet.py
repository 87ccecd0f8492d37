"""Augmentations of BiRefNet: what they draw, what they leave alone, and batches of a size of their own."""

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from inspyrenet.data.pairs import Pair
from inspyrenet.data.transforms import Compose, Normalize, Sample
from inspyrenet.data.transforms_birefnet import (
    TRANSFORMS_BIREFNET,
    Background,
    BackgroundColour,
    DynamicCollate,
    DynamicTrainDataset,
    OpenCVResize,
    RandomColour,
    RandomTurn,
    SaltAndPepper,
    dis5k_class,
    dis5k_labels,
)


def sample(height: int = 40, width: int = 56, seed: int = 0) -> Sample:
    rng = np.random.default_rng(seed)
    mask = np.zeros((height, width), np.uint8)
    mask[height // 4 : height // 2, width // 4 : width // 2] = 255
    mask[height // 2, width // 4 : width // 2] = 128
    return Sample(rng.integers(0, 256, (height, width, 3), dtype=np.uint8), mask)


@pytest.mark.parametrize("name", TRANSFORMS_BIREFNET)
def test_same_generator_same_result_and_input_untouched(name):
    step = TRANSFORMS_BIREFNET[name](**({"size": (32, 64)} if name == "opencv_resize" else {}))
    given_sample = sample()
    before = [array.copy() for array in given_sample]
    first, second = (step(given_sample, np.random.default_rng(3)) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    assert all(np.array_equal(a, b) for a, b in zip(given_sample, before, strict=True))
    assert first.image.dtype == first.mask.dtype == np.uint8 and first.image.shape[:2] == first.mask.shape


@given(seed=st.integers(0, 2**32), step=st.sampled_from([RandomTurn, BackgroundColour]))
def test_the_number_of_draws_does_not_depend_on_the_outcome(seed, step):
    always, never = np.random.default_rng(seed), np.random.default_rng(seed)
    assert step(p=1).draw(always) is not None and step(p=0).draw(never) is None
    assert always.bit_generator.state == never.bit_generator.state


def test_resize_is_opencvs_without_antialiasing():
    given_sample = sample(60, 90)
    out = OpenCVResize((20, 30))(given_sample, np.random.default_rng(0))
    assert np.array_equal(out.image, cv2.resize(given_sample.image, (30, 20), interpolation=cv2.INTER_LINEAR))
    assert out.mask.shape == (20, 30)
    steps = Compose([OpenCVResize((20, 30)), RandomColour()], Normalize())
    assert steps.resize is steps.steps[0]  # what a cache may keep


def test_turns_are_rare_whole_and_within_range():
    rng = np.random.default_rng(0)
    drawn = [RandomTurn().draw(rng) for _ in range(4000)]
    angles = [angle for angle in drawn if angle is not None]
    assert 0.17 < len(angles) / len(drawn) < 0.23
    assert min(angles) == -15 and max(angles) == 14


def test_a_turn_keeps_image_and_mask_together():
    mask = np.zeros((41, 41), np.uint8)
    mask[5:15, 18:23] = 255
    out = RandomTurn((14, 15), p=1)(Sample(np.repeat(mask[..., None], 3, axis=2), mask), np.random.default_rng(0))
    assert np.array_equal(out.image[..., 0], out.mask)
    assert out.mask.shape == (41, 41) and not np.array_equal(out.mask, mask)
    assert np.nonzero(out.mask)[1].mean() < 19  # above the centre, counter-clockwise is to the left
    whole = RandomTurn((10, 11), p=1)(Sample(np.full((9, 9, 3), 200, np.uint8), mask[:9, :9]), np.random.default_rng(0))
    assert (whole.image[0, 0] == 0).all()  # black outside


def test_colour_factors_are_tenths_in_their_ranges():
    rng = np.random.default_rng(1)
    factors = np.array([RandomColour().draw(rng) for _ in range(3000)])
    assert np.allclose(factors * 10, np.rint(factors * 10))
    assert factors.min(axis=0).tolist() == [0.5, 0.5, 0, 0] and factors.max(axis=0).tolist() == [1.5, 1.5, 2, 3]
    given_sample = sample()
    same = RandomColour().apply(given_sample, (1.0, 1.0, 1.0, 1.0))
    assert np.array_equal(same.image, given_sample.image)
    grey = RandomColour().apply(given_sample, (1.0, 1.0, 0.0, 1.0)).image
    assert (grey[..., 0] == grey[..., 1]).all()
    assert not RandomColour().apply(given_sample, (0.5, 1.0, 1.0, 1.0)).image.astype(int).max() > 128


def test_noise_is_black_or_white_in_all_channels_of_the_image_alone():
    given_sample = Sample(np.full((200, 300, 3), 100, np.uint8), np.full((200, 300), 77, np.uint8))
    out = SaltAndPepper()(given_sample, np.random.default_rng(0))
    changed = (out.image != 100).any(axis=2)
    assert 80 <= changed.sum() <= 90  # 0.15 % of 60000, some pixels twice
    assert set(map(tuple, out.image[changed])) == {(0, 0, 0), (255, 255, 255)}
    assert np.array_equal(out.mask, given_sample.mask)


def test_kinds_of_background_have_their_shares():
    rng = np.random.default_rng(2)
    drawn = [BackgroundColour().draw(rng) for _ in range(4000)]
    shares = {kind: sum(d.kind == kind for d in drawn) / len(drawn) for kind in ("grey", "foreground", "random")}
    assert shares == pytest.approx({"grey": 0.4, "foreground": 0.4, "random": 0.2}, abs=0.03)
    assert sum(BackgroundColour(p=0.25).draw(rng) is None for _ in range(2000)) == pytest.approx(1500, abs=80)


@pytest.mark.parametrize(
    ("kind", "expected"), [("grey", (90, 90, 90)), ("random", (1, 2, 3)), ("foreground", (80, 120, 255))]
)
def test_background_takes_the_colour_and_the_object_stays(kind, expected):
    image = np.zeros((20, 20, 3), np.uint8)
    image[5:10] = (100, 120, 250)
    mask = np.zeros((20, 20), np.uint8)
    mask[5:10] = 255
    out = BackgroundColour().apply(Sample(image, mask), Background(kind, 90, (0.8, 1.0, 1.2), (1, 2, 3)))
    assert np.array_equal(out.image[5:10], image[5:10])
    assert (out.image[mask == 0] == expected).all()


def test_background_mixes_by_soft_masks_and_stands_an_empty_one():
    image = np.full((4, 4, 3), 200, np.uint8)
    half = BackgroundColour().apply(
        Sample(image, np.full((4, 4), 51, np.uint8)), Background("grey", 100, (1, 1, 1), (0, 0, 0))
    )
    assert (half.image == 120).all()
    empty = Sample(image, np.zeros((4, 4), np.uint8))
    assert (BackgroundColour().apply(empty, Background("foreground", 0, (1, 1, 1), (0, 0, 0))).image == 200).all()


# -- dynamic size -------------------------------------------------------------------------------------------------


@given(epoch=st.integers(0, 500), index=st.integers(0, 20000), seed=st.integers(0, 99))
def test_sizes_are_multiples_of_32_in_range(epoch, index, seed):
    height, width = DynamicCollate(seed, (256, 2304), (300, 700)).size(epoch, index)
    assert height % 32 == width % 32 == 0
    assert 256 <= height <= 2304 and 288 <= width <= 700


def test_sizes_cover_the_range_and_change_with_the_epoch():
    collate = DynamicCollate(0, (256, 511), (256, 511))
    sizes = {collate.size(0, index) for index in range(400)}
    assert {height for height, _ in sizes} == set(range(256, 512, 32))
    assert [collate.size(1, i) for i in range(20)] != [collate.size(0, i) for i in range(20)]
    assert DynamicCollate(1, (256, 511), (256, 511)).size(0, 7) != collate.size(0, 7)


@settings(max_examples=5, deadline=None)
@given(count=st.integers(1, 3))
def test_a_batch_has_one_size_and_keeps_masks_in_range(count):
    items = []
    for i in range(count):
        mask = torch.rand(1, 50 + 10 * i, 70).round()
        items.append({"image": mask.expand(3, -1, -1), "mask": mask, "index": i + 5, "epoch": 2})
    collate = DynamicCollate(3, (32, 96), (32, 160))
    batch = collate(items)
    assert tuple(batch["image"].shape) == (count, 3, *collate.size(2, 5))
    assert batch["mask"].shape[1:] == (1, *collate.size(2, 5))
    assert batch["index"].tolist() == [i + 5 for i in range(count)]
    assert batch["mask"].min() >= 0 and batch["mask"].max() <= 1
    assert torch.allclose(batch["image"][:, :1].clamp(0, 1), batch["mask"])


def test_ranges_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match="32"):
        DynamicCollate(0, (16, 64), (64, 64))


def test_data_set_of_unresized_images_says_its_epoch():
    pairs = [Pair(image=None, mask=None, name=str(i), dataset="x") for i in range(2)]
    dataset = DynamicTrainDataset(pairs, Compose([], Normalize()), read=lambda pair: sample(40 + int(pair.name), 50))
    dataset.set_epoch(4)
    items = [dataset[0], dataset[1]]
    assert [item["epoch"] for item in items] == [4, 4] and items[1]["image"].shape == (3, 41, 50)
    assert DynamicCollate(0, (32, 64), (32, 64))(items)["image"].shape[0] == 2


# -- classes ------------------------------------------------------------------------------------------------------


def test_classes_of_dis5k_names():
    names = ["2#Aircraft#7#UAV#16522310810", "1#Accessories#1#Bag#2339506821", "DIS-TR/2#Aircraft#7#UAV#999"]
    assert dis5k_labels(names) == ([1, 0, 1], ["Bag", "UAV"])
    with pytest.raises(ValueError, match="DIS5K"):
        dis5k_class("ILSVRC2012_test_00000003")
