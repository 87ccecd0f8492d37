"""Every metric equals its plain formulation on random and hostile pairs."""

import math

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import distance_transform_edt

from inspyrenet.utils.metrics import score
from inspyrenet.utils.metrics.reference import plain_mba, reference
from inspyrenet.utils.metrics.weighted import nearest_errors

TOLERANCE = 1e-9


def compare(prediction: np.ndarray, mask: np.ndarray) -> None:
    expected = reference(prediction, mask)
    found = score(prediction, mask, list(expected))
    for name, value in expected.items():
        if mask.size == 1 and name.endswith("Em"):  # the other listed exception: the reference divides by H*W - 1
            assert 0 <= found.value(name) <= 1
        elif math.isfinite(value):
            assert abs(found.value(name) - value) <= TOLERANCE, (name, value, found.value(name))
        elif name == "Sm":  # the listed exception: centroid in the last row or column
            assert math.isfinite(found.value(name))


def blob(shape: tuple[int, int], centre: tuple[float, float], radius: float) -> np.ndarray:
    y, x = np.mgrid[: shape[0], : shape[1]]
    return (np.hypot(y - centre[0], x - centre[1]) <= radius).astype(np.uint8) * 255


@st.composite
def pairs(draw):
    shape = draw(st.integers(1, 34)), draw(st.integers(1, 34))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    levels = np.array(draw(st.lists(st.integers(0, 255), min_size=1, max_size=6)), np.uint8)
    prediction = levels[rng.integers(0, len(levels), shape)]
    if draw(st.booleans()):
        prediction = cv2.blur(prediction, (5, 5)).reshape(shape)
    mask = (rng.random(shape) < draw(st.sampled_from([0, 0.02, 0.3, 0.9, 1]))).astype(np.uint8) * 255
    if draw(st.booleans()):
        mask = blob(shape, (rng.uniform(0, shape[0]), rng.uniform(0, shape[1])), rng.uniform(0, 20))
    if draw(st.booleans()):
        mask = cv2.blur(mask, (3, 3)).reshape(shape)
    return prediction, mask


@settings(max_examples=120)
@given(pairs())
def test_small_pairs(pair):
    compare(*pair)


@pytest.mark.parametrize("noise", [0, 12])
@pytest.mark.parametrize("shape", [(150, 200), (199, 131), (90, 512)])
def test_soft_noisy_predictions(shape, noise):
    rng = np.random.default_rng(3)
    mask = blob(shape, (shape[0] * 0.4, shape[1] * 0.55), min(shape) / 3)
    mask[10:14, 5 : shape[1] // 2] = 255
    soft = cv2.GaussianBlur(np.roll(mask, 4, axis=1), (0, 0), 3) + rng.normal(0, noise, shape)
    compare(soft.clip(0, 255).astype(np.uint8), mask)


def test_distances_beyond_the_reach_of_the_weight():
    """Background errors farther than 180 pixels from the mask, and a row longer than one tile."""
    mask = np.zeros((30, 2300), np.uint8)
    mask[10:20, 5:40] = 255
    prediction = np.full(mask.shape, 90, np.uint8)
    prediction[8:22, 3:60] = 255
    prediction[0, 0] = 0
    compare(prediction, mask)


def test_row_blocks_of_a_tall_image():
    """The mask's errors are smoothed block by block; the blocks' seams must not show."""
    rng = np.random.default_rng(5)
    mask = (cv2.GaussianBlur(rng.random((1400, 260)), (0, 0), 6) > 0.5).astype(np.uint8) * 255
    compare(rng.integers(0, 256, mask.shape, dtype=np.uint8), mask)


def test_many_radii():
    """The five bands of mBA have different radii only above height + width = 600."""
    rng = np.random.default_rng(7)
    mask = (cv2.GaussianBlur(rng.random((1000, 1200)), (0, 0), 40) > 0.5).astype(np.uint8) * 255
    prediction = np.roll(mask, 3, axis=0)
    found = score(prediction, mask, ["mBA"]).value("mBA")
    assert found == pytest.approx(plain_mba(prediction, mask), abs=TOLERANCE)


@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 40))
def test_nearest_pixel_is_scipys(seed, height, width):
    """Ties between equally near mask pixels are broken as scipy's transform breaks them."""
    rng = np.random.default_rng(seed)
    mask = rng.random((height, width)) < rng.choice([0.02, 0.1, 0.5])
    if not mask.any():
        return
    rows, columns = distance_transform_edt(~mask, return_indices=True, return_distances=False)
    ring = (cv2.dilate(mask.view(np.uint8), np.ones((7, 7), np.uint8)) > 0) & ~mask
    identity = np.arange(mask.size, dtype=np.float64).reshape(mask.shape)
    where = np.flatnonzero(np.pad(ring, 4))
    found = nearest_errors(np.pad(mask, 4).view(np.uint8), np.pad(identity, 4), where)
    assert np.array_equal(found, identity[rows[ring], columns[ring]])
