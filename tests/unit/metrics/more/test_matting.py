"""The four matting errors against plain NumPy and SciPy formulations, and cases with known values."""

import numpy as np
import pytest
from hypothesis import given, settings
from scipy import ndimage

from inspyrenet.utils.metrics import CONVENTIONS, GROUPS, score

from .pairs import objects, pairs

MATTING = GROUPS["matting"]


def errors(prediction: np.ndarray, truth: np.ndarray, conventions: str = "pysod") -> dict[str, float]:
    found = score(prediction, truth, MATTING, CONVENTIONS[conventions])
    return {name: found.value(name) for name in MATTING}


def plain(prediction: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """The definitions, of maps and masks in 0..1."""
    return {
        "SAD": np.abs(prediction - truth).sum() / 1000,
        "mattingMSE": ((prediction - truth) ** 2).mean(),
        "Grad": ((plain_slope(prediction) - plain_slope(truth)) ** 2).sum() / 1000,
        "Conn": plain_connectivity(prediction, truth),
    }


def plain_slope(values: np.ndarray) -> np.ndarray:
    """Length of the gradient by the benchmark's full 9x9 kernels."""
    sigma = 1.4
    half = int(np.ceil(sigma * np.sqrt(-2 * np.log(np.sqrt(2 * np.pi) * sigma * 0.01))))
    y, x = np.mgrid[-half : half + 1, -half : half + 1]

    def gauss(t):
        return np.exp(-(t**2) / (2 * sigma**2)) / (sigma * np.sqrt(2 * np.pi))

    across = gauss(y) * -x * gauss(x) / sigma**2
    across /= np.sqrt((across**2).sum())
    return np.hypot(*(ndimage.convolve(values, kernel, mode="nearest") for kernel in (across, across.T)))


def plain_connectivity(prediction: np.ndarray, truth: np.ndarray) -> float:
    level = np.full(truth.shape, -1.0)
    for step in range(1, 11):
        labels, count = ndimage.label((prediction >= step / 10) & (truth >= step / 10))
        omega = np.zeros(truth.shape, bool)
        if count:
            omega = labels == 1 + np.argmax(np.bincount(labels.ravel())[1:])
        level[(level < 0) & ~omega] = (step - 1) / 10
    level[level < 0] = 1
    degrees = [1 - np.where(image - level >= 0.15, image - level, 0) for image in (prediction, truth)]
    return np.abs(degrees[0] - degrees[1]).sum() / 1000


@settings(max_examples=40)
@given(pairs(largest=40))
def test_the_four_are_the_plain_ones(pair):
    prediction, truth = pair
    assert errors(prediction, truth) == pytest.approx(plain(prediction / 255, truth / 255), abs=1e-9)


@pytest.mark.parametrize("kind", [np.uint16, np.float32, bool])
def test_maps_and_masks_of_other_types(kind):
    prediction, truth = objects((90, 110), 1, noise=10)
    found = {
        np.uint16: (prediction / 255 * 65535).astype(np.uint16),
        np.float32: (prediction / 255).astype(np.float32),
        bool: prediction > 100,
    }[kind]
    values = found / 65535 if kind is np.uint16 else found.astype(np.float64)
    assert errors(found, truth > 128) == pytest.approx(plain(values, (truth > 128) * 1.0), abs=1e-9)


def test_blocks_of_rows_leave_no_seams(monkeypatch):
    prediction, truth = objects((200, 90), 2, noise=10)
    whole = errors(prediction, truth)
    monkeypatch.setattr("inspyrenet.utils.metrics.more.matting._BLOCK", 90 * 17)
    assert errors(prediction, truth) == pytest.approx(whole, abs=1e-12)


def test_soft_masks_are_not_cut_and_maps_are_not_stretched():
    truth = np.full((40, 50), 100, np.uint8)  # all of it background to the other metrics
    truth[10:20, 10:20] = 200
    assert errors(truth, truth) == dict.fromkeys(MATTING, 0)
    halved = truth // 2
    assert errors(halved, truth)["SAD"] == pytest.approx((50 * 1900 + 100 * 100) / 255 / 1000)
    assert errors(halved, truth) == errors(halved, truth, "published")


def test_an_inverted_map_has_the_largest_errors():
    truth = np.zeros((40, 50), np.uint8)
    truth[:, :25] = 255
    found = errors(255 - truth, truth)
    assert (found["SAD"], found["mattingMSE"], found["Grad"]) == (2.0, 1.0, pytest.approx(0, abs=1e-12))
    assert found["Conn"] == 2.0  # nothing is shared, so each pixel is 1 above its level in one of the two


def test_a_detached_part_is_a_connectivity_error():
    truth = np.zeros((30, 60), np.uint8)
    truth[5:25, 5:25] = 255
    truth[10:20, 40:50] = 255
    assert errors(truth, truth)["Conn"] == 0
    bridge = truth.copy()
    bridge[14:16, 25:40] = 255
    assert errors(bridge, truth)["Conn"] == pytest.approx(30 / 1000)  # the bridge itself: it is not in the mask


@pytest.mark.parametrize("value", [0, 100, 255])
def test_one_pixel(value):
    found = errors(np.full((1, 1), value, np.uint8), np.full((1, 1), 200, np.uint8))
    assert found["SAD"] == pytest.approx(abs(value - 200) / 255 / 1000)
    assert found["Grad"] == pytest.approx(0, abs=1e-30)
