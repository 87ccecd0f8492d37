"""Several 1×1 conv units on one input as one convolution: the input is read once, in one product instead of many thin ones."""

from collections.abc import Sequence
from typing import TypeGuard

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..modules.conv import ConvUnit
from .conv_unit import aligned


def fused_conv1x1(units: Sequence[ConvUnit], x: Tensor) -> tuple[Tensor, ...]:
    """`tuple(unit(x) for unit in units)` up to rounding, gradients and running statistics included.

    units: 1×1 convolutions with BatchNorm and without ReLU. x: (B, C, h, w) → one (B, out_channels, h, w) for each unit.
    Units whose normalization was replaced or that are in different modes are taken one by one.
    """
    norms = [unit.bn for unit in units]
    if not (all(unit.fast for unit in units) and _alike(norms)):
        return tuple(unit(x) for unit in units)
    weight = torch.cat([unit.conv.weight for unit in units])
    y = aligned(_normalized(F.conv2d(x, weight), norms))
    return y.split([unit.conv.out_channels for unit in units], dim=1)


def _alike(norms: Sequence[nn.Module]) -> TypeGuard[Sequence[nn.BatchNorm2d]]:
    """Whether the norms may be taken as one over all channels."""
    first = norms[0]
    return all(
        type(norm) is nn.BatchNorm2d  # not SyncBatchNorm, whose statistics are those of all processes
        and norm.track_running_stats
        and norm.momentum is not None
        and (norm.training, norm.momentum, norm.eps) == (first.training, first.momentum, first.eps)
        for norm in norms
    )


def _normalized(y: Tensor, norms: Sequence[nn.BatchNorm2d]) -> Tensor:
    """BatchNorm of (B, ΣC, h, w) whose channels belong to the norms in turn."""
    first = norms[0]
    mean, var = (torch.cat([getattr(norm, name) for norm in norms]) for name in ("running_mean", "running_var"))
    weight, bias = (torch.cat([getattr(norm, name) for norm in norms]) for name in ("weight", "bias"))
    y = F.batch_norm(y, mean, var, weight, bias, first.training, first.momentum or 0.0, first.eps)
    if first.training:  # mean and var were moved in place: each norm gets its part
        sizes = [norm.num_features for norm in norms]
        with torch.no_grad():
            for norm, m, v in zip(norms, mean.split(sizes), var.split(sizes), strict=True):
                norm.get_buffer("running_mean").copy_(m)
                norm.get_buffer("running_var").copy_(v)
                norm.get_buffer("num_batches_tracked").add_(1)
    return y
