"""Pyramid pooling: what a map holds on average in 1, 4, 9 and 36 parts, beside the map itself (PSPNet §3.2)."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .conv import resize


class PyramidPooling(nn.Module):
    """(B, C, h, w) → (B, 2·C, h, w): the map, then for every bin its pooled, projected and enlarged form."""

    def __init__(self, channels: int, bins: Sequence[int] = (1, 2, 3, 6)):
        super().__init__()
        width = channels // len(bins)
        self.features = nn.ModuleList(
            nn.Sequential(
                nn.AdaptiveAvgPool2d(side),
                nn.Conv2d(channels, width, 1, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(inplace=True),
            )
            for side in bins
        )

    def forward(self, x: Tensor) -> Tensor:
        norm = self.features[0][2]
        if x.shape[0] == 1 and isinstance(norm, nn.BatchNorm2d) and norm.training:
            raise ValueError(
                "BatchNorm cannot learn from a batch of one image here (a global mean is one value per channel): "
                "set Train.Dataloader.batch_size to 2 or more"
            )
        size = x.shape[-2:]
        return torch.cat([x, *(resize(branch(x), size, align_corners=True) for branch in self.features)], dim=1)
