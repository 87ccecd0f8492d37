"""Learning rates: the published numbers, the shape of each curve, and what happens outside the plan."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from inspyrenet.utils.optim.lr_schedule import CURVES, Schedule, WarmupError, plan_lr

GOLDEN = Path(__file__).parents[2] / "golden" / "polylr.npz"


def optimizer(*rates: float) -> torch.optim.Optimizer:
    return torch.optim.SGD([{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": rate} for rate in rates])


def test_poly_equals_the_published_rates() -> None:
    golden = np.load(GOLDEN)["lr"]
    schedule = Schedule("PolyLr", total=1000, warmup_iteration=120)
    groups = optimizer(1e-5, 1e-4)
    ours = np.array([schedule.apply(groups, i) for i in range(len(golden))])
    np.testing.assert_allclose(ours, golden, rtol=1e-12, atol=0)
    assert [group["lr"] for group in groups.param_groups] == list(ours[-1])


@given(
    name=st.sampled_from(sorted(CURVES)),
    total=st.integers(2, 10_000),
    share=st.floats(0, 0.99),
    iteration=st.integers(0, 50_000),
    base=st.floats(1e-8, 1.0),
)
def test_rates_stay_real_and_bounded_even_past_the_end(name, total, share, iteration, base) -> None:
    schedule = Schedule(name, total, warmup_iteration=int(share * total))
    rate = schedule.rate(iteration, base)
    assert isinstance(rate, float)
    assert 0 < rate <= base * (1 + 1e-12)


@given(name=st.sampled_from(sorted(CURVES)), total=st.integers(20, 120), longer=st.integers(1, 200))
def test_after_the_warm_up_rates_never_rise_and_a_longer_plan_is_never_lower(name, total, longer) -> None:
    schedule = Schedule(name, total, warmup_iteration=total // 10)
    rates = [schedule.rate(i, 1e-4) for i in range(total // 10, total + 5)]
    assert all(later <= earlier for earlier, later in pairwise(rates))
    extended = schedule.extended(total + longer)
    assert all(extended.rate(i, 1e-4) >= schedule.rate(i, 1e-4) - 1e-18 for i in range(total + 5))


def test_cosine_and_constant_start_and_end_where_they_should() -> None:
    cosine = Schedule("Cosine", 100, minimum=1e-6)
    assert cosine.rate(0, 1e-3) == pytest.approx(1e-3)
    assert cosine.rate(50, 1e-3) == pytest.approx((1e-3 + 1e-6) / 2)
    assert cosine.rate(100, 1e-3) == pytest.approx(1e-6)
    constant = Schedule("Constant", 100, warmup_iteration=10)
    assert constant.rate(0, 1e-3) == pytest.approx(1e-4)
    assert constant.rate(5, 1e-3) == pytest.approx(0.55e-3)
    assert constant.rate(10, 1e-3) == constant.rate(99, 1e-3) == 1e-3


def test_each_group_keeps_its_own_base_rate_over_repeated_calls() -> None:
    groups = optimizer(1e-2, 1e-1)
    schedule = Schedule("PolyLr", 10)
    for i in (0, 5, 9, 0):
        rates = schedule.apply(groups, i)
    assert rates == pytest.approx([1e-2, 1e-1])
    assert [group["initial_lr"] for group in groups.param_groups] == [1e-2, 1e-1]


def test_a_minimum_above_the_base_rate_leaves_the_base_rate() -> None:
    assert Schedule("PolyLr", 10, minimum=1e-3).rate(5, 1e-5) == pytest.approx(1e-5)


def test_a_warm_up_longer_than_the_run_is_refused_with_a_value_that_works() -> None:
    with pytest.raises(WarmupError, match=r"only 1000 iterations: set warmup_iteration to 114"):
        plan_lr("PolyLr", 1000, 12_000)
    assert plan_lr("PolyLr", 1000, 114)[1] is None


@pytest.mark.parametrize("total", [1, 2, 5, 1000])
def test_a_warm_up_is_scaled_when_asked_and_said_so(total: int) -> None:
    schedule, note = plan_lr("PolyLr", total, 12_000, fit_warmup=True)
    assert schedule.warmup_iteration < total
    assert "12000" in note and str(total) in note


def test_a_warm_up_that_fits_is_left_alone() -> None:
    schedule, note = plan_lr("PolyLr", 1000, 120, fit_warmup=True)
    assert (schedule.warmup_iteration, note) == (120, None)


def test_an_unknown_name_lists_the_choices() -> None:
    with pytest.raises(ValueError, match="PolyLr, Cosine, Constant"):
        Schedule("PolyLR", 10)


@pytest.mark.parametrize("bad", [{"total": 0}, {"minimum": -1.0}, {"power": 0.0}, {"warmup_iteration": -1}])
def test_numbers_out_of_range_are_refused(bad: dict) -> None:
    with pytest.raises(ValueError, match="a schedule needs"):
        Schedule(**{"name": "PolyLr", "total": 10, **bad})
