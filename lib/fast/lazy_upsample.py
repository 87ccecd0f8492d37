"""Feature maps that are only computed where somebody looks: tiles of an enlarged map, or a small copy of it.

The enlarged maps of a pyramid network are its largest tensors, yet they hold nothing that the small ones do not. Both
operations below give what `resize` would give, without the map in between.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from ..modules.conv import resize
from ..types import Size

Taps = tuple[Tensor, Tensor, Tensor]  # for each output line: two input lines and the weight of the second


def bilinear_weights(length: int, out_length: int, like: Tensor) -> Taps:
    """Which lines, and in what share, make each output line of a half-pixel-centered resize, as torch computes it."""
    device, precise = like.device, torch.float64 if like.dtype == torch.float64 else torch.float32
    scale = torch.tensor(length / out_length, dtype=precise)
    position = (scale * (torch.arange(out_length, dtype=precise) + 0.5) - 0.5).clamp(min=0)
    low = position.long().clamp(max=length - 1)
    high = (low + 1).clamp(max=length - 1)
    return low.to(device), high.to(device), (position - low).to(device)


def blend_lines(x: Tensor, taps: Taps, dim: int) -> Tensor:
    """Lines of x (B, C, h, w) along dim −2 or −1, mixed by taps; the channels are innermost where those of x are.

    Lines are taken from a view with the channels last: torch copies whole lines there, and single numbers otherwise.
    """
    low, high, weight = taps
    weight = weight.to(x.dtype)[:, None, None] if dim == -2 else weight.to(x.dtype)[:, None]
    x, dim = x.movedim(1, -1), dim - 1
    first = x.index_select(dim, low)
    return first.lerp(x.index_select(dim, high), weight.expand_as(first)).movedim(-1, 1)


def _pick(taps: Taps, lines: Tensor | slice) -> Taps:
    low, high, weight = (t[lines] for t in taps)
    return low, high, weight


class LazyUpsample:
    """The channel concatenation of maps, each resized to `size`; computed only where it is read.

    parts: tensors (B, C_i, h_i, w_i). size: (height, width).
    """

    def __init__(self, parts: Sequence[Tensor], size: Size):
        self.parts, self.size = list(parts), (size[0], size[1])

    def full(self) -> Tensor:
        """(B, ΣC, *size)."""
        return torch.cat([resize(part, self.size) for part in self.parts], dim=1)

    def patch(self, rows: slice | Tensor, columns: slice | Tensor) -> Tensor:
        """full()[..., rows, columns]; rows and columns are slices or indices."""
        return torch.cat([self._patch(part, rows, columns) for part in self.parts], dim=1)

    def _patch(self, part: Tensor, rows: slice | Tensor, columns: slice | Tensor) -> Tensor:
        factor = self.size[0] // part.shape[-2]
        whole = self.size == (factor * part.shape[-2], factor * part.shape[-1])
        if whole and factor > 1 and isinstance(rows, slice) and isinstance(columns, slice):
            return _enlarged(part, factor, rows, columns)
        for dim, lines in ((-2, rows), (-1, columns)):
            length, out_length = part.shape[dim], self.size[dim]
            if length == out_length:
                part = part[..., lines, :] if dim == -2 else part[..., lines]
            else:
                part = blend_lines(part, _pick(bilinear_weights(length, out_length, part), lines), dim)
        return part

    def resized(self, size: Size) -> Tensor:
        """resize(full(), size)."""
        return torch.cat([resize_twice(part, self.size, size) for part in self.parts], dim=1)


def _enlarged(x: Tensor, factor: int, rows: slice, columns: slice) -> Tensor:
    """Rows and columns of x (B, C, h, w) enlarged by a whole factor: only what they read of x is resized."""
    spans = [_span(lines, factor, length) for lines, length in zip((rows, columns), x.shape[-2:], strict=True)]
    outer, inner = zip(*spans, strict=True)
    return F.interpolate(x[(..., *outer)], scale_factor=factor, mode="bilinear")[(..., *inner)]


def _span(lines: slice, factor: int, length: int) -> tuple[slice, slice]:
    """What `lines` of an axis of factor·length read of it, with one more on each side, and where they lie in that, enlarged."""
    start, stop, _ = lines.indices(factor * length)
    low, high = max(0, start // factor - 1), min(length, -(-stop // factor) + 1)
    return slice(low, high), slice(start - low * factor, stop - low * factor)


def resize_twice(x: Tensor, middle: Size, size: Size) -> Tensor:
    """resize(resize(x, middle), size) without the map in between; the shortcut resize(x, size) is another map."""
    if tuple(x.shape[-2:]) == tuple(middle) or tuple(middle) == tuple(size):
        return resize(x, size)
    for dim in (-2, -1):
        length, between, out_length = x.shape[dim], middle[dim], size[dim]
        inner = bilinear_weights(length, between, x)
        low, high, weight = bilinear_weights(between, out_length, x)
        weight = weight.to(x.dtype)
        first, second = blend_lines(x, _pick(inner, low), dim), blend_lines(x, _pick(inner, high), dim)
        x = first.lerp(second, (weight[:, None] if dim == -2 else weight).expand_as(first))
    return x
