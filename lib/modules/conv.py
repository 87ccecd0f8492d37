"""The conv unit that every part of the decoder is made of, and the two casts and resizes that go with it."""

import contextlib
from contextlib import AbstractContextManager

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..fast import conv_unit
from ..fast.cpu_bfloat16 import train_in_float32
from ..fast.purpose import for_export
from ..fast.switchable import accelerated_by
from ..types import Size


class ConvUnit(nn.Module):
    """Convolution without bias → BatchNorm (optional) → ReLU (optional), "same" padding.

    kernel may be one side or (height, width). Weights start Kaiming-normal, as published.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int | tuple[int, int] = 1,
        dilation: int = 1,
        relu: bool = False,
        norm: bool = True,
    ):
        super().__init__()
        kernel = (kernel, kernel) if isinstance(kernel, int) else kernel
        padding = (dilation * (kernel[0] - 1) // 2, dilation * (kernel[1] - 1) // 2)
        self.conv = nn.Conv2d(in_channels, out_channels, kernel, padding=padding, dilation=dilation, bias=False)
        train_in_float32(self.conv)
        self.bn = nn.BatchNorm2d(out_channels) if norm else nn.Identity()
        self.relu = nn.ReLU(inplace=True) if relu else nn.Identity()
        self.fast = True
        nn.init.kaiming_normal_(self.conv.weight)

    def forward(self, x: Tensor) -> Tensor:
        return self.normalized(self.conv(x))

    @accelerated_by(conv_unit.normalized)
    def normalized(self, y: Tensor) -> Tensor:
        """What follows the convolution."""
        return self.relu(self.bn(y))


def mixture(weights: Tensor, values: Tensor, dtype: torch.dtype) -> Tensor:
    """At every position the values (B, C, n) in the weights (B, n, h, w): (B, C, h, w)."""
    with without_autocast(weights):
        mixed = values @ weights.flatten(2)  # (B, C, h·w)
    return mixed.to(dtype).unflatten(2, weights.shape[-2:])


def resize(x: Tensor, size: Size, align_corners: bool = False) -> Tensor:
    """Bilinear resize of (B, C, h, w) to `size` (height, width); returns x itself where the size already fits.

    An exported graph always resizes: to ask costs minutes where sizes are symbols, or ties the graph to one size.
    """
    if not for_export() and x.shape[-2:] == tuple(size):
        return x
    return F.interpolate(x, size=size, mode="bilinear", align_corners=align_corners)


def at_least_float32(x: Tensor) -> Tensor:
    """At least float32: half-precision tensors are cast, float32 and float64 stay what they are."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


def without_autocast(x: Tensor) -> AbstractContextManager:
    """A region on the device of x that computes in the precision of its tensors.

    An exported graph has one precision anyway, and each region in it would cost a pass over the graph: it gets none.
    """
    return contextlib.nullcontext() if for_export() else torch.autocast(x.device.type, enabled=False)
