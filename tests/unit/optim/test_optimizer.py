"""Optimizers: groups, rates, kinds."""

import pytest
import torch
from torch import nn

from inspyrenet.utils.optim.optimizer import build_optimizer, parameter_groups


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Linear(2, 3)
        self.backbone_head = nn.Linear(3, 3)  # its name only looks like the encoder's
        self.decoder = nn.Linear(3, 1)

    def forward(self, x):
        return self.decoder(self.backbone_head(self.backbone(x)))


def test_the_head_learns_faster_than_the_encoder() -> None:
    net = Net()
    optimizer = build_optimizer(parameter_groups(net), "Adam", 1e-5)
    found = {group["name"]: group for group in optimizer.param_groups}
    assert {name: group["lr"] for name, group in found.items()} == {"encoder": 1e-5, "head": pytest.approx(1e-4)}
    assert all(group["initial_lr"] == group["lr"] for group in found.values())
    assert [id(p) for p in found["encoder"]["params"]] == [id(net.backbone.weight), id(net.backbone.bias)]
    assert len(found["head"]["params"]) == 4


@pytest.mark.parametrize("name", ["Adam", "AdamW", "SGD"])
def test_every_kind_takes_the_step_that_torch_defines(name: str) -> None:
    settings = {"weight_decay": 0.1, **({"momentum": 0.8} if name == "SGD" else {"betas": (0.8, 0.9)})}
    nets = [Net(), Net()]
    nets[1].load_state_dict(nets[0].state_dict())
    ours = build_optimizer(parameter_groups(nets[0]), name, 1e-2, head_factor=1.0, **settings)
    plain = getattr(torch.optim, name)(nets[1].parameters(), lr=1e-2, fused=False, foreach=False, **settings)
    assert type(ours).__name__ == name
    for net, optimizer in zip(nets, (ours, plain), strict=True):
        for _ in range(3):
            optimizer.zero_grad()
            net(torch.ones(4, 2)).sum().backward()
            optimizer.step()
    for mine, reference in zip(nets[0].parameters(), nets[1].parameters(), strict=True):
        torch.testing.assert_close(mine, reference)


def test_frozen_parameters_are_left_out() -> None:
    net = Net()
    net.backbone.requires_grad_(False)
    optimizer = build_optimizer(parameter_groups(net), "SGD", 1.0)
    assert [group["name"] for group in optimizer.param_groups] == ["head"]
    net.requires_grad_(False)
    with pytest.raises(ValueError, match="nothing to train"):
        parameter_groups(net)


@pytest.mark.parametrize(("rule", "factor"), [("none", 1), ("linear", 4), ("sqrt", 2)])
def test_rates_grow_with_the_processes_as_asked(rule: str, factor: int) -> None:
    optimizer = build_optimizer(parameter_groups(Net()), "SGD", 1.0, scale_lr=rule, processes=4)
    assert [group["lr"] for group in optimizer.param_groups] == [factor, 10 * factor]


def test_wrong_names_list_the_choices() -> None:
    groups = parameter_groups(Net())
    with pytest.raises(ValueError, match="Adam, AdamW, SGD"):
        build_optimizer(groups, "adam", 1.0)
    with pytest.raises(ValueError, match="none, linear, sqrt"):
        build_optimizer(groups, "Adam", 1.0, scale_lr="square")
    with pytest.raises(ValueError, match="no parameters"):
        build_optimizer({"head": []}, "Adam", 1.0)


def test_rates_decay_from_the_last_layer_of_the_encoder_to_the_first() -> None:
    net = torch.nn.ModuleDict({"backbone": torch.nn.Sequential(*(torch.nn.Linear(2, 2) for _ in range(4)))})
    net["head"] = torch.nn.Linear(2, 1)
    layers = [list(layer.parameters()) for layer in net["backbone"][:3]]
    groups = parameter_groups(net, fresh=("backbone.3.",), layers=layers)
    optimizer = build_optimizer(groups, "AdamW", 1.0, layer_decay=0.5)
    assert {group["name"]: group["lr"] for group in optimizer.param_groups} == {
        "encoder.0": 0.25, "encoder.1": 0.5, "encoder.2": 1.0, "head": 10.0,
    }  # fmt: skip
    assert [len(group["params"]) for group in optimizer.param_groups] == [2, 2, 2, 4]
