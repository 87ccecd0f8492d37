"""Context measures equal pysodmetrics, and are left out where it fails."""

import math

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from py_sod_metrics import CamouflageContextMeasure, ContextMeasure

from inspyrenet.utils.metrics import Accumulator, MapError, score
from inspyrenet.utils.metrics.more.context import context_kernel

from .pairs import objects, pairs


def compare(prediction: np.ndarray, mask: np.ndarray) -> None:
    found = score(prediction, mask, ["Cm"]).value("Cm")
    if context_kernel(mask > 128) is None:  # a slanted line: the reference inverts a singular matrix
        assert math.isnan(found)
        return
    measure = ContextMeasure()
    measure.step(prediction, mask)
    assert found == pytest.approx(measure.get_results()["cm"], abs=1e-9)


@settings(max_examples=40)
@given(pairs())
def test_cm_is_pysodmetrics(pair):
    compare(*pair)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("shape", [(200, 300), (331, 257)])
def test_cm_of_larger_images_is_pysodmetrics(shape, seed):
    prediction, mask = objects(shape, seed, noise=10 * (seed % 2))
    mask[: 30 * seed] = mask[:, : 20 * seed] = 0  # the box around the mask ends within the image
    compare(prediction, mask)


@settings(max_examples=12)
@given(st.integers(0, 2**32 - 1), st.integers(7, 60), st.integers(7, 60))
def test_wcm_is_pysodmetrics(seed, height, width):
    rng = np.random.default_rng(seed)
    mask = (cv2.GaussianBlur(rng.random((height, width)), (0, 0), 5) > 0.5).astype(np.uint8) * 255
    prediction = cv2.GaussianBlur(mask, (0, 0), 2)
    photo = cv2.GaussianBlur(rng.integers(0, 256, (height, width, 3)).astype(np.uint8), (0, 0), rng.uniform(0.3, 3))
    if context_kernel(mask > 128) is None:
        return
    measure = CamouflageContextMeasure()
    measure.step(prediction, mask, img=photo)
    found = score(prediction, mask, ["wCm"], photo=photo).value("wCm")
    assert found == pytest.approx(measure.get_results()["ccm"], abs=1e-9)


def test_a_hidden_object_weighs_its_pixels_differently():
    prediction, mask = objects((120, 140), 3)
    rng = np.random.default_rng(0)
    hidden = rng.integers(100, 120, (120, 140, 3)).astype(np.uint8)
    shown = np.where(mask[..., None] > 128, hidden, np.uint8(0))
    values = [score(prediction, mask, ["wCm"], photo=photo).value("wCm") for photo in (hidden, shown)]
    assert values[0] != pytest.approx(values[1], abs=1e-6)


def test_wcm_asks_for_the_photograph_and_for_its_size():
    prediction, mask = objects((40, 50), 3)
    with pytest.raises(MapError, match="wCm needs the photograph"):
        score(prediction, mask, ["wCm"])
    with pytest.raises(MapError, match="photo is 30x50x3 uint8 but must be 40x50x3"):
        score(prediction, mask, ["wCm"], photo=np.zeros((30, 50, 3), np.uint8))


def test_a_slanted_line_is_left_out_and_counted():
    line = np.eye(30, dtype=np.uint8) * 255
    total = Accumulator(["Cm"])
    total.update("line", score(line, line, ["Cm"]))
    total.update("empty", score(line, np.zeros_like(line), ["Cm"]))
    assert total.result().values["Cm"] == 0
    assert total.result().left_out == {"Cm": 1}


def test_small_photos_have_no_patches_and_weigh_all_pixels_alike():
    mask = np.zeros((5, 6), np.uint8)
    mask[1:3, 2:5] = 255
    found = score(mask, mask, ["wCm"], photo=np.zeros((5, 6, 3), np.uint8)).value("wCm")
    assert 0 < found <= 1 + 1e-12
