"""Windows of a map: cut, put back, and the mask that keeps shifted windows from mixing what is not adjacent."""

import functools
from typing import Any

import torch
from timm.models.swin_transformer import WindowAttention
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from ..types import Size
from .purpose import for_compiler
from .recompute import recompute


def partition(x: Tensor, window: int) -> Tensor:
    """(B, h, w, C) → (B·windows, window², C), windows in row-major order; h and w are multiples of `window`."""
    batch, height, width, channels = x.shape
    x = x.reshape(batch, height // window, window, width // window, window, channels)
    return x.transpose(2, 3).reshape(-1, window * window, channels)


def padded(side: int, window: int) -> int:
    """The side in whole windows."""
    return side + -side % window


def windows(x: Tensor, window: int, shift: int) -> Tensor:
    """(B, h, w, C) → (B·windows, window², C): padded to whole windows first, then shifted up and left, then cut."""
    height, width = x.shape[1:3]
    x = F.pad(x, (0, 0, 0, -width % window, 0, -height % window))
    return partition(x.roll((-shift, -shift), dims=(1, 2)) if shift else x, window)


def unpartition(x: Tensor, window: int, size: tuple[int, int], batch: int) -> Tensor:
    """The inverse of `partition`: (B·windows, window², C) → (B, *size, C)."""
    height, width = size
    x = x.reshape(batch, height // window, width // window, window, window, x.shape[-1])
    return x.transpose(2, 3).reshape(batch, height, width, -1)


def shift_mask(size: tuple[int, int], window: int, shift: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    """(windows, window², window²): 0 within a region of the shifted map, −100 between regions (as trained).

    Kept per size in eager mode. Made of tensor operations only, so that it can be traced with symbolic sizes.
    """
    if for_compiler():
        return _shift_mask(size, window, shift, device, dtype)
    return _cached_shift_mask(tuple(size), window, shift, device, dtype)


def _shift_mask(size: Size, window: int, shift: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    bands = []
    for length in size:
        position = torch.arange(length, device=device)
        bands.append((position >= length - window).int() + (position >= length - shift).int())
    region = 3 * bands[0][:, None] + bands[1][None, :]  # (h, w)
    region = partition(region[None, :, :, None], window).squeeze(-1)  # (windows, window²)
    return (region[:, None, :] != region[:, :, None]).to(dtype) * -100.0


@functools.lru_cache(maxsize=32)
def _cached_shift_mask(size: Size, window: int, shift: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    with torch.inference_mode(False):  # a test may make it that training takes up later in the same process
        return _shift_mask(size, window, shift, device, dtype)


def attend(attn: nn.Module, x: Tensor, mask: Tensor | None) -> Tensor:
    """timm's window attention, the reference formulation: (B·windows, N, C) → same."""
    return attn(x, mask)


def attend_fast(attn: WindowAttention, x: Tensor, mask: Tensor | None, chunk: int) -> Tensor:
    """The same through scaled_dot_product_attention, `chunk` windows at a time.

    The mask of shifted windows is zero but for those on the last row and column: only they are given one.
    """
    bias = attn._get_rel_pos_bias().to(x.dtype)  # (1, heads, N, N)
    out = torch.empty_like(x)
    for start in range(0, len(x), chunk):
        part = x[start : start + chunk]
        out[start : start + chunk] = _attend_part(
            attn, part, bias, None if mask is None else _masks(mask, start, len(part))
        )
    return out


def attend_training(attn: WindowAttention, x: Tensor, mask: Tensor | None) -> Tensor:
    """The same with gradients; the attention weights are recomputed in the backward pass instead of kept."""
    count, length, _ = x.shape
    qkv = attn.qkv(recompute(_tokens(x), _tokens, x))
    qkv = qkv.reshape(count, length, 3, attn.num_heads, -1).permute(2, 0, 3, 1, 4)  # (3, n, heads, N, d)
    out = _WindowAttention.apply(qkv, attn._get_rel_pos_bias(), mask, attn.scale)  # (n, heads, N, d)
    return attn.proj(out.transpose(1, 2).reshape(count, length, -1))


def _tokens(x: Tensor) -> Tensor:
    """(windows, window², C) → (tokens, C)."""
    return x.flatten(0, 1)


class _WindowAttention(torch.autograd.Function):
    """softmax(scale·q kᵀ + bias + mask) v; keeps q, k and v only."""

    @staticmethod
    def forward(ctx: Any, qkv: Tensor, bias: Tensor, mask: Tensor | None, scale: float) -> Tensor:
        ctx.save_for_backward(qkv, bias, mask)
        ctx.scale = scale
        query, key, value = qkv
        return _attention_weights(query, key, bias, mask, scale) @ value

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None, None]:
        qkv, bias, mask = ctx.saved_tensors
        query, key, value = qkv
        attention = _attention_weights(query, key, bias, mask, ctx.scale)
        found = torch.empty_like(qkv)
        torch.matmul(attention.transpose(-2, -1).to(qkv.dtype), gradient, out=found[2])
        scores = (gradient @ value.transpose(-2, -1)).to(attention.dtype)
        scores = torch.ops.aten._softmax_backward_data(scores, attention, -1, attention.dtype)
        of_bias = scores.sum(dim=0, keepdim=True).to(bias.dtype)
        scores = scores.mul_(ctx.scale).to(qkv.dtype)
        torch.matmul(scores, key, out=found[0])
        torch.matmul(scores.transpose(-2, -1), query, out=found[1])
        return found, of_bias, None, None


def _attention_weights(query: Tensor, key: Tensor, bias: Tensor, mask: Tensor | None, scale: float) -> Tensor:
    """(n, heads, N, N) attention weights, in the precision of the bias."""
    scores = ((query * scale) @ key.transpose(-2, -1)).to(bias.dtype)
    scores += bias
    if mask is not None:
        scores.view(-1, len(mask), *scores.shape[1:]).add_(mask[:, None])
    return scores.softmax(dim=-1)


def _masks(mask: Tensor, start: int, count: int) -> Tensor:
    """Masks of windows start … start + count of the batch; mask is that of one image's windows."""
    return mask[(torch.arange(start, start + count, device=mask.device)) % len(mask)]


def _attend_part(attn: WindowAttention, x: Tensor, bias: Tensor, mask: Tensor | None) -> Tensor:
    count, length, _ = x.shape
    qkv = attn.qkv(x).reshape(count, length, 3, attn.num_heads, -1).permute(2, 0, 3, 1, 4)  # (3, n, heads, N, d)
    query, key, value = qkv
    out = F.scaled_dot_product_attention(query, key, value, attn_mask=bias.to(qkv.dtype))
    if mask is not None:
        cut = mask.flatten(1).any(dim=1).nonzero().squeeze(1)
        if len(cut):
            masked = bias.to(qkv.dtype) + mask[cut, None].to(qkv.dtype)  # (cut, heads, N, N)
            query, key, value = qkv[:, cut]
            out[cut] = F.scaled_dot_product_attention(query, key, value, attn_mask=masked)
    return attn.proj(out.transpose(1, 2).reshape(count, length, -1))
