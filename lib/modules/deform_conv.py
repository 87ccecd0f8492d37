"""Modulated deformable convolution (DCNv2, Zhu et al. 2019) of stride 1 and "same" padding."""

import torch
import torchvision
from torch import Tensor, nn
from torch.nn import functional as F

from .conv import without_autocast


class DeformConv(nn.Module):
    """Convolution whose taps move by learned offsets and are weighted by learned masks in (0, 2).

    Offsets and masks start at 0 and 1: a plain convolution. Offset channels are (Δy, Δx) of tap 0, of tap 1, …, taps in
    row-major order. sampler: "torchvision", or "grid" (the same function made of standard operations, a tap at a time,
    for places that have no deformable convolution).
    """

    def __init__(self, in_channels: int, out_channels: int, kernel: int, sampler: str = "torchvision"):
        super().__init__()
        taps, padding = kernel * kernel, kernel // 2
        self.sampler = sampler
        self.offset_conv = nn.Conv2d(in_channels, 2 * taps, kernel, padding=padding)
        self.modulator_conv = nn.Conv2d(in_channels, taps, kernel, padding=padding)
        self.regular_conv = nn.Conv2d(in_channels, out_channels, kernel, padding=padding, bias=False)
        for conv in (self.offset_conv, self.modulator_conv):
            for parameter in conv.parameters():
                nn.init.zeros_(parameter)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) → (B, out_channels, h, w)."""
        offset, mask = self.offset_conv(x), 2 * self.modulator_conv(x).sigmoid()
        sample = SAMPLERS[self.sampler]
        with without_autocast(x):  # there is no bfloat16 kernel, and positions need float32
            wide = torch.float64 if x.dtype == torch.float64 else torch.float32
            out = sample(x.to(wide), offset.to(wide), mask.to(wide), self.regular_conv.weight.to(wide))
        return out.to(offset.dtype)


def deform_torchvision(x: Tensor, offset: Tensor, mask: Tensor, weight: Tensor) -> Tensor:
    """x (B, C, h, w), offset (B, 2k², h, w), mask (B, k², h, w), weight (D, C, k, k) → (B, D, h, w); bilinear, zeros outside."""
    return torchvision.ops.deform_conv2d(x, offset, weight, padding=weight.shape[-1] // 2, mask=mask)


def deform_grid(x: Tensor, offset: Tensor, mask: Tensor, weight: Tensor) -> Tensor:
    """The same function by grid sampling; holds one tap's samples at a time instead of all k²."""
    height, width = x.shape[-2:]
    kernel = weight.shape[-1]
    rows = torch.arange(height, device=x.device, dtype=x.dtype)[None, :, None]
    columns = torch.arange(width, device=x.device, dtype=x.dtype)[None, None, :]
    out = x.new_zeros(())
    for tap in range(kernel * kernel):
        y = rows + (tap // kernel - kernel // 2) + offset[:, 2 * tap]  # (B, h, w)
        z = columns + (tap % kernel - kernel // 2) + offset[:, 2 * tap + 1]
        # half-pixel coordinates: they have no division by (side − 1), which is 0 on a map of one row
        grid = torch.stack([(2 * z + 1) / width - 1, (2 * y + 1) / height - 1], dim=-1)
        moved = F.grid_sample(x, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
        out = out + F.conv2d(moved * mask[:, tap : tap + 1], weight[:, :, tap // kernel, tap % kernel, None, None])
    return out


SAMPLERS = {"torchvision": deform_torchvision, "grid": deform_grid}
