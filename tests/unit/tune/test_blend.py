"""Interpolation of weights, and which blend is taken."""

import pytest
import torch

from inspyrenet.tune.blend import blended, choose_alpha


def test_weights_are_interpolated_and_counters_are_not():
    start = {"w": torch.tensor([0.0, 4.0]), "n": torch.tensor(3)}
    tuned = {"w": torch.tensor([2.0, 0.0]), "n": torch.tensor(9)}
    found = blended(start, tuned, 0.25)
    assert found["w"].tolist() == [0.5, 3.0] and found["n"] == 9
    assert blended(start, tuned, 1.0)["w"].tolist() == [2.0, 0.0]
    assert start["w"].tolist() == [0.0, 4.0]


def test_states_of_two_networks_are_refused():
    with pytest.raises(ValueError, match="differ in b"):
        blended({"a": torch.ones(1)}, {"a": torch.ones(1), "b": torch.ones(1)}, 0.5)


@pytest.mark.parametrize(
    ("own", "general", "alpha"),
    [
        ({0.25: 0.01, 0.5: 0.03, 1.0: 0.05}, {0.25: 0.0, 0.5: -0.004, 1.0: -0.02}, 0.5),  # 1 costs too much
        ({0.25: 0.01, 0.5: 0.03, 1.0: 0.02}, {0.25: 0.0, 0.5: 0.0, 1.0: 0.0}, 0.5),
        ({0.25: 0.02, 1.0: 0.02}, {0.25: 0.0, 1.0: 0.0}, 0.25),  # the lower one of equals
        ({0.25: -0.01, 1.0: -0.02}, {0.25: 0.01, 1.0: 0.01}, 0.0),
        ({0.25: 0.01, 1.0: 0.02}, {0.25: -0.01, 1.0: -0.02}, 0.0),
    ],
)
def test_alpha_gains_on_own_pairs_without_a_loss_on_general_ones(own, general, alpha):
    assert choose_alpha(own, general, loss=0.005) == alpha
