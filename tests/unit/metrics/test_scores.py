"""Hostile pairs, error messages, and how scores of many images are put together."""

import math

import numpy as np
import pytest

from inspyrenet.utils.metrics import (
    DEFAULT_METRICS,
    GROUPS,
    METRICS,
    Accumulator,
    MapError,
    MetricError,
    bits,
    check_metrics,
    find_conventions,
    score,
)
from inspyrenet.utils.metrics.reference import reference

ALL = list(check_metrics(["all"]))


def corner_mask(height: int = 40, width: int = 60) -> np.ndarray:
    mask = np.zeros((height, width), np.uint8)
    mask[-1, -1] = 255
    return mask


@pytest.mark.parametrize("mask", [corner_mask(), corner_mask().T, np.eye(1, 5, 4, dtype=np.uint8) * 255])
def test_perfect_prediction_scores_one_in_s_when_the_centroid_lies_on_the_border(mask):
    assert math.isnan(reference(mask, mask)["Sm"])
    # one pixel of 2400: the reference's small constant in a denominator takes 4e-7 off, as it does in the middle
    assert score(mask, mask, ["Sm"]).value("Sm") == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(("value", "absent"), [(0, ["mBA", "AUC", "AP", *GROUPS["multiscale"]]), (255, ["mBA", "AUC"])])
def test_empty_and_full_masks_give_no_nan_but_where_a_metric_does_not_exist(value, absent):
    mask = np.full((20, 30), value, np.uint8)
    prediction = np.random.default_rng(0).integers(0, 256, mask.shape, dtype=np.uint8)
    found = {name: score(prediction, mask, ALL).value(name) for name in ALL}
    assert [name for name, value in found.items() if not math.isfinite(value)] == absent


def test_constant_map_is_not_stretched():
    mask = np.zeros((20, 30), np.uint8)
    mask[5:15, 5:15] = 255
    for value in (1, 100, 255):
        found = score(np.full(mask.shape, value, np.uint8), mask, ["mae"]).value("mae")
        assert found == pytest.approx(reference(np.full(mask.shape, value, np.uint8), mask)["mae"])
        assert found > 0.15


@pytest.mark.parametrize("conventions", ["pysod", "published"])
def test_one_pixel_scores_what_is_right_of_it(conventions):
    for prediction in (0, 255):
        for mask in (0, 255):
            pair = np.full((1, 1), prediction, np.uint8), np.full((1, 1), mask, np.uint8)
            found = score(*pair, ALL, find_conventions(conventions))
            assert found.value("Sm") == 1 - found.value("mae") == float(prediction == mask)
            # a threshold of 0 finds every pixel, so a full mask is always found; an empty one only by a higher threshold
            best = 1 if mask or not prediction else 0
            assert found.value("maxEm", find_conventions(conventions)) == best
            assert found.value("adpEm") == (1 if mask else 0)
            assert math.isnan(found.value("mBA"))


@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (2, 1), (2, 2), (1, 7), (3, 3)])
def test_tiny_masks_have_no_value_out_of_range(shape):
    """The E-measure alone goes above 1, to 1 + 1 / (H*W - 1) as published; nothing does by the other conventions."""
    rng = np.random.default_rng(0)
    count = shape[0] * shape[1]
    for _ in range(40):
        mask, prediction = (rng.choice([0, 60, 200, 255], shape).astype(np.uint8) for _ in range(2))
        for name in ("pysod", "published"):
            conventions = find_conventions(name)
            found = score(prediction, mask, ALL, conventions)
            highest = count / max(count - 1, 1) if name == "pysod" else 1
            for metric in sorted(set(ALL) - {"HCE"}):
                value = found.value(metric, conventions)
                limit = highest if "Em" in metric else 1
                assert math.isnan(value) or -1e-12 <= value <= limit + 1e-9, (metric, value, mask, prediction)


def test_a_mask_of_0_and_1_is_not_scored_as_empty():
    mask = np.eye(5, dtype=np.uint8)
    with pytest.raises(MapError, match="0 and 1 and would be empty; give it as bool"):
        score(mask * 255, mask, ["mae"])
    assert score(mask * 255, mask.astype(bool), ["mae"]).value("mae") == 0


def test_mask_is_foreground_above_128():
    prediction = np.array([[0, 255]], np.uint8)
    assert score(prediction, np.array([[128, 129]], np.uint8), ["mae"]).value("mae") == 0


def test_float_and_sixteen_bit_maps_are_scored_unrounded():
    rng = np.random.default_rng(1)
    mask = (rng.random((30, 40)) < 0.4).astype(np.uint8) * 255
    eight = rng.integers(0, 256, mask.shape, dtype=np.uint8)
    expected = score(eight, mask, ALL)
    for same in (eight / 255, eight.astype(np.uint16) * 257):
        found = score(same, mask, ALL)
        assert {n: found.value(n) for n in ALL} == pytest.approx({n: expected.value(n) for n in ALL}, abs=1e-9)
    fine = score(np.float32(eight / 255 * 0.9999), mask, ["mae"]).value("mae")
    assert fine == pytest.approx(expected.value("mae"), abs=1e-3)


