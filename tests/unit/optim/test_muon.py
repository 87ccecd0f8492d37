"""Muon: orthogonal updates of matrices and kernels, AdamW for the rest."""

import copy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from inspyrenet.utils.optim.muon import Muon, orthogonalized
from inspyrenet.utils.optim.optimizer import build_optimizer, parameter_groups


@given(st.integers(1, 12), st.integers(1, 12), st.floats(-3, 3), st.integers(0, 999))
def test_singular_values_come_near_one_whatever_the_scale(rows: int, columns: int, power: float, seed: int) -> None:
    left, _ = torch.linalg.qr(torch.randn(rows, rows, generator=torch.manual_seed(seed)))
    right, _ = torch.linalg.qr(torch.randn(columns, columns, generator=torch.manual_seed(seed + 1)))
    values = torch.linspace(1, 0.3, min(rows, columns)) * 10**power
    matrix = (left[:, : len(values)] * values) @ right[: len(values)]
    found = torch.linalg.svdvals(orthogonalized(matrix[None])[0])
    assert 0.6 < found.min() <= found.max() < 1.3


def test_a_gradient_of_zeros_moves_nothing() -> None:
    assert not orthogonalized(torch.zeros(2, 3, 5)).any()


def trained(net: nn.Module, optimizer: torch.optim.Optimizer, steps: int = 4) -> list[torch.Tensor]:
    x = torch.randn(8, 6, 5, 5, generator=torch.manual_seed(0))
    for _ in range(steps):
        optimizer.zero_grad()
        net(x).square().mean().backward()
        optimizer.step()
    return [p.detach().clone() for p in net.parameters()]


def net() -> nn.Module:
    torch.manual_seed(1)
    return nn.Sequential(nn.Conv2d(6, 16, 3), nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 3, 1))


def test_vectors_move_as_adamw_moves_them() -> None:
    mine = [nn.Parameter(torch.ones(5)), nn.Parameter(torch.tensor(2.0))]
    theirs = copy.deepcopy(mine)
    settings = {"lr": 0.1, "weight_decay": 0.2, "betas": (0.8, 0.9)}
    for parameters, optimizer in ((mine, Muon(mine, **settings)), (theirs, torch.optim.AdamW(theirs, **settings))):
        for step in range(4):
            for parameter in parameters:
                parameter.grad = torch.cos(parameter.detach() * 3 + step)
            optimizer.step()
    for ours, reference in zip(mine, theirs, strict=True):
        torch.testing.assert_close(ours, reference)


@pytest.mark.parametrize("shape", [(6, 10), (10, 6)])
def test_matrices_move_as_torchs_own_muon_moves_them(shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    mine = nn.Parameter(torch.randn(shape))
    theirs = copy.deepcopy(mine)
    settings = {"lr": 0.1, "weight_decay": 0.2, "momentum": 0.9}
    for parameter, optimizer in (
        (mine, Muon([mine], **settings)),
        (theirs, torch.optim.Muon([theirs], adjust_lr_fn="match_rms_adamw", **settings)),
    ):
        torch.manual_seed(1)
        for _ in range(4):
            parameter.grad = torch.randn(shape)
            optimizer.step()
    torch.testing.assert_close(mine, theirs, atol=0.02, rtol=0)  # torch's makes orthogonal in bfloat16


def test_a_kernel_moves_as_the_matrix_it_flattens_to() -> None:
    kernel = nn.Parameter(torch.randn(4, 3, 3, 3, generator=torch.manual_seed(0)))
    matrix = nn.Parameter(kernel.detach().flatten(1).clone())
    kernel.grad = torch.randn(4, 3, 3, 3, generator=torch.manual_seed(1))
    matrix.grad = kernel.grad.flatten(1)
    Muon([kernel, matrix], lr=0.1).step()
    torch.testing.assert_close(kernel.flatten(1), matrix)


def test_frozen_and_unused_parameters_stay() -> None:
    used, unused = nn.Parameter(torch.eye(2)), nn.Parameter(torch.eye(2))
    used.grad = torch.eye(2)
    Muon([used, unused], lr=0.1, weight_decay=0.5).step()
    assert torch.equal(unused, torch.eye(2))
    assert not torch.equal(used, torch.eye(2))


def test_it_goes_on_exactly_where_its_state_was_kept() -> None:
    straight, stopped = net(), net()
    straight_optimizer = build_optimizer(parameter_groups(straight), "Muon", 1e-2, weight_decay=0.1)
    trained(straight, straight_optimizer, 3)
    optimizer = build_optimizer(parameter_groups(stopped), "Muon", 1e-2, weight_decay=0.1)
    trained(stopped, optimizer, 3)
    again = build_optimizer(parameter_groups(stopped), "Muon", 1e-2, weight_decay=0.1)
    again.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    for ours, reference in zip(trained(stopped, again), trained(straight, straight_optimizer), strict=True):
        assert torch.equal(ours, reference)


def test_its_momentum_and_betas_are_those_that_the_config_names() -> None:
    optimizer = build_optimizer(parameter_groups(net()), "Muon", 1e-2, momentum=0.7, betas=(0.5, 0.6))
    assert [(g["momentum"], g["betas"]) for g in optimizer.param_groups] == [(0.7, (0.5, 0.6))]
