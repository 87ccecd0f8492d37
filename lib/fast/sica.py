"""Fast formulations of `modules.sica.SICA`: the same numbers up to rounding, in less memory and time."""

from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from ..modules.conv import ConvUnit, at_least_float32, mixture, without_autocast
from ..types import ContextAttention, Size
from .lazy_upsample import LazyUpsample, bilinear_weights
from .purpose import for_training
from .recompute import recompute
from .tiled_inference import tile_grid, tile_span


class Attention(ContextAttention, Protocol):
    """What `refine` and `sums` use of `modules.sica.SICA`."""

    layout: str
    conv_query: Callable[[Tensor], Tensor]
    conv_out1: ConvUnit
    conv_out2: ConvUnit

    def attention_weights(self, query: Tensor, key: Tensor, size: Size) -> Tensor: ...

    def outputs(self, x: Tensor) -> tuple[Tensor, Tensor]: ...


def refine(plain: Callable, sica: Attention, x: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
    """`SICA.refine` without the largest maps: the attended one, x joined with it, and a copy of the query."""
    query = sica.conv_query(x)
    weights = sica.attention_weights(recompute(_positions(query), _positions, query), key, x.shape[-2:])
    refined = unit_of_mixture(sica.conv_out1, weights, value, x.dtype)
    return sica.outputs(unit_of_both(sica.conv_out2, x, refined))


def unit_of_both(unit: ConvUnit, x: Tensor, y: Tensor) -> Tensor:
    """unit(torch.cat([x, y], dim=1)); where gradients are kept, without a map that holds both."""
    if not for_training():
        return unit(torch.cat([x, y], dim=1))
    parts = unit.conv.weight.split([x.shape[1], y.shape[1]], dim=1)
    geometry: dict[str, Any] = {"padding": unit.conv.padding, "dilation": unit.conv.dilation}
    return unit.normalized(F.conv2d(x, parts[0], **geometry) + F.conv2d(y, parts[1], **geometry))


def unit_of_mixture(unit: ConvUnit, weights: Tensor, values: Tensor, dtype: torch.dtype) -> Tensor:
    """unit(mixture(weights, values, dtype)), without that map: the kernels are mixed in its place.

    A convolution of Σ_n share_n·value_n is Σ_n (kernel·value_n) applied to share_n: n channels in instead of C.
    Every image has kernels of its own. A GPU waits for the launches of so many small convolutions: a batch is mixed there.
    """
    if weights.is_cuda and len(weights) > 1:
        return unit(mixture(weights, values, dtype))
    with without_autocast(weights):
        kernels = torch.einsum("ockl,bcn->bonkl", unit.conv.weight.to(values.dtype), values)  # (B, out, n, k, k)
    parts = [
        F.conv2d(weight.to(dtype), kernel.to(dtype), padding=unit.conv.padding, dilation=unit.conv.dilation)
        for weight, kernel in zip(weights.split(1), kernels, strict=True)
    ]
    return unit.normalized(parts[0] if len(parts) == 1 else torch.cat(parts))


def sums(plain: Callable, sica: Attention, x: Tensor, maps: Tensor) -> Tensor:
    """`SICA.sums`, following the memory order of x."""
    channels, positions = x.shape[1], x.shape[2] * x.shape[3]
    innermost = x.is_contiguous(memory_format=torch.channels_last)
    if sica.layout == "as_trained" and positions % channels == 0 and innermost:
        return _sums_of_view(x, maps, positions // channels)
    return plain(x, maps)


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


def _positions(x: Tensor) -> Tensor:
    """(B, C, h, w) → (B, h·w, C)."""
    return x.flatten(2).transpose(1, 2)


def _blocks(x: Tensor) -> Tensor:
    """(B, C, h, w) with the channels innermost → (B·r, position, c), a view of it."""
    channels = x.shape[1]
    return x.permute(0, 2, 3, 1).reshape(-1, channels, channels)


# -- maps that are not there in full ------------------------------------------------------------------------------


def keys_values_of(sica: ContextAttention, x: LazyUpsample, smap: Tensor, lmap: Tensor | None) -> tuple[Tensor, Tensor]:
    """`SICA.keys_values` of x, evaluated only at the points that the resize reads."""
    rows, columns = (bilinear_weights(n, m, smap) for n, m in zip(x.size, sica.context_size, strict=True))
    lines = [torch.cat(taps[:2]) for taps in (rows, columns)]  # each output line reads two
    smap = LazyUpsample([smap], x.size).patch(*lines)
    lmap = None if lmap is None else LazyUpsample([lmap], x.size).patch(*lines)
    maps = sica.context_maps(smap.shape[-2:], smap, lmap)
    for dim, taps in ((-2, rows), (-1, columns)):
        first, second = maps.chunk(2, dim)
        weight = taps[2].to(maps.dtype)
        maps = first.lerp(second, (weight[:, None] if dim == -2 else weight).expand_as(first))
    return sica.project(x.resized(sica.context_size), maps)


def refine_tiles(
    sica: ContextAttention,
    x: LazyUpsample,
    smap: Tensor,
    lmap: Tensor | None,
    tile: int,
    active: Tensor | None = None,
    keep_feature: bool = True,
) -> tuple[Tensor, Tensor]:
    """`SICA` of x, tile by tile: memory is bounded by the tile, results are the same. For inference only.

    active: (B, rows of tiles, columns of tiles) bool; elsewhere the outputs stay 0.
    keep_feature: without it the feature comes back without channels.
    """
    key, value = keys_values_of(sica, x, smap, lmap)
    batch, (height, width) = x.parts[0].shape[0], x.size
    feature = x.parts[0].new_zeros((batch, sica.depth if keep_feature else 0, height, width))
    detail = x.parts[0].new_zeros((batch, 1, height, width), dtype=at_least_float32(x.parts[0]).dtype)
    for row, column in tile_grid(x.size, tile, active):
        spans = (tile_span(row, tile, height), tile_span(column, tile, width))
        f, u = sica.refine(x.patch(*(outer for outer, _, _ in spans)), key, value)
        inner = (..., spans[0][1], spans[1][1])
        place = (..., spans[0][2], spans[1][2])
        detail[place] = u[inner]
        if keep_feature:
            feature[place] = f[inner].to(feature.dtype)
    return feature, detail
