"""Augmentations of BiRefNet: what they draw, what they leave alone, and how a data set names and carries them out."""

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from inspyrenet.data.augment.birefnet import (
    TRANSFORMS_BIREFNET,
    Background,
    BackgroundColor,
    RandomColor,
    RandomTurn,
    SaltAndPepper,
)
from inspyrenet.data.augment.transforms import Compose, Normalize, Sample, StaticResize, build_transforms
from inspyrenet.data.datasets.build import build_train_dataset
from inspyrenet.data.datasets.labels import dis5k_class, dis5k_labels
from inspyrenet.data.datasets.pairs import find_pairs
from inspyrenet.data.datasets.synthetic import write_dataset
from inspyrenet.data.images.preprocess import Preprocess, normalized

STEPS = [
    ("static_resize", {"size": [32, 48], "backend": "opencv"}),
    ("background_color", {"p": 0.5}),
    ("random_flip", {}),
    ("random_turn", {"range": [-15, 15], "p": 0.5}),
    ("random_color", {}),
    ("salt_and_pepper", {"share": 0.01}),
    ("normalize", {}),
]


def sample(height: int = 40, width: int = 56, seed: int = 0) -> Sample:
    rng = np.random.default_rng(seed)
    mask = np.zeros((height, width), np.uint8)
    mask[height // 4 : height // 2, width // 4 : width // 2] = 255
    mask[height // 2, width // 4 : width // 2] = 128
    return Sample(rng.integers(0, 256, (height, width, 3), dtype=np.uint8), mask)


@pytest.mark.parametrize("name", TRANSFORMS_BIREFNET)
def test_same_generator_same_result_and_input_untouched(name):
    step = TRANSFORMS_BIREFNET[name]()
    given_sample = sample()
    before = [array.copy() for array in given_sample]
    first, second = (step(given_sample, np.random.default_rng(3)) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    assert all(np.array_equal(a, b) for a, b in zip(given_sample, before, strict=True))
    assert first.image.dtype == first.mask.dtype == np.uint8 and first.image.shape[:2] == first.mask.shape


@given(seed=st.integers(0, 2**32), step=st.sampled_from([RandomTurn, BackgroundColor]))
def test_the_number_of_draws_does_not_depend_on_the_outcome(seed, step):
    always, never = np.random.default_rng(seed), np.random.default_rng(seed)
    assert step(p=1).draw(always) is not None and step(p=0).draw(never) is None
    assert always.bit_generator.state == never.bit_generator.state


def test_resize_is_opencvs_without_antialiasing():
    given_sample = sample(60, 90)
    out = StaticResize((20, 30), "opencv")(given_sample, np.random.default_rng(0))
    assert np.array_equal(out.image, cv2.resize(given_sample.image, (30, 20), interpolation=cv2.INTER_LINEAR))
    assert out.mask.shape == (20, 30)
    steps = Compose([StaticResize((20, 30), "opencv"), RandomColor()], Normalize())
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
    assert np.nonzero(out.mask)[1].mean() < 19  # above the center, counter-clockwise is to the left
    whole = RandomTurn((10, 11), p=1)(Sample(np.full((9, 9, 3), 200, np.uint8), mask[:9, :9]), np.random.default_rng(0))
    assert (whole.image[0, 0] == 0).all()  # black outside


def test_color_factors_are_tenths_in_their_ranges():
    rng = np.random.default_rng(1)
    factors = np.array([RandomColor().draw(rng) for _ in range(3000)])
    assert np.allclose(factors * 10, np.rint(factors * 10))
    assert factors.min(axis=0).tolist() == [0.5, 0.5, 0, 0] and factors.max(axis=0).tolist() == [1.5, 1.5, 2, 3]
    given_sample = sample()
    same = RandomColor().apply(given_sample, (1.0, 1.0, 1.0, 1.0))
    assert np.array_equal(same.image, given_sample.image)
    gray = RandomColor().apply(given_sample, (1.0, 1.0, 0.0, 1.0)).image
    assert (gray[..., 0] == gray[..., 1]).all()
    assert not RandomColor().apply(given_sample, (0.5, 1.0, 1.0, 1.0)).image.astype(int).max() > 128


def test_noise_is_black_or_white_in_all_channels_of_the_image_alone():
    given_sample = Sample(np.full((200, 300, 3), 100, np.uint8), np.full((200, 300), 77, np.uint8))
    out = SaltAndPepper()(given_sample, np.random.default_rng(0))
    changed = (out.image != 100).any(axis=2)
    assert 80 <= changed.sum() <= 90  # 0.15 % of 60000, some pixels twice
    assert set(map(tuple, out.image[changed])) == {(0, 0, 0), (255, 255, 255)}
    assert np.array_equal(out.mask, given_sample.mask)


def test_kinds_of_background_have_their_shares():
    rng = np.random.default_rng(2)
    drawn = [BackgroundColor().draw(rng) for _ in range(4000)]
    shares = {kind: sum(d.kind == kind for d in drawn) / len(drawn) for kind in ("gray", "foreground", "random")}
    assert shares == pytest.approx({"gray": 0.4, "foreground": 0.4, "random": 0.2}, abs=0.03)
    assert sum(BackgroundColor(p=0.25).draw(rng) is None for _ in range(2000)) == pytest.approx(1500, abs=80)


@pytest.mark.parametrize(
    ("kind", "expected"), [("gray", (90, 90, 90)), ("random", (1, 2, 3)), ("foreground", (80, 120, 255))]
)
def test_background_takes_the_color_and_the_object_stays(kind, expected):
    image = np.zeros((20, 20, 3), np.uint8)
    image[5:10] = (100, 120, 250)
    mask = np.zeros((20, 20), np.uint8)
    mask[5:10] = 255
    out = BackgroundColor().apply(Sample(image, mask), Background(kind, 90, (0.8, 1.0, 1.2), (1, 2, 3)))
    assert np.array_equal(out.image[5:10], image[5:10])
    assert (out.image[mask == 0] == expected).all()


def test_background_mixes_by_soft_masks_and_stands_an_empty_one():
    image = np.full((4, 4, 3), 200, np.uint8)
    half = BackgroundColor().apply(
        Sample(image, np.full((4, 4), 51, np.uint8)), Background("gray", 100, (1, 1, 1), (0, 0, 0))
    )
    assert (half.image == 120).all()
    empty = Sample(image, np.zeros((4, 4), np.uint8))
    assert (BackgroundColor().apply(empty, Background("foreground", 0, (1, 1, 1), (0, 0, 0))).image == 200).all()


# -- in a data set ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    root = tmp_path_factory.mktemp("shapes")
    write_dataset(root, "set", 3, seed=1, size=(90, 120))
    return find_pairs(root, ["set"])


def test_a_network_sees_in_testing_what_it_saw_in_training(pairs):
    trained = build_train_dataset(pairs, STEPS[:1] + STEPS[-1:])[0]["image"]
    image = cv2.cvtColor(cv2.imread(str(pairs[0].image)), cv2.COLOR_BGR2RGB)
    tested, small = Preprocess("static", (32, 48), (16, 16), backend="opencv")(image)
    assert np.array_equal(tested, normalized(cv2.resize(image, (48, 32), interpolation=cv2.INTER_LINEAR)))
    np.testing.assert_allclose(trained.numpy(), tested, atol=1e-6, rtol=0)
    assert np.array_equal(small, normalized(cv2.resize(image, (16, 16), interpolation=cv2.INTER_LINEAR)))
    assert np.abs(tested - Preprocess("static", (32, 48))(image)[0]).mean() > 0.01


def test_unknown_backends_are_refused():
    with pytest.raises(ValueError, match="'pillow' or 'opencv', not 'pil'"):
        Preprocess(backend="pil")
    with pytest.raises(ValueError, match="pillow"):
        build_transforms([("static_resize", {"size": [8, 8], "backend": "cv2"})])


@pytest.mark.parametrize("cache", ["none", "ram"])
def test_both_pipelines_give_the_same_pictures(pairs, cache):
    fast = build_train_dataset(pairs, STEPS, 5, "fast", cache)
    exact = build_train_dataset(pairs, STEPS, 5, "pil")
    differences = []
    for epoch in range(4):
        fast.set_epoch(epoch), exact.set_epoch(epoch)
        for index in range(len(pairs)):
            one, other = fast[index], exact[index]
            torch.testing.assert_close(one["image"], other["image"], atol=1e-5, rtol=0)
            torch.testing.assert_close(one["mask"], other["mask"], atol=1e-6, rtol=0)
            differences.append((one["image"] - fast[(index + 1) % 3]["image"]).abs().mean())
    assert min(differences) > 0.01


def test_a_cache_of_one_backend_is_not_taken_for_the_other(pairs, tmp_path):
    sizes = {"size": [32, 48]}
    folders = set()
    for backend in ("pillow", "opencv"):
        build_train_dataset(pairs, [("static_resize", {**sizes, "backend": backend})], 0, "fast", "disk", tmp_path)
        folders = {*folders, *tmp_path.iterdir()}
    assert len(folders) == 2


# -- classes ------------------------------------------------------------------------------------------------------


def test_classes_of_dis5k_names():
    names = ["2#Aircraft#7#UAV#16522310810", "1#Accessories#1#Bag#2339506821", "DIS-TR/2#Aircraft#7#UAV#999"]
    assert dis5k_labels(names) == ([1, 0, 1], ["Bag", "UAV"])
    with pytest.raises(ValueError, match="DIS5K"):
        dis5k_class("ILSVRC2012_test_00000003")
