"""Axial attention: every position attends to the positions of its row or of its column."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..fast import parallel_axial as fast_axial
from ..fast.switchable import accelerated_by
from .conv import ConvUnit, at_least_float32, without_autocast


class AxialAttention(nn.Module):
    """Self-attention along one axis, added to the input with a learned factor that starts at 0 (part of PAA).

    axis: "h" or "w". layout: "as_trained" views the contiguous (B, C, h, w) tensor as (B, C·w, h) without moving the
    axis, as published checkpoints expect; on a square map both axes are then attention along w. "corrected" moves the
    named axis first. There is no 1/√d scale: in half precision the product overflows, so it is taken in float32.
    """

    def __init__(self, channels: int, axis: str, layout: str = "as_trained"):
        super().__init__()
        self.axis, self.layout, self.fast = axis, layout, True
        self.query_conv = ConvUnit(channels, max(1, channels // 8))
        self.key_conv = ConvUnit(channels, max(1, channels // 8))
        self.value_conv = ConvUnit(channels, channels)
        self.gamma = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) → (B, C, h, w)."""
        return self.attended(x, [conv(x) for conv in self.convs]) + x

    @property
    def convs(self) -> tuple[ConvUnit, ConvUnit, ConvUnit]:
        return self.query_conv, self.key_conv, self.value_conv

    def attended(self, x: Tensor, projections: Sequence[Tensor]) -> Tensor:
        """What is added to x, from its query, key and value maps (B, ·, h, w)."""
        query, key, value = (self._fold(projection) for projection in projections)
        out = self._unfold(attend(query, key, value, self.fast), x.shape)
        return self.gamma.to(x.dtype) * out.to(x.dtype)

    def _fold(self, x: Tensor) -> Tensor:
        """(B, C, h, w) → (B, features, length): the attended axis last."""
        length = x.shape[2] if self.axis == "h" else x.shape[3]
        if self.layout == "corrected" and self.axis == "h":
            x = x.transpose(2, 3)  # (B, C, w, h)
        return x.reshape(x.shape[0], -1, length)

    def _unfold(self, x: Tensor, shape: torch.Size) -> Tensor:
        batch, channels, height, width = shape
        if self.layout == "corrected" and self.axis == "h":
            return x.reshape(batch, channels, width, height).transpose(2, 3)
        return x.reshape(batch, channels, height, width)


@accelerated_by(fast_axial.attend_both)
def attend_both(rows: AxialAttention, columns: AxialAttention, x: Tensor) -> Tensor:
    """Attention along both axes, side by side: (B, C, h, w) → same."""
    return rows(x) + columns(x)


NOTHING = 1e-30  # a share of attention below which nothing is attended


def attend(query: Tensor, key: Tensor, value: Tensor, fast: bool = True) -> Tensor:
    """Unscaled attention over the last axis: (B, f, L), (B, f, L), (B, g, L) → (B, g, L) in at least float32.

    The unscaled scores differ by hundreds, so that most attention weights underflow to subnormal numbers, with which a CPU
    computes about a hundred times slower: fast makes them zero.
    """
    with without_autocast(query):
        query, key, value = at_least_float32(query), at_least_float32(key), at_least_float32(value)
        weights = (query.transpose(1, 2) @ key).softmax(dim=-1)  # (B, L, L)
        if fast:
            weights = F.threshold(weights, NOTHING, 0.0)
        return value @ weights.transpose(1, 2)
