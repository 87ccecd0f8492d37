"""Scale-invariant context attention: refines a feature map by what lies in, outside and between the coarse map's regions."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..fast.lazy_upsample import LazyUpsample, bilinear_weights
from ..fast.recompute import recompute
from ..fast.tiled_inference import tile_grid, tile_span
from .conv import ConvUnit, at_least_float32, mixture, resize, without_autocast


class SICA(nn.Module):
    """Context attention of one pyramid stage.

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
            context = self._sums(x, maps.to(x.dtype)).transpose(1, 2).unsqueeze(-1)  # (B, C, n, 1)
            return _project(self.conv_key, context).squeeze(-1), _project(self.conv_value, context).squeeze(-1)

    def _sums(self, x: Tensor, maps: Tensor) -> Tensor:
        """Features (B, C, h, w), weighted by each of n maps (B, n, h, w) and summed: (B, n, C)."""
        batch, channels, height, width = x.shape
        if self.layout == "corrected":
            return torch.bmm(maps.flatten(2), x.permute(0, 2, 3, 1).reshape(batch, -1, channels))
        rows = height * width // channels
        if self.fast and rows * channels == height * width and x.is_contiguous(memory_format=torch.channels_last):
            return _sums_of_view(x, maps, rows)
        return torch.bmm(maps.flatten(2), x.reshape(batch, -1, channels))  # (B, n, h·w) × (B, h·w, C)

    def keys_values_of(self, x: LazyUpsample, smap: Tensor, lmap: Tensor | None) -> tuple[Tensor, Tensor]:
        """`keys_values` of a map that is not there in full: evaluated only at the points that the resize reads."""
        rows, columns = (bilinear_weights(n, m, smap) for n, m in zip(x.size, self.context_size, strict=True))
        lines = [torch.cat(taps[:2]) for taps in (rows, columns)]  # each output line reads two
        maps = [m if m is None else LazyUpsample([m], x.size).patch(*lines) for m in (smap, lmap)]
        maps = self.context_maps(maps[0].shape[-2:], *maps)
        for dim, taps in ((-2, rows), (-1, columns)):
            first, second = maps.chunk(2, dim)
            weight = taps[2].to(maps.dtype)
            maps = first.lerp(second, (weight[:, None] if dim == -2 else weight).expand_as(first))
        return self.project(x.resized(self.context_size), maps)

    def context_maps(self, size: tuple[int, int], smap: Tensor, lmap: Tensor | None) -> Tensor:
        """Foreground, background and confusion of the coarse map, then the signs of the Laplacian: (B, 3 or 5, *size)."""
        p = resize(smap, size).sigmoid() - self.threshold
        maps = [p.clamp(0, 1), (-p).clamp(0, 1), self.threshold - p.abs()]
        if self.with_laplacian:
            q = resize(lmap, size).sigmoid() - self.lthreshold
            maps += [q.clamp(0, 1), (-q).clamp(0, 1)]
        return torch.cat(maps, dim=1)

    def refine(self, x: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """The local part: every position asks the contexts, then convolutions. Reaches 5 px around each position."""
        query = self.conv_query(x)
        query = recompute(_positions(query), _positions, query)  # (B, h·w, depth)
        with without_autocast(x):
            weights = (torch.bmm(query.to(key.dtype), key) * self.depth**-0.5).softmax(dim=-1)  # (B, h·w, n)
        weights = weights.transpose(1, 2).unflatten(2, x.shape[-2:])  # (B, n, h, w)
        refined = (
            self.conv_out1.forward_attended(weights, value, x.dtype)
            if self.fast
            else self.conv_out1(mixture(weights, value, x.dtype))
        )
        feature = self.conv_out3(self.conv_out2.forward_concat(x, refined))
        return feature, at_least_float32(self.conv_out4(feature))

    def refine_tiles(
        self,
        x: LazyUpsample,
        key: Tensor,
        value: Tensor,
        tile: int,
        active: Tensor | None = None,
        keep_feature: bool = True,
    ) -> tuple[Tensor | None, Tensor]:
        """`refine` of a map that is not there in full, tile by tile: memory is bounded by the tile, results are the same.

        active: (B, rows of tiles, columns of tiles) bool; elsewhere the outputs stay 0. For inference only.
        """
        batch, (height, width) = x.parts[0].shape[0], x.size
        feature = x.parts[0].new_zeros((batch, self.depth, height, width)) if keep_feature else None
        detail = x.parts[0].new_zeros((batch, 1, height, width), dtype=at_least_float32(x.parts[0]).dtype)
        for row, column in tile_grid(x.size, tile, active):
            spans = (tile_span(row, tile, height), tile_span(column, tile, width))
            f, u = self.refine(x.patch(*(outer for outer, _, _ in spans)), key, value)
            inner = (..., *(own for _, own, _ in spans))
            place = (..., *(target for _, _, target in spans))
            detail[place] = u[inner]
            if feature is not None:
                feature[place] = f[inner].to(feature.dtype)
        return feature, detail


def _positions(x: Tensor) -> Tensor:
    """(B, C, h, w) → (B, h·w, C)."""
    return x.flatten(2).transpose(1, 2)


def _blocks(x: Tensor) -> Tensor:
    """(B, C, h, w) with the channels innermost → (B·r, position, c), a view of it."""
    channels = x.shape[1]
    return x.permute(0, 2, 3, 1).reshape(-1, channels, channels)


def _sums_of_view(x: Tensor, maps: Tensor, rows: int) -> Tensor:
    """maps × the view (B, h·w, C) of the contiguous features, without putting the channels outermost for it.

    Row c·rows + r of the view holds positions r·C … r·C + C − 1 of channel c. So every block r of C positions, whose matrix
    (position, channel) lies whole in memory, is multiplied by its share (channel, n) of the maps.
    """
    batch, channels = x.shape[:2]
    blocks = recompute(_blocks(x), _blocks, x)
    weights = maps.reshape(batch, -1, channels, rows).permute(0, 3, 2, 1)  # (B, r, c, n)
    sums = torch.bmm(blocks, weights.reshape(batch * rows, channels, -1))  # (B·r, position, n)
    return sums.reshape(batch, rows, channels, -1).sum(dim=1).transpose(1, 2)


def _project(units: nn.Sequential, x: Tensor) -> Tensor:
    """The conv units at the precision of x; a network in half precision lends its parameters cast."""
    for unit in units:
        conv, norm = unit.conv, unit.bn
        if conv.weight.dtype == x.dtype:
            x = unit(x)
        else:
            statistics = (norm.running_mean, norm.running_var, norm.weight, norm.bias)
            x = F.conv2d(x, conv.weight.to(x.dtype))
            x = F.batch_norm(x, *(s.to(x.dtype) for s in statistics), training=False, eps=norm.eps).relu()
    return x
