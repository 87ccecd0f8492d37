"""Pyramid pooling: what a map holds on average in 1, 4, 9 and 36 parts, beside the map itself (PSPNet §3.2)."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .conv import resize


class GridMean(nn.Module):
    """Adaptive average pooling to side × side: (B, C, h, w) → (B, C, side, side), made of two products.

    The same means as nn.AdaptiveAvgPool2d, but it can be exported for images of any size.
    """

    def __init__(self, side: int):
        super().__init__()
        self.side = side

    def forward(self, x: Tensor) -> Tensor:
        if self.side == 1:
            return x.mean(dim=(-2, -1), keepdim=True)
        return self._shares(x.shape[-2], x) @ x @ self._shares(x.shape[-1], x).mT

    def _shares(self, length: int, like: Tensor) -> Tensor:
        """(side, length): row i averages the cells from ⌊i·length/side⌋ to ⌈(i + 1)·length/side⌉."""
        part, cell = torch.arange(self.side, device=like.device)[:, None], torch.arange(length, device=like.device)
        inside = (cell >= part * length // self.side) & (cell < ((part + 1) * length + self.side - 1) // self.side)
        return inside.to(like.dtype) / inside.sum(dim=1, keepdim=True).to(like.dtype)


class PyramidPooling(nn.Module):
    """(B, C, h, w) → (B, 2·C, h, w): the map, then for every bin its pooled, projected and enlarged form."""

    def __init__(self, channels: int, bins: Sequence[int] = (1, 2, 3, 6)):
        super().__init__()
        width = channels // len(bins)
        self.features = nn.ModuleList(
            nn.Sequential(
                GridMean(side),
                nn.Conv2d(channels, width, 1, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(inplace=True),
            )
            for side in bins
        )

    def forward(self, x: Tensor) -> Tensor:
        size = x.shape[-2:]
        return torch.cat([x, *(resize(branch(x), size, align_corners=True) for branch in self.features)], dim=1)
