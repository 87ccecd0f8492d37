"""Atrous spatial pyramid pooling with deformable instead of dilated convolutions (BiRefNet, Zheng et al. 2024)."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .deform_conv import DeformConv
from .norm import make_norm

BRANCH = 256  # channels of each branch


class DeformBranch(nn.Module):
    """Deformable convolution → norm → ReLU."""

    def __init__(self, in_channels: int, kernel: int, norm: str):
        super().__init__()
        self.atrous_conv = DeformConv(in_channels, BRANCH, kernel)
        self.bn = make_norm(norm, BRANCH)

    def forward(self, x: Tensor) -> Tensor:
        return self.bn(self.atrous_conv(x)).relu()


class DeformASPP(nn.Module):
    """A deformable 1×1 branch, one per entry of `kernels`, and a global mean; fused back to `channels`.

    (B, channels, h, w) → same. kernels (1, 3, 7) is the published form; (3,) that of files from before May 2024.
    """

    def __init__(self, channels: int, kernels: Sequence[int] = (1, 3, 7), norm: str = "batch", dropout: float = 0.5):
        super().__init__()
        self.aspp1 = DeformBranch(channels, 1, norm)
        self.aspp_deforms = nn.ModuleList(DeformBranch(channels, kernel, norm) for kernel in kernels)
        self.global_avg_pool = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(channels, BRANCH, 1, bias=False), make_norm(norm, BRANCH), nn.ReLU()
        )
        self.conv1 = nn.Conv2d((2 + len(kernels)) * BRANCH, channels, 1, bias=False)
        self.bn1 = make_norm(norm, channels)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        branches = [self.aspp1(x), *(branch(x) for branch in self.aspp_deforms)]
        mean = self.global_avg_pool(x).expand(-1, -1, *x.shape[-2:])
        x = self.conv1(torch.cat([*branches, mean], dim=1))
        return self.dropout(self.bn1(x).relu())
