"""Parallel axial attention: the encoder side (context of one feature map) and the decoder side (first saliency map)."""

import torch
from torch import Tensor, nn

from ..fast import parallel_axial as fast_axial
from ..fast.switchable import accelerated_by
from .attention import AxialAttention, attend_both
from .conv import ConvUnit, at_least_float32, resize


class PAABranch(nn.Module):
    """conv 1×1 → conv (1, k) → conv (k, 1) → axial h + axial w → conv 3×3 with dilation k."""

    def __init__(self, in_channels: int, depth: int, kernel: int, layout: str):
        super().__init__()
        self.conv0 = ConvUnit(in_channels, depth)
        self.conv1 = ConvUnit(depth, depth, (1, kernel))
        self.conv2 = ConvUnit(depth, depth, (kernel, 1))
        self.conv3 = ConvUnit(depth, depth, 3, dilation=kernel)
        self.Hattn = AxialAttention(depth, "h", layout)
        self.Wattn = AxialAttention(depth, "w", layout)

    def forward(self, x: Tensor) -> Tensor:
        return self.forward_reduced(self.conv0(x))

    def forward_reduced(self, x: Tensor) -> Tensor:
        """`forward` of what conv0 gave, (B, depth, h, w)."""
        x = self.conv2(self.conv1(x))
        return self.conv3(attend_both(self.Hattn, self.Wattn, x))


class PAAEncoder(nn.Module):
    """PAA-e: (B, in_channels, h, w) → (B, depth, h, w); four branches with growing reach and a residual."""

    def __init__(self, in_channels: int, depth: int, layout: str = "as_trained"):
        super().__init__()
        self.branch0 = ConvUnit(in_channels, depth)
        self.branch1 = PAABranch(in_channels, depth, 3, layout)
        self.branch2 = PAABranch(in_channels, depth, 5, layout)
        self.branch3 = PAABranch(in_channels, depth, 7, layout)
        self.conv_cat = ConvUnit(4 * depth, depth, 3)
        self.conv_res = ConvUnit(in_channels, depth)
        self.fast = True

    @accelerated_by(fast_axial.encoder)
    def forward(self, x: Tensor) -> Tensor:
        branches = [self.branch0(x), self.branch1(x), self.branch2(x), self.branch3(x)]
        return (self.conv_cat(torch.cat(branches, dim=1)) + self.conv_res(x)).relu()


class PAADecoder(nn.Module):
    """PAA-d: x3 (H/8), x4 (H/16), x5 (H/32) → feature f3 (B, depth, H/8, W/8) and the first saliency logits S3."""

    def __init__(self, depth: int, layout: str = "as_trained"):
        super().__init__()
        self.conv1 = ConvUnit(3 * depth, depth, 3)
        self.conv2 = ConvUnit(depth, depth, 3)
        self.conv3 = ConvUnit(depth, depth, 3)
        self.conv4 = ConvUnit(depth, depth, 3)
        self.conv5 = ConvUnit(depth, 1, 3, norm=False)
        self.Hattn = AxialAttention(depth, "h", layout)
        self.Wattn = AxialAttention(depth, "w", layout)

    def forward(self, x3: Tensor, x4: Tensor, x5: Tensor) -> tuple[Tensor, Tensor]:
        size = x3.shape[-2:]
        x = torch.cat([resize(x5, size, align_corners=True), resize(x4, size, align_corners=True), x3], dim=1)
        x = self.conv1(x)
        x = attend_both(self.Hattn, self.Wattn, x)
        feature = self.conv4(self.conv3(self.conv2(x)))
        return feature, at_least_float32(self.conv5(feature))
