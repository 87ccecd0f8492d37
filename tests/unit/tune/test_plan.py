"""Sizes and rates follow the number of pairs, the time and the memory."""

import pytest
import torch

from inspyrenet.lib.sizes import rule_for
from inspyrenet.tune import plan as planning
from inspyrenet.tune.plan import Cost, Plan, frozen_stages, make_plan, measure_cost

CPU = torch.device("cpu")


def planned(pairs: int = 60, seconds: float = 600, weights: int = 4_000_000, memory: int = 10**6) -> Plan:
    cost = Cost(0.5, memory)
    return make_plan(pairs, (320, 320), rule_for("InSPyReNet"), weights, frozen_stages(pairs), cost, seconds, CPU)


def draws(plan: Plan) -> int:
    return plan.epochs * (plan.own + plan.general)


def test_training_fills_the_time_and_no_more():
    assert draws(planned(seconds=600)) == pytest.approx(1200, rel=0.05)
    assert draws(planned(seconds=300)) == pytest.approx(600, rel=0.05)


def test_few_pairs_are_not_seen_too_often_and_learn_more_slowly():
    few, many = planned(pairs=9, seconds=10**5), planned(pairs=200, seconds=10**5)
    assert few.epochs * few.own <= 9 * planning.MOST_TIMES + few.epochs
    assert few.lr < many.lr and few.freeze_stages > many.freeze_stages


def test_images_are_smaller_where_the_time_is_short():
    assert planned(seconds=600).size == (320, 320)
    assert planned(seconds=60).size == (256, 256) or planned(seconds=60).size == (224, 224)
    assert planned(seconds=0).epochs == 1


def test_a_batch_fits_the_memory_and_a_step_keeps_its_size(monkeypatch):
    monkeypatch.setattr(planning, "available_memory", lambda: 8 * 10**9)
    plan = planned(memory=2 * 10**9)
    assert (plan.batch, plan.accumulate) == (2, 4)


def test_large_networks_learn_more_slowly():
    assert planned(weights=90_000_000).lr < planned().lr


def test_cost_is_measured_without_a_change_of_the_weights():
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3, padding=1), torch.nn.BatchNorm2d(4), torch.nn.Conv2d(4, 1, 1))
    before = {name: value.clone() for name, value in net.state_dict().items()}
    cost = measure_cost(net, lambda out, mask: {"total": (out - mask).square().mean()}, (32, 32), CPU)
    assert cost.seconds > 0 and cost.memory >= 0
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())
    assert all(value.grad is None for value in net.parameters()) and not net.training
