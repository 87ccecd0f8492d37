"""From signals and IoUs to an estimate, and what its scores mean."""

import numpy as np
import pytest

from inspyrenet.quality.fit import auroc, caught, fit, logistic, reliability, scores


def test_the_weights_of_a_logistic_law_are_found():
    signals = np.random.default_rng(0).normal(size=(4000, 2))
    weights, bias = fit(signals, logistic(signals @ [1.5, -0.5] + 0.7), ridge=0.01)
    assert weights == pytest.approx([1.5, -0.5], abs=0.02) and bias == pytest.approx(0.7, abs=0.02)


def test_the_mean_estimate_is_the_mean_iou():
    rng = np.random.default_rng(1)
    signals, iou = rng.normal(size=(200, 3)), rng.random(200)
    weights, bias = fit(signals, iou)
    assert logistic(signals @ weights + bias).mean() == pytest.approx(iou.mean(), abs=1e-6)


def test_a_large_ridge_keeps_weights_small_and_the_mean():
    signals = np.random.default_rng(2).normal(size=(100, 1))
    weights, bias = fit(signals, logistic(3 * signals[:, 0]), ridge=1e6)
    assert abs(weights[0]) < 1e-3 and bias == pytest.approx(0, abs=0.2)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_ious_that_are_all_alike_are_no_endless_search(value):
    weights, bias = fit(np.zeros((50, 1)), np.full(50, value))
    assert weights == pytest.approx([0]) and abs(logistic(np.array(bias)) - value) < 0.01


def test_auroc_counts_pairs_in_order():
    estimate = np.array([0.1, 0.4, 0.4, 0.9])
    assert auroc(estimate, np.array([True, False, False, False])) == 1
    assert auroc(estimate, np.array([False, False, False, True])) == 0
    assert auroc(estimate, np.array([False, True, False, False])) == pytest.approx(1.5 / 3)
    assert auroc(estimate, np.zeros(4, bool)) is None


def test_the_worst_tenth_catches_those_that_are_in_it():
    estimate = np.arange(20) / 20
    bad = np.zeros(20, bool)
    bad[[0, 1, 5, 19]] = True
    assert caught(estimate, bad) == 0.5
    assert caught(estimate, np.zeros(20, bool)) is None


def test_a_perfect_estimate_has_perfect_scores():
    iou = np.linspace(0.3, 1, 100)
    assert [*scores(iou, iou).values()] == [1, 1, pytest.approx(10 / 57, abs=0.01), 0]


def test_every_map_is_in_one_row_of_the_reliability():
    estimate = np.array([0.2, 0.5, 0.94, 0.95, 1.0])
    rows = reliability(estimate, estimate / 2)
    assert sum(row["maps"] for row in rows) == 5
    assert all(row["from"] <= row["estimate"] <= row["to"] for row in rows)
    assert rows[-1]["iou"] == pytest.approx(0.4875)
