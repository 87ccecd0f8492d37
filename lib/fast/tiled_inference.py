"""Cutting a map into tiles whose convolutions see enough of their surroundings to be exact."""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional as F

from ..types import Size

HALO = 5  # pixels that the refinement reaches: two 3×3 convolutions for the query, three after the attention


def tile_grid(size: Size, tile: int, active: Tensor | None = None) -> Iterator[tuple[int, int]]:
    """(first row, first column) of every tile, or of those that are `active` in any image of the batch."""
    rows, columns = (-(-n // tile) for n in size)
    if active is None:
        active = torch.ones(1, rows, columns, dtype=torch.bool)
    for row, column in active.any(dim=0).nonzero().tolist():
        yield row * tile, column * tile


def tile_span(start: int, tile: int, length: int, reach: int = HALO) -> tuple[slice, slice, slice]:
    """Along one axis: what to read, which part of that is the tile itself, and where the tile lies in the map."""
    stop = min(start + tile, length)
    low, high = max(0, start - reach), min(length, stop + reach)
    return slice(low, high), slice(start - low, stop - low), slice(start, stop)


def active_tiles(mask: Tensor, tile: int) -> Tensor:
    """(B, 1, h, w) → (B, rows, columns) bool: tiles in which the mask is above 0 anywhere."""
    height, width = mask.shape[-2:]
    padded = F.pad(mask, (0, -width % tile, 0, -height % tile))
    return F.max_pool2d(padded, tile)[:, 0] > 0
