"""Maps of several strides out of the one map of a plain Vision Transformer (Li et al., ECCV 2022, ViTDet §3)."""

import math
from collections.abc import Sequence

from torch import Tensor, nn

WIDTH = 256  # channels of every map, as published; fewer where the transformer itself has fewer


class ChannelNorm(nn.LayerNorm):
    """LayerNorm over the channels of (B, C, h, w)."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class FeaturePyramid(nn.ModuleList):
    """(B, C, h, w) at `stride` → maps (B, `width`, ·, ·) at `strides`, each made from the same map.

    Finer ones by transposed convolutions of stride 2, coarser ones by max pooling; then a 1×1 and a 3×3 convolution.
    stride, strides: powers of two.
    """

    def __init__(self, channels: int, stride: int, strides: Sequence[int]):
        super().__init__()
        self.width = min(WIDTH, channels)
        self.extend(nn.Sequential(*_level(channels, self.width, round(math.log2(stride / s)))) for s in strides)

    def forward(self, x: Tensor) -> list[Tensor]:
        return [level(x) for level in self]


def _level(channels: int, width: int, doublings: int) -> list[nn.Module]:
    """What makes a map `doublings` times twice as large; half as large where it is negative."""
    layers: list[nn.Module] = [nn.MaxPool2d(2, ceil_mode=True) for _ in range(-doublings)]
    for number in range(doublings):
        layers += [ChannelNorm(channels), nn.GELU()] if number else []
        layers.append(nn.ConvTranspose2d(channels, channels // 2, 2, 2))
        channels //= 2
    for kernel in (1, 3):
        layers += [nn.Conv2d(channels, width, kernel, padding=kernel // 2, bias=False), ChannelNorm(width)]
        channels = width
    return layers