def test_only_what_was_asked_for_is_measured():
    pair = corner_mask(), corner_mask()
    assert score(*pair, ["mae"]).scalars.keys() == {"mae"}
    assert score(*pair, ["mae"]).counts is None
    curves_only = score(*pair, ["maxFm"])
    assert not curves_only.scalars and curves_only.counts is not None and curves_only.band is None
    with pytest.raises(MetricError, match="BIoU"):
        curves_only.curve("BIoU")


@pytest.mark.parametrize(
    ("prediction", "message"),
    [
        (np.full((40, 60), np.nan), "2400 of 2400 values that are NaN"),
        (np.full((40, 60), 3.0), "must lie in 0..1"),
        (np.full((40, 60), -0.1), "must lie in 0..1"),
        (np.zeros((40, 61), np.uint8), "40x61 but the mask is 40x60"),
        (np.zeros((40, 60, 3), np.uint8), "must be \\(height, width\\)"),
        (np.zeros((40, 60), np.int64), "int64"),
        (np.zeros((0, 60), np.uint8), "at least one pixel"),
    ],
)
def test_bad_predictions_are_explained(prediction, message):
    with pytest.raises(MapError, match=message):
        score(prediction, corner_mask(), ["mae"])


def test_unknown_metrics_list_the_choices():
    assert check_metrics(["hce", "MAE", "maxfm", "mae"]) == ("HCE", "mae", "maxFm")
    with pytest.raises(MetricError, match=r"unknown metric 'maxxFm'; did you mean maxFm\?$"):
        check_metrics(["maxxFm"])
    for names in (["zzz"], ["Smm", "zzz"]):
        with pytest.raises(MetricError, match=r"unknown metric .*'zzz'; choose from Sm, mae"):
            check_metrics(names)
    with pytest.raises(MetricError, match="no metric"):
        check_metrics([])
    assert check_metrics(["mae", "Sm", "mae"]) == ("mae", "Sm")


def test_groups_stand_for_their_metrics():
    assert check_metrics(["Sm", "Matting", "sad"]) == ("Sm", "SAD", "mattingMSE", "Grad", "Conn")
    assert check_metrics(["default"]) == DEFAULT_METRICS
    assert set(check_metrics(["all"])) == METRICS.keys() - {"wCm"}  # which needs the photograph


def test_pixels_are_counted_without_the_instruction_for_it_too(monkeypatch):
    words = np.random.default_rng(0).integers(0, 2**63, (7, 3), dtype=np.uint64)
    expected = sum(bin(int(word)).count("1") for word in words.ravel())
    assert bits.count(words) == expected
    monkeypatch.delattr(np, "bitwise_count", raising=False)  # NumPy 1 does not have it
    assert bits.count(words) == expected


def random_scores(count: int, seed: int = 0):
    rng = np.random.default_rng(seed)
    for i in range(count):
        mask = (rng.random((24, 32)) < 0.3).astype(np.uint8) * 255
        yield f"image{i}", rng.integers(0, 256, mask.shape, dtype=np.uint8), mask


def test_result_is_the_mean_over_images_and_the_maximum_of_the_mean_curve():
    total = Accumulator(DEFAULT_METRICS)
    single = []
    for name, prediction, mask in random_scores(9):
        scores = score(prediction, mask, total.metrics)
        total.update(name, scores)
        single.append(scores)
    result = total.result()
    assert result.images == len(total) == 9
    assert result.values["mae"] == pytest.approx(np.mean([s.scalars["mae"] for s in single]))
    curve = np.mean([s.curve("Fm") for s in single], axis=0)
    assert result.values["maxFm"] == pytest.approx(curve.max(), abs=1e-12)
    assert result.values["avgFm"] == pytest.approx(curve.mean(), abs=1e-12)
    assert tuple(result.values) == DEFAULT_METRICS


def test_result_does_not_depend_on_order_or_on_how_it_was_shared_out():
    scored = [(name, score(p, m, DEFAULT_METRICS)) for name, p, m in random_scores(11)]
    forward, shares = Accumulator(DEFAULT_METRICS), [Accumulator(DEFAULT_METRICS) for _ in range(3)]
    for i, (name, scores) in enumerate(scored):
        forward.update(name, scores)
        shares[i % 3].update(name, scores)
    merged = Accumulator(DEFAULT_METRICS)
    for share in reversed(shares):
        merged.merge(share)
    assert merged.result().values == forward.result().values


def test_masks_without_an_edge_are_left_out_of_mba_and_counted():
    mask = corner_mask()
    total = Accumulator(["mBA", "mae"])
    total.update("object", score(mask, mask, total.metrics))
    total.update("empty", score(mask, np.zeros_like(mask), total.metrics))
    result = total.result()
    assert result.values["mBA"] == 1
    assert result.left_out == {"mBA": 1}
    only_empty = Accumulator(["mBA"])
    only_empty.update("empty", score(mask, np.zeros_like(mask), ["mBA"]))
    assert math.isnan(only_empty.result().values["mBA"])


def test_mistakes_in_collecting_are_refused():
    total = Accumulator(["mae"])
    with pytest.raises(MetricError, match="no image"):
        total.result()
    total.update("a", score(corner_mask(), corner_mask(), ["mae"]))
    with pytest.raises(MetricError, match="twice"):
        total.update("a", score(corner_mask(), corner_mask(), ["mae"]))
    with pytest.raises(MetricError, match="different metrics"):
        total.merge(Accumulator(["Sm"]))
