"""The fast formulation of `modules.conv.ConvUnit`, and the memory order that fast formulations keep."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from .purpose import for_training
from .recompute import norm_relu


def normalized(plain: Callable, unit: nn.Module, y: Tensor) -> Tensor:
    """`ConvUnit.normalized`; in training, made again where the backward pass needs it."""
    if for_training() and plain_norm(unit.bn):
        return norm_relu(y, unit.bn, isinstance(unit.relu, nn.ReLU))
    return aligned(plain(y))


def plain_norm(norm: nn.Module) -> bool:
    """Whether this is BatchNorm in training, with the statistics of this process's batch only."""
    return type(norm) is nn.BatchNorm2d and norm.training and norm.track_running_stats and norm.momentum is not None


class _Aligned(torch.autograd.Function):
    """The identity, with the channels innermost on both ways."""

    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:
        y = x.contiguous(memory_format=torch.channels_last)
        return y.view_as(y) if y is x else y

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Tensor:
        return gradient.contiguous(memory_format=torch.channels_last)


def aligned(x: Tensor) -> Tensor:
    """(B, C, h, w) with the channels innermost, and the gradient that comes back too.

    Splitting, joining and attention hand back gradients in another order, in which BatchNorm and convolutions are several
    times slower. Without gradients x stays what it is.
    """
    return _Aligned.apply(x) if for_training() and x.requires_grad else x
