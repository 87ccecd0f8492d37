"""Intervals and paired comparisons on scores whose distribution is known."""

import math

import numpy as np
import pytest

from inspyrenet.utils.metrics import Accumulator, ImageScores, MetricError, compare, intervals, score


def scalars(values, metric: str = "mae") -> Accumulator:
    total = Accumulator([metric])
    for i, value in enumerate(values):
        total.update(f"{i:04d}", ImageScores({metric: float(value)}))
    return total


def curve_scores(seed: int, count: int = 30) -> Accumulator:
    rng = np.random.default_rng(seed)
    total = Accumulator(["maxFm", "avgFm", "mae"])
    for i in range(count):
        mask = (np.random.default_rng(i).random((16, 16)) < 0.4).astype(np.uint8) * 255
        guess = (mask * rng.uniform(0.3, 1) + rng.normal(0, 40, mask.shape)).clip(0, 255).astype(np.uint8)
        total.update(str(i), score(guess, mask, total.metrics))
    return total


def test_interval_of_a_mean_is_that_of_the_normal_distribution():
    values = np.random.default_rng(0).normal(0.5, 0.1, 400)
    found = intervals(scalars(values))["mae"]
    half = 1.96 * values.std() / math.sqrt(len(values))
    assert found.low == pytest.approx(values.mean() - half, abs=0.15 * half)
    assert found.high == pytest.approx(values.mean() + half, abs=0.15 * half)


def test_intervals_are_repeatable_and_hold_the_score():
    scores = curve_scores(1)
    first = intervals(scores)
    assert first == intervals(scores)
    for metric, value in scores.result().values.items():
        assert first[metric].low <= value <= first[metric].high
    assert first != intervals(scores, seed=1)


def test_images_without_a_value_do_not_count():
    values = np.random.default_rng(0).random(50)
    with_gaps = np.concatenate([values, np.full(10, np.nan)])
    found, expected = intervals(scalars(with_gaps, "mBA"))["mBA"], intervals(scalars(values, "mBA"))["mBA"]
    assert found.low == pytest.approx(expected.low, abs=0.03)
    assert math.isnan(intervals(scalars([math.nan, math.nan], "mBA"))["mBA"].low)


def test_comparison_counts_signs_and_finds_the_largest_difference():
    first, second = scalars([0.1, 0.2, 0.3, 0.4]), scalars([0.2, 0.2, 0.2, 0.9])
    found = compare(first, second)[0]
    assert (found.wins, found.losses, found.ties) == (2, 1, 1)  # a lower error wins
    assert found.difference == pytest.approx(0.25 - 0.375)
    assert found.largest[0] == ("0003", 0.4, 0.9)
    assert len(found.largest) == 3


def test_p_tells_a_real_difference_from_noise():
    rng = np.random.default_rng(2)
    base = rng.random(200)
    noise = compare(scalars(base), scalars(base + rng.normal(0, 0.05, 200)))[0]
    real = compare(scalars(base), scalars(base + rng.normal(0.05, 0.05, 200)))[0]
    assert noise.p > 0.05 and noise.interval.low < 0 < noise.interval.high
    assert real.p < 0.002 and real.interval.high < 0


def test_p_is_uniform_when_the_methods_do_not_differ():
    rng = np.random.default_rng(3)
    found = [compare(scalars(rng.random(25)), scalars(rng.random(25)), resamples=200)[0].p for _ in range(60)]
    assert 0.3 < np.mean(found) < 0.7


def test_max_metrics_are_compared_by_their_mean_curves():
    first, second = curve_scores(1), curve_scores(2)
    found = {c.metric: c for c in compare(first, second)}
    for metric in ("maxFm", "avgFm"):
        expected = first.result().values[metric] - second.result().values[metric]
        assert found[metric].difference == pytest.approx(expected, abs=1e-12)
    same = compare(first, first)[0]
    assert (same.difference, same.p, same.ties) == (0, 1, 30)


def test_only_the_same_images_can_be_compared():
    with pytest.raises(MetricError, match="same images"):
        compare(scalars([1, 2]), scalars([1, 2, 3]))
    with pytest.raises(MetricError, match="same metrics"):
        compare(scalars([1, 2]), scalars([1, 2], "wFm"))
