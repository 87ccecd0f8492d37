"""Scale-invariant context attention: refines a feature map by what lies in, outside and between the coarse map's regions."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..fast import sica as fast_sica
from ..fast.switchable import accelerated_by
from ..types import Size
from .conv import ConvUnit, at_least_float32, mixture, resize, without_autocast

CONTEXTS = ("foreground", "background", "confusion", "added detail", "removed detail")  # the last two of the Laplacian


class SICA(nn.Module):
    """Context attention of one pyramid stage, in the reference formulation; `fast.sica` has the one that runs by default.

    stage: 2, 1 or 0; stages 1 and 0 also take the coarser Laplacian map (`with_laplacian`).
    base_size: (height, width) that the network trains at; contexts are summed over maps of base_size / 2^stage,
    so that their scale does not depend on the size of the image.
    layout: "as_trained" views the (B, C, h, w) features as (B, h·w, C) without a permute, as published checkpoints
    expect; "corrected" permutes first.
    """

    def __init__(
        self,
        in_channels: int,
        depth: int,
        stage: int,
        base_size: tuple[int, int],
        with_laplacian: bool,
        layout: str = "as_trained",
    ):
        super().__init__()
        self.depth, self.layout, self.with_laplacian, self.fast = depth, layout, with_laplacian, True
        self.context_size = (base_size[0] // 2**stage, base_size[1] // 2**stage)
        self.threshold = nn.Parameter(torch.tensor([0.5]))
        if with_laplacian:
            self.lthreshold = nn.Parameter(torch.tensor([0.5]))
        self.conv_query = nn.Sequential(
            ConvUnit(in_channels, depth, 3, relu=True), ConvUnit(depth, depth, 3, relu=True)
        )
        self.conv_key = nn.Sequential(ConvUnit(in_channels, depth, relu=True), ConvUnit(depth, depth, relu=True))
        self.conv_value = nn.Sequential(ConvUnit(in_channels, depth, relu=True), ConvUnit(depth, depth, relu=True))
        self.conv_out1 = ConvUnit(depth, depth, 3, relu=True)
        self.conv_out2 = ConvUnit(in_channels + depth, depth, 3, relu=True)
        self.conv_out3 = ConvUnit(depth, depth, 3, relu=True)
        self.conv_out4 = ConvUnit(depth, 1)

    def forward(self, x: Tensor, smap: Tensor, lmap: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """x (B, in_channels, h, w), coarser logits smap and lmap (B, 1, ·, ·) → feature (B, depth, h, w), U (B, 1, h, w).

        U is at least float32, whatever the precision of the features.
        """
        key, value = self.keys_values(x, smap, lmap)
        return self.refine(x, key, value)

    def keys_values(self, x: Tensor, smap: Tensor, lmap: Tensor | None) -> tuple[Tensor, Tensor]:
        """Keys and values (B, depth, n) of the n context vectors."""
        maps = self.context_maps(x.shape[-2:], smap, lmap)
        return self.project(resize(x, self.context_size), resize(maps, self.context_size))

    def project(self, x: Tensor, maps: Tensor) -> tuple[Tensor, Tensor]:
        """Features (B, C, *context_size) and maps (B, n, *context_size) → keys and values (B, depth, n)."""
        # a sum over 10^5 positions leaves the range of half precision
        with without_autocast(x):
            x = at_least_float32(x)
            context = self.sums(x, maps.to(x.dtype)).transpose(1, 2).unsqueeze(-1)  # (B, C, n, 1)
            return _project(self.conv_key, context).squeeze(-1), _project(self.conv_value, context).squeeze(-1)

    @accelerated_by(fast_sica.sums)
    def sums(self, x: Tensor, maps: Tensor) -> Tensor:
        """Features (B, C, h, w), weighted by each of n maps (B, n, h, w) and summed: (B, n, C)."""
        batch, channels, height, width = x.shape
        if self.layout == "corrected":
            x = x.permute(0, 2, 3, 1)
        return torch.bmm(maps.flatten(2), x.reshape(batch, height * width, channels))  # (B, n, h·w) × (B, h·w, C)

    def context_maps(self, size: Size, smap: Tensor, lmap: Tensor | None) -> Tensor:
        """Foreground, background and confusion of the coarse map, then the signs of the Laplacian: CONTEXTS, (B, 3 or 5, *size)."""
        p = resize(smap, size).sigmoid() - self.threshold
        maps = [p.clamp(0, 1), (-p).clamp(0, 1), self.threshold - p.abs()]
        if self.with_laplacian:
            if lmap is None:
                raise ValueError("this stage attends to the coarser Laplacian map too: give it lmap")
            q = resize(lmap, size).sigmoid() - self.lthreshold
            maps += [q.clamp(0, 1), (-q).clamp(0, 1)]
        return torch.cat(maps, dim=1)

    @accelerated_by(fast_sica.refine)
    def refine(self, x: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """The local part: every position asks the contexts, then convolutions. Reaches 5 px around each position."""
        query = self.conv_query(x).flatten(2).transpose(1, 2)  # (B, h·w, depth)
        attended = mixture(self.attention_weights(query, key, x.shape[-2:]), value, x.dtype)
        return self.outputs(self.conv_out2(torch.cat([x, self.conv_out1(attended)], dim=1)))

    def attention_weights(self, query: Tensor, key: Tensor, size: Size) -> Tensor:
        """softmax(query·key / √depth): of each position's attention what goes to each context, (B, n, *size)."""
        with without_autocast(query):
            weights = (torch.bmm(query.to(key.dtype), key) * self.depth**-0.5).softmax(dim=-1)  # (B, h·w, n)
        return weights.transpose(1, 2).unflatten(2, size)

    def outputs(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The feature and U, from what conv_out2 gave."""
        feature = self.conv_out3(x)
        return feature, at_least_float32(self.conv_out4(feature))


def _project(units: nn.Sequential, x: Tensor) -> Tensor:
    """The conv units at the precision of x; a network in half precision lends its parameters cast."""
    unit: Any  # ConvUnit
    for unit in units:
        conv, norm = unit.conv, unit.bn
        if conv.weight.dtype == x.dtype:
            x = unit(x)
        else:
            statistics = (norm.running_mean, norm.running_var, norm.weight, norm.bias)
            mean, var, weight, bias = (s.to(x.dtype) for s in statistics)
            x = F.conv2d(x, conv.weight.to(x.dtype))
            x = F.batch_norm(x, mean, var, weight, bias, training=False, eps=norm.eps).relu()
    return x
