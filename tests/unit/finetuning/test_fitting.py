"""Weights that fit in part: what fits is loaded, and one line says what did not."""

import pytest
import torch
from torch import nn

from inspyrenet.lib.checkpoints.fitting import load_fitting
from inspyrenet.lib.checkpoints.state_dict import WeightsError


def net() -> nn.Module:
    return nn.ModuleDict({"body": nn.Linear(3, 4), "head": nn.Linear(4, 2)})


def test_what_fits_is_loaded_and_the_rest_is_named():
    model = net()
    start = model["head"].weight.clone()
    file = {
        "body.weight": torch.ones(4, 3),
        "head.weight": torch.ones(5, 4),
        "head.bias": torch.ones(2),
        "tail": torch.ones(1),
    }
    said = load_fitting(model, {"state_dict": file}, "some.pth")
    assert said == (
        "2 of 4 entries loaded; 1 of another shape (head.weight); 1 unknown to this model (tail); "
        "1 at their start values, absent in the file (body.bias)"
    )
    assert torch.equal(model["body"].weight, torch.ones(4, 3)) and torch.equal(model["head"].weight, start)


def test_weights_of_which_nothing_fits_are_refused():
    with pytest.raises(WeightsError, match=r"nothing in other\.pth fits this model"):
        load_fitting(net(), {"else": torch.ones(2)}, "other.pth")
