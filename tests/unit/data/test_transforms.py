"""The published augmentation as Pillow operations, driven by an explicit generator."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageEnhance

from inspyrenet.data.augment.transforms import (
    DynamicResize,
    RandomFlip,
    RandomImageEnhance,
    RandomRotate,
    RandomScaleCrop,
    Sample,
    StaticResize,
    build_transforms,
    draw_parameters,
    is_binary,
)

PUBLISHED = [
    ("static_resize", {"size": [48, 64]}),
    ("random_scale_crop", {"range": [0.75, 1.25]}),
    ("random_flip", {"lr": True, "ud": False}),
    ("random_rotate", {"range": [-10, 10]}),
    ("random_image_enhance", {"methods": ["contrast", "sharpness", "brightness"]}),
    ("tonumpy", None),
    ("normalize", {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}),
    ("totensor", None),
]


def make_sample(height=40, width=56, soft=False):
    rng = np.random.default_rng(height)
    image = rng.integers(0, 256, (height, width, 3), np.uint8)
    y, x = np.mgrid[:height, :width]
    disc = np.hypot(y - height / 2, x - width / 2) / min(height, width)
    mask = np.clip((0.4 - disc) * 900, 0, 255) if soft else np.where(disc < 0.35, 255, 0)
    return Sample(image, mask.astype(np.uint8))


def generator(seed=0):
    return np.random.default_rng(seed)


def test_static_resize_is_pillows_and_keeps_binary_masks_binary():
    sample = make_sample()
    image, mask = StaticResize((30, 90))(sample, generator())
    np.testing.assert_array_equal(image, np.asarray(Image.fromarray(sample.image).resize((90, 30), Image.BILINEAR)))
    np.testing.assert_array_equal(mask, np.asarray(Image.fromarray(sample.mask).resize((90, 30), Image.NEAREST)))
    soft = StaticResize((30, 90))(make_sample(soft=True), generator()).mask
    assert len(np.unique(soft)) > 20


def test_dynamic_resize_bounds_the_shorter_side():
    assert DynamicResize(32)(make_sample(64, 180), generator()).mask.shape == (32, 96)


@pytest.mark.parametrize("scale", [0.75, 0.9, 1.0, 1.1, 1.25])
def test_scale_crop_keeps_the_size_and_the_center(scale):
    sample = make_sample(41, 57)
    image, mask = RandomScaleCrop((scale, scale), p=1)(sample, generator())
    assert image.shape == sample.image.shape
    assert is_binary(mask)
    assert mask.astype(bool).sum() == pytest.approx(sample.mask.astype(bool).sum() * scale**2, rel=0.06)
    rows, columns = np.nonzero(mask)
    old_rows, old_columns = np.nonzero(sample.mask)
    assert abs(rows.mean() - old_rows.mean()) < 1
    assert abs(columns.mean() - old_columns.mean()) < 1
    if scale == 0.75:  # padding is zero
        assert not image[:4].any()
        assert image[8, 9].any()


def test_scale_keeps_soft_masks_soft():
    mask = RandomScaleCrop((1.2, 1.2), p=1)(make_sample(soft=True), generator()).mask
    assert not is_binary(mask)


def test_flip_directions():
    sample = make_sample()
    both = RandomFlip(lr=True, ud=True, p=1)(sample, generator())
    np.testing.assert_array_equal(both.image, sample.image[::-1, ::-1])
    np.testing.assert_array_equal(both.mask, sample.mask[::-1, ::-1])
    np.testing.assert_array_equal(RandomFlip(lr=True, p=1)(sample, generator()).image, sample.image[:, ::-1])
    assert RandomFlip(lr=False, ud=False, p=1)(sample, generator()).image is not None
    np.testing.assert_array_equal(RandomFlip(lr=False, p=1)(sample, generator()).image, sample.image)


def test_rotation_is_pillows_and_center_cropped():
    sample = make_sample()
    image, mask = RandomRotate((7, 8), p=1)(sample, generator())
    turned = Image.fromarray(sample.image).rotate(7, expand=True)
    left, top = (turned.width - 56) // 2, (turned.height - 40) // 2
    np.testing.assert_array_equal(image, np.asarray(turned.crop((left, top, left + 56, top + 40))))
    assert mask.shape == sample.mask.shape
    assert is_binary(mask)


def test_angles_are_whole_with_an_open_upper_end_or_uniform():
    angles = {RandomRotate((-10, 10), p=1).draw(generator(seed)) for seed in range(400)}
    assert angles == {float(angle) for angle in range(-10, 10)}
    angle = RandomRotate((-0.5, 0.5), p=1).draw(generator())
    assert -0.5 <= angle <= 0.5
    assert angle != round(angle)


@pytest.mark.parametrize("method", ["contrast", "sharpness", "brightness"])
def test_each_enhancement_is_pillows(method):
    sample = make_sample()
    step = RandomImageEnhance((method,), (0.1, 0.1), p=1)
    expected = getattr(ImageEnhance, method.capitalize())(Image.fromarray(sample.image)).enhance(1.1)
    np.testing.assert_array_equal(step(sample, generator()).image, np.asarray(expected))


def test_enhancements_come_in_random_order_with_upward_factors():
    drawn = [RandomImageEnhance(p=1).draw(generator(seed)) for seed in range(60)]
    assert len({tuple(method for method, _ in one) for one in drawn}) == 6
    assert all(1 <= factor <= 1.1 for one in drawn for _, factor in one)


def test_published_list_gives_normalized_tensors():
    sample = make_sample(soft=True)
    image, mask = build_transforms(PUBLISHED)(sample, generator(3))
    assert image.shape == (3, 48, 64)
    assert image.dtype == mask.dtype == torch.float32
    assert mask.shape == (1, 48, 64)
    assert 0 <= mask.min() < mask.max() <= 1
    assert image.min() < -1.5
    bare, _ = build_transforms([("static_resize", {"size": (48, 64)})])(sample, generator())
    assert 0 <= bare.min() < bare.max() <= 1


@pytest.mark.parametrize(
    ("steps", "message"),
    [([("random_flop", {})], "random_flop.*random_flip"), ([("random_flip", {"rl": True})], "random_flip.*rl"),
     ([("random_image_enhance", {"methods": ["hue"]})], "hue")],
)  # fmt: skip
def test_unknown_names_are_refused(steps, message):
    with pytest.raises(ValueError, match=message):
        build_transforms(steps)


@settings(max_examples=30)
@given(st.integers(0, 2**32), st.integers(1, 70), st.integers(1, 70))
def test_same_generator_same_result_whatever_happened_before(seed, height, width):
    compose = build_transforms(PUBLISHED)
    sample = make_sample(height, width)
    kept = sample.image.copy(), sample.mask.copy()
    np.random.seed(seed % 1000)  # noqa: NPY002 - the global state must not matter
    first = compose(sample, generator(seed))
    np.random.random()  # noqa: NPY002
    second = compose(sample, generator(seed))
    assert torch.equal(first[0], second[0])
    assert torch.equal(first[1], second[1])
    np.testing.assert_array_equal(sample.image, kept[0])
    np.testing.assert_array_equal(sample.mask, kept[1])


def test_draws_do_not_depend_on_probability():
    """Switching one step off must leave the draws of the others alone."""
    on, off = (build_transforms([("random_scale_crop", {"p": p}), *PUBLISHED[2:5]]).steps for p in (1, 0))
    for seed in range(20):
        assert draw_parameters(on, generator(seed))[1:] == draw_parameters(off, generator(seed))[1:]
