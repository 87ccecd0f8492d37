"""Haze: small cases with known values, and a plain implementation by NumPy and SciPy."""

import math

import cv2
import numpy as np
import pytest
from scipy.ndimage import binary_dilation, binary_erosion

from inspyrenet.utils.metrics import CONVENTIONS, DEFAULT_METRICS, Accumulator, compare, intervals, score

SHAPE = 300, 400


def haze(prediction: np.ndarray, mask: np.ndarray, conventions: str = "pysod") -> float:
    return score(prediction, mask, ["haze"], CONVENTIONS[conventions]).value("haze")


def left_half() -> np.ndarray:
    """Foreground in columns 0 … 199: columns 193 … 206 are near its edge, 386 are not."""
    mask = np.zeros(SHAPE, np.uint8)
    mask[:, :200] = 255
    return mask


def scene(scale: int = 1, veil: float = 0.0, radius: float = 90) -> tuple[np.ndarray, np.ndarray]:
    """A disc, and a map of it with a soft edge and a veil over the right part of the background; any number of pixels."""
    height, width = SHAPE[0] * scale, SHAPE[1] * scale
    y, x = (np.mgrid[:height, :width] + 0.5) / scale
    distance = radius - np.hypot(y - 140, x - 180)
    values = np.clip(0.5 + distance / 8, 0, 1)
    values[(distance < -10) & (x > 300)] = veil
    return (values * 255).astype(np.uint8), (distance > 0).astype(np.uint8) * 255


# -- a plain implementation ---------------------------------------------------------------------------------------


def weights(size: int, new: int) -> np.ndarray:
    """(new, size) by which pixels of a row become the pixels of a row of another length."""
    step = size / new
    here = np.arange(size)
    if new < size:  # shares of the area
        starts = np.arange(new)[:, None] * step
        return np.clip(np.minimum(here + 1, starts + step) - np.maximum(here, starts), 0, None) / step
    centers = np.clip((np.arange(new)[:, None] + 0.5) * step - 0.5, 0, size - 1)
    return np.clip(1 - abs(here - centers), 0, None)  # linear between the centers


def plain_haze(prediction: np.ndarray, mask: np.ndarray) -> float:
    height, width = mask.shape
    new = [max(1, round(side * 400 / max(height, width))) for side in (height, width)]
    values = weights(height, new[0]) @ prediction @ weights(width, new[1]).T
    rows, columns = (
        ((np.arange(n) + 0.5) * side / n).astype(int) for n, side in zip(new, (height, width), strict=True)
    )
    inside = mask[rows[:, None], columns] > 128
    box = np.ones((15, 15), bool)
    away = binary_erosion(inside, box, border_value=1) | ~binary_dilation(inside, box, border_value=0)
    return float(((values > 0.05) & (values < 0.95))[away].mean()) if away.any() else math.nan


@pytest.mark.parametrize(
    "shape", [(300, 400), (400, 267), (900, 1000), (1201, 800), (150, 200), (61, 133), (7, 9), (1, 400), (1, 1100)]
)
@pytest.mark.parametrize("level", [0.45, 0.5, 0.55])
def test_haze_is_the_plain_one_at_every_size(shape, level):
    rng = np.random.default_rng(11)
    smooth = [cv2.resize(rng.random((7, 7)), shape[::-1], interpolation=cv2.INTER_CUBIC) for _ in range(2)]
    ranks = [(s - s.min()) / max(float(np.ptp(s)), 1e-9) for s in smooth]
    mask = (ranks[0] > level).astype(np.uint8) * 255
    prediction = np.clip(ranks[1] * 3 - 1, 0, 1)
    assert haze(prediction, mask) == pytest.approx(plain_haze(prediction, mask), abs=1e-9, nan_ok=True)


@pytest.mark.parametrize("seed", range(4))
def test_haze_of_eight_bit_maps_is_the_plain_one_where_nothing_is_resized(seed):
    rng = np.random.default_rng(seed)
    mask = (cv2.GaussianBlur(rng.random(SHAPE), (0, 0), 20) > 0.5).astype(np.uint8) * 255
    prediction = rng.integers(0, 256, SHAPE, dtype=np.uint8)
    assert haze(prediction, mask) == pytest.approx(plain_haze(prediction / 255, mask), abs=1e-12)


def test_large_maps_are_shrunk_in_strips_without_seams(monkeypatch):
    rng = np.random.default_rng(2)
    mask = (cv2.GaussianBlur(rng.random((500, 900)), (0, 0), 30) > 0.5).astype(np.uint8) * 255
    prediction = rng.integers(0, 256, mask.shape, dtype=np.uint8)
    prediction[:, :450] //= 16
    whole = haze(prediction, mask)
    monkeypatch.setattr("inspyrenet.utils.metrics.haze._BLOCK", 500 * 37)
    assert haze(prediction, mask) == whole
    assert 0.4 < whole < 0.6


