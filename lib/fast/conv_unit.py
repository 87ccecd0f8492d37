"""The fast formulation of `modules.conv.ConvUnit`, and the memory order that fast formulations keep."""

from collections.abc import Callable
from typing import Any, Protocol, TypeGuard

import torch
from torch import Tensor, nn

from .purpose import for_training
from .recompute import norm_relu


class Unit(Protocol):
    """What is used here of `modules.conv.ConvUnit`."""

    bn: nn.Module
    relu: nn.Module


def normalized(plain: Callable, unit: Unit, y: Tensor) -> Tensor:
    """`ConvUnit.normalized`; in training, made again where the backward pass needs it."""
    if for_training() and plain_norm(unit.bn):
        return norm_relu(y, unit.bn, isinstance(unit.relu, nn.ReLU))
    return aligned(plain(y))


def plain_norm(norm: nn.Module) -> TypeGuard[nn.BatchNorm2d]:
    """Whether this is BatchNorm in training, with the statistics of this process's batch only."""
    return type(norm) is nn.BatchNorm2d and norm.training and norm.track_running_stats and norm.momentum is not None


class _Aligned(torch.autograd.Function):
    """The identity, with the channels innermost on both ways."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        y = x.contiguous(memory_format=torch.channels_last)
        return y.view_as(y) if y is x else y

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient.contiguous(memory_format=torch.channels_last)


def aligned(x: Tensor) -> Tensor:
    """(B, C, h, w) with the channels innermost, and the gradient that comes back too.

    Splitting, joining and attention hand back gradients in another order, in which BatchNorm and convolutions are several
    times slower. Without gradients x stays what it is.
    """
    return _Aligned.apply(x) if for_training() and x.requires_grad else x
