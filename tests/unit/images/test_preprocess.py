"""Sizing, normalization and the way back to a map of the image's own size."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from inspyrenet.data.images.preprocess import Preprocess, dynamic_size, resize, to_map

sides = st.integers(1, 9000)


@given(sides, sides, st.integers(1, 3000))
def test_dynamic_sizes_are_bounded_multiples_of_32(height, width, bound):
    size = dynamic_size((height, width), bound)
    assert all(side >= 32 and side % 32 == 0 for side in size)
    assert min(size) <= max(32, bound + 16) and max(size) <= max(32, 8 * bound + 16)
    scale = min(1, bound / min(height, width), 8 * bound / max(height, width))
    assert abs(size[0] - height * scale) <= max(16.001, 32 - height * scale)
    assert dynamic_size((width, height), bound) == size[::-1]


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((1, 1), (32, 32)), ((20, 4000), (32, 4000)), ((17, 17), (32, 32)), ((16, 40), (32, 32)),
     ((1280, 1920), (1280, 1920)), ((2560, 3840), (1280, 1920)), ((1300, 1310), (1280, 1280)), ((400, 300), (384, 288)),
     ((1280, 5120), (1280, 5120)), ((1280, 10_240), (1280, 10_240)), ((1000, 100_000), (96, 10_240)), ((200_000, 1), (10_240, 32))],
)  # fmt: skip
def test_dynamic_size_examples(shape, expected):
    assert dynamic_size(shape, 1280) == expected


@pytest.mark.parametrize("shape", [(1, 1), (20, 4000), (7, 3), (301, 447)])
def test_any_image_becomes_a_network_input_and_its_map_fits_again(shape):
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    for preprocess in (Preprocess("static", (64, 96)), Preprocess("dynamic", 128, base_size=(64, 64))):
        tensor, resized = preprocess(image)
        assert tensor.dtype == torch.float32
        assert tensor.is_contiguous()
        assert tuple(tensor.shape[1:]) == preprocess.target_size(shape)
        assert (resized is None) if preprocess.base_size is None else (resized.shape == (3, 64, 64))
        assert to_map(torch.rand(1, 1, *tensor.shape[1:]), shape).shape == shape


def test_values_are_pillows_resize_normalized():
    image = np.random.default_rng(1).integers(0, 256, (90, 70, 3), np.uint8)
    tensor, base = Preprocess("dynamic", 64, base_size=(32, 48))(image)
    for result, size in ((tensor, (96, 64)), (base, (32, 48))):  # 90·64/70 = 82.3: nearest multiple 96, of 64: 64
        expected = np.asarray(Image.fromarray(image).resize(size[::-1], Image.BILINEAR)) / 255
        expected = (expected - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225)
        np.testing.assert_allclose(result.permute(1, 2, 0).numpy(), expected, atol=1e-5)


@pytest.mark.parametrize("shape", [(1, 30_000), (30_000, 1), (1200, 1100), (1500, 64)])
@pytest.mark.parametrize("channels", [(), (3,)])
def test_resizing_in_bands_gives_what_pillow_gives(monkeypatch, shape, channels):
    monkeypatch.setattr("inspyrenet.data.images.bounds.BAND", 10_000)
    monkeypatch.setattr("inspyrenet.data.images.preprocess.BAND", 10_000)
    image = np.random.default_rng(2).integers(0, 256, (*shape, *channels), np.uint8)
    for height, width in ((96, 64), (64, 1300)):
        whole = np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR))
        np.testing.assert_array_equal(resize(image, (height, width)), whole)


def test_a_map_is_not_changed_by_being_written():
    saliency = torch.tensor([[[[0.2, 1.5], [-0.3, 0.2]]]])
    before = saliency.clone()
    for size in ((2, 2), (4, 4)):
        to_map(saliency, size)
    assert torch.equal(saliency, before)


@pytest.mark.parametrize("shape", [(1, 200_001, 3), (49_000_000, 1, 3), (20_000, 20_000, 3)])
def test_images_beyond_the_bounds_are_refused_whatever_they_came_as(shape):
    image = np.broadcast_to(np.uint8(0), shape)  # takes no memory
    with pytest.raises(ValueError, match=r"the image: .*limit.*first"):
        Preprocess("dynamic", 1280)(image)


def test_normalization_can_be_off():
    image = np.full((4, 4, 3), 255, np.uint8)
    tensor, _ = Preprocess("static", (8, 8), mean=None, std=None)(image)
    assert torch.equal(tensor, torch.ones(3, 8, 8))


@pytest.mark.parametrize(
    "arguments",
    [("fixed", 384), ("dynamic", (384, 384)), ("static", 384), ("static", (0, 5)), ("static", (8, 8), 8),
     ("static", (8, 8), None, None)],
)  # fmt: skip
def test_wrong_settings_are_refused(arguments):
    with pytest.raises(ValueError):
        Preprocess(*arguments)


@pytest.mark.parametrize(
    "image", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((0, 4, 3), np.uint8), [[0]]]
)
def test_wrong_images_are_refused(image):
    with pytest.raises(ValueError, match=r"image"):
        Preprocess()(image)


def test_map_values_round_and_keep_the_corners():
    saliency = torch.tensor([[[[0.0, 1.0], [0.5, 0.002]]]])
    result = to_map(saliency, (5, 7))
    assert (result[0, 0], result[0, -1], result[-1, 0], result[-1, -1]) == (0, 255, 128, 1)
    assert result.dtype == np.uint8


def test_minmax_stretches_one_map_and_leaves_a_flat_one():
    saliency = torch.tensor([[[[0.2, 0.4], [0.3, 0.2]]]])
    assert to_map(saliency, (2, 2), "minmax").tolist() == [[0, 255], [128, 0]]
    for flat in (torch.zeros(1, 1, 4, 4), torch.full((1, 1, 4, 4), 0.02) + 1e-4 * torch.rand(1, 1, 4, 4)):
        assert to_map(flat, (4, 4), "minmax").max() <= 6


def test_maps_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="not finite"):
        to_map(torch.tensor([[[[0.1, float("nan")]]]]), (1, 2))
    with pytest.raises(ValueError, match="one at a time"):
        to_map(torch.zeros(2, 1, 4, 4), (4, 4))
    with pytest.raises(ValueError, match="normalize"):
        to_map(torch.zeros(1, 1, 4, 4), (4, 4), "max")


@settings(max_examples=25)
@given(
    st.integers(1, 40), st.integers(1, 40), st.integers(1, 40), st.integers(1, 40), st.sampled_from(["none", "minmax"])
)
def test_any_map_gives_bytes_of_the_asked_shape(h, w, height, width, normalize):
    saliency = torch.rand(1, 1, h, w, generator=torch.Generator().manual_seed(h * w)).half()
    result = to_map(saliency, (height, width), normalize)
    assert result.shape == (height, width)
    assert result.dtype == np.uint8
