"""Sizing, normalization and the way back to a map of the image's own size."""

import sys
import tracemalloc

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch.nn import functional

from inspyrenet.data.images.preprocess import MEAN, STD, Preprocess, dynamic_size, normalized, resize, to_map

sides = st.integers(1, 9000)


def random_map(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((1, 1, height, width), np.float32)


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
        assert tensor.dtype == np.float32
        assert tensor.flags.c_contiguous
        assert tensor.shape[1:] == preprocess.target_size(shape)
        assert (resized is None) if preprocess.base_size is None else (resized.shape == (3, 64, 64))
        assert to_map(random_map(*tensor.shape[1:]), shape).shape == shape


def test_values_are_pillows_resize_normalized():
    image = np.random.default_rng(1).integers(0, 256, (90, 70, 3), np.uint8)
    tensor, base = Preprocess("dynamic", 64, base_size=(32, 48))(image)
    for result, size in ((tensor, (96, 64)), (base, (32, 48))):  # 90·64/70 = 82.3: nearest multiple 96, of 64: 64
        expected = np.asarray(Image.fromarray(image).resize(size[::-1], Image.BILINEAR)) / 255
        expected = (expected - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225)
        np.testing.assert_allclose(result.transpose(1, 2, 0), expected, atol=1e-5)


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
    saliency = np.array([[[[0.2, 1.5], [-0.3, 0.2]]]], np.float32)
    before = saliency.copy()
    for size in ((2, 2), (4, 4)):
        assert to_map(saliency, size)[0, -1] == 255
    np.testing.assert_array_equal(saliency, before)


@pytest.mark.parametrize("shape", [(1, 200_001, 3), (49_000_000, 1, 3), (20_000, 20_000, 3)])
def test_images_beyond_the_bounds_are_refused_whatever_they_came_as(shape):
    image = np.broadcast_to(np.uint8(0), shape)  # takes no memory
    with pytest.raises(ValueError, match=r"the image: .*limit.*first"):
        Preprocess("dynamic", 1280)(image)


def test_normalization_can_be_off():
    image = np.full((4, 4, 3), 255, np.uint8)
    tensor, _ = Preprocess("static", (8, 8), mean=None, std=None)(image)
    np.testing.assert_array_equal(tensor, np.ones((3, 8, 8)))


@pytest.mark.parametrize("shape", [(16, 16), (37, 53)])
def test_normalized_values_are_torchs_to_the_last_bit(shape):
    image = (
        np.random.default_rng(4).permutation(np.arange(3 * np.prod(shape)) % 256).astype(np.uint8).reshape(*shape, 3)
    )
    expected = torch.from_numpy(image).permute(2, 0, 1).float().div_(255)
    expected.sub_(torch.tensor(MEAN).view(3, 1, 1)).div_(torch.tensor(STD).view(3, 1, 1))
    np.testing.assert_array_equal(normalized(image), expected.numpy())


def test_opencvs_way_of_resizing_is_refused_where_opencv_is_absent(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(ImportError, match=r"^[^\n]*OpenCV[^\n]* extra train: pip install"):
        Preprocess(backend="opencv")


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
    saliency = np.array([[[[0.0, 1.0], [0.5, 0.002]]]], np.float32)
    result = to_map(saliency, (5, 7))
    assert (result[0, 0], result[0, -1], result[-1, 0], result[-1, -1]) == (0, 255, 128, 1)
    assert result.dtype == np.uint8


def test_minmax_stretches_one_map_and_leaves_a_flat_one():
    saliency = np.array([[[[0.2, 0.4], [0.3, 0.2]]]], np.float32)
    assert to_map(saliency, (2, 2), "minmax").tolist() == [[0, 255], [128, 0]]
    for flat in (np.zeros((1, 1, 4, 4), np.float32), 0.02 + 1e-4 * random_map(4, 4)):
        assert to_map(flat, (4, 4), "minmax").max() <= 6


def test_maps_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="not finite"):
        to_map(np.array([[[[0.1, np.nan]]]], np.float32), (1, 2))
    with pytest.raises(ValueError, match="one at a time"):
        to_map(np.zeros((2, 1, 4, 4), np.float32), (4, 4))
    with pytest.raises(ValueError, match="normalize"):
        to_map(np.zeros((1, 1, 4, 4), np.float32), (4, 4), "max")


@settings(max_examples=25)
@given(
    st.integers(1, 40), st.integers(1, 40), st.integers(1, 40), st.integers(1, 40), st.sampled_from(["none", "minmax"])
)
def test_any_map_gives_bytes_of_the_asked_shape(h, w, height, width, normalize):
    result = to_map(random_map(h, w, seed=h * w), (height, width), normalize)
    assert result.shape == (height, width)
    assert result.dtype == np.uint8


def torchs_map(saliency: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    whole = functional.interpolate(torch.from_numpy(saliency), size=shape, mode="bilinear", align_corners=True)
    return whole[0, 0].clamp(0, 1).mul(255).round().byte().numpy()


def test_maps_are_enlarged_and_shrunk_as_torch_does_it(monkeypatch):
    """Rounding differs by the last bit of a float32, so that now and then one value in many thousands lies on the other side."""
    monkeypatch.setattr("inspyrenet.data.images.bounds.BAND", 40_000)  # several bands
    sizes = np.random.default_rng(6).integers(1, 300, (60, 4)).tolist()
    other = pixels = 0
    for h, w, *shape in [
        *sizes,
        (320, 320, 1440, 2160),
        (64, 48, 64, 480),
        (64, 48, 640, 48),
        (50, 60, 1, 1),
        (1, 1, 9, 8),
    ]:
        saliency = random_map(h, w, seed=h)
        moved = np.abs(to_map(saliency, tuple(shape)).astype(int) - torchs_map(saliency, tuple(shape)))
        assert moved.max() <= 1
        other, pixels = other + np.count_nonzero(moved), pixels + moved.size
    assert other < 1e-4 * pixels


def test_memory_for_a_large_map_stays_near_the_maps_own():
    saliency = random_map(384, 384)
    tracemalloc.start()
    try:
        result = to_map(saliency, (3000, 4000))
        assert tracemalloc.get_traced_memory()[1] < result.nbytes + 12e6
    finally:
        tracemalloc.stop()