# -- known values -------------------------------------------------------------------------------------------------


def test_a_perfect_map_has_none_and_a_soft_edge_does_not_count():
    prediction, mask = scene()
    assert haze(mask, mask) == 0
    assert ((prediction > 12) & (prediction < 243)).any()
    assert haze(prediction, mask) == 0
    assert haze(255 - mask, mask) == 0  # wrong but decided: no haze


def test_a_veil_over_the_background_counts_with_its_share():
    mask = left_half()
    veiled = np.where(mask > 0, 1.0, 0.5)
    assert haze(veiled, mask) == pytest.approx(0.5)
    hole = np.where(mask > 0, 1.0, 0.0)
    hole[100:130, 50:80] = 0.5
    assert haze(hole, mask) == pytest.approx(900 / (300 * 386))


def test_seven_pixels_on_both_sides_of_the_edge_do_not_count():
    mask = left_half()
    soft = (mask / 255).astype(np.float32)
    soft[:, 193:207] = 0.5
    assert haze(soft, mask) == 0
    for column in (192, 207):
        wider = soft.copy()
        wider[:, column] = 0.5
        assert haze(wider, mask) == pytest.approx(1 / 386)


def test_the_border_of_the_image_is_no_edge():
    mask = left_half()
    soft = (mask / 255).astype(np.float32)
    soft[:, :7] = soft[:, -7:] = soft[:7] = soft[-7:] = 0.5
    soft[:, 193:207] = mask[:, 193:207] / 255
    assert haze(soft, mask) == pytest.approx(1 - 286 * 372 / (300 * 386))


def test_the_ends_of_the_interval_do_not_count():
    empty = np.zeros(SHAPE, np.uint8)
    for value, expected in ((0.05, 0), (0.0501, 1), (0.9499, 1), (0.95, 0)):
        for kind in (np.float32, np.float64):
            assert haze(np.full(SHAPE, value, kind), empty) == expected
    assert [haze(np.full(SHAPE, value, np.uint8), empty) for value in (12, 13, 242, 243)] == [0, 1, 1, 0]


def test_empty_and_full_masks_count_all_pixels():
    prediction = np.zeros(SHAPE, np.uint8)
    prediction[:, :100] = 128
    for value in (0, 255):
        assert haze(prediction, np.full(SHAPE, value, np.uint8)) == 0.25


def test_one_map_at_several_sizes_has_about_the_same_haze():
    found = [haze(*scene(scale, veil=0.5)) for scale in (1, 2, 4)]
    assert found == pytest.approx([found[0]] * 3, abs=0.003)
    assert 0.2 < found[0] < 0.4
    small = [cv2.resize(array, (200, 150), interpolation=cv2.INTER_AREA) for array in scene(1, veil=0.5)]
    assert haze(*small) == pytest.approx(found[0], abs=0.01)


# -- as part of the evaluator -------------------------------------------------------------------------------------


@pytest.mark.parametrize("conventions", CONVENTIONS)
def test_the_map_is_never_stretched(conventions):
    """Stretched, both maps would be what the other one is."""
    mask = left_half()
    weak = np.where(mask > 0, 0.9, 0.1)
    assert haze(weak, mask, conventions) == 1
    decided = np.full(SHAPE, 0.01)
    decided[:, :100], decided[:, 100:150] = 0.04, 0.02
    assert haze(decided, mask, conventions) == 0


def test_masks_that_are_all_edge_are_left_out_and_counted():
    stripes = np.zeros(SHAPE, np.uint8)
    for start in range(0, 400, 14):
        stripes[:, start : start + 7] = 255
    veiled = np.full(SHAPE, 0.5)
    total = Accumulator(["haze", "mae"])
    for name, mask in (("half", left_half()), ("stripes", stripes)):
        total.update(name, score(veiled, mask, total.metrics))
    assert math.isnan(total.values("haze")[1])
    result = total.result()
    assert (result.values["haze"], result.left_out) == (1, {"haze": 1})


def test_less_haze_wins_a_comparison():
    clear, veiled = Accumulator(["haze"]), Accumulator(["haze"])
    for i in range(12):
        clear.update(f"{i}", score(*scene(radius=70 + i), ["haze"]))
        veiled.update(f"{i}", score(*scene(veil=0.3, radius=70 + i), ["haze"]))
    (found,) = compare(clear, veiled)
    assert (found.wins, found.losses) == (12, 0)
    assert found.interval.high < 0
    interval = intervals(veiled)["haze"]
    assert interval.low <= veiled.result().values["haze"] <= interval.high


def test_haze_is_not_in_the_default_table():
    assert "haze" not in DEFAULT_METRICS
