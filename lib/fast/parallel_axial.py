"""Fast formulations of parallel axial attention: 1×1 convolutions that read the same map are one."""

from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Tensor

from ..modules.conv import ConvUnit
from .conv_unit import aligned
from .fused_conv1x1 import fused_conv1x1


class Branch(Protocol):
    """What is used here of `modules.paa.PAABranch`."""

    conv0: ConvUnit

    def forward_reduced(self, x: Tensor) -> Tensor: ...


class PAA(Protocol):
    """What is used here of `modules.paa.PAAEncoder`."""

    branch0: ConvUnit
    branch1: Branch
    branch2: Branch
    branch3: Branch
    conv_cat: ConvUnit
    conv_res: ConvUnit


class Attention(Protocol):
    """What is used here of `modules.attention.AxialAttention`."""

    @property
    def convs(self) -> tuple[ConvUnit, ConvUnit, ConvUnit]: ...

    def attended(self, x: Tensor, projections: Sequence[Tensor]) -> Tensor: ...


def encoder(plain: Callable, paa: PAA, x: Tensor) -> Tensor:
    """`PAAEncoder.forward`."""
    branches = (paa.branch1, paa.branch2, paa.branch3)
    near, residual, *reduced = fused_conv1x1((paa.branch0, paa.conv_res, *(branch.conv0 for branch in branches)), x)
    far = [branch.forward_reduced(aligned(y)) for branch, y in zip(branches, reduced, strict=True)]
    return (paa.conv_cat(torch.cat([near, *far], dim=1)) + residual).relu()


def attend_both(plain: Callable, rows: Attention, columns: Attention, x: Tensor) -> Tensor:
    """`modules.attention.attend_both`."""
    maps = fused_conv1x1((*rows.convs, *columns.convs), x)
    return aligned(torch.add(rows.attended(x, maps[:3]) + columns.attended(x, maps[3:]), x, alpha=2))
