"""Swin Transformer encoders with the behavior of the published saliency checkpoints.

The parts are timm's; the order in which a block pads and shifts is not: published networks pad a map to whole windows
*before* the cyclic shift, and shift every odd block even where the map is one window. Parameter names are the published ones.
"""

import functools
from collections.abc import Sequence
from typing import Any

import timm
import torch
from timm.layers import Mlp
from timm.models.swin_transformer import SwinTransformerBlock, WindowAttention
from torch import Tensor, nn
from torch.nn import functional as F

from ..checkpoints.encoder_names import tensor_names, timm_names
from ..fast.purpose import for_inference, for_training
from ..fast.recompute import layer_norm, recompute
from ..fast.window_attention import attend, attend_fast, attend_training, padded, shift_mask, unpartition, windows

VARIANTS = {
    "SwinT": "swin_tiny_patch4_window7_224",
    "SwinS": "swin_small_patch4_window7_224",
    "SwinB": "swin_base_patch4_window12_384",
    "SwinL": "swin_large_patch4_window12_384",
}


TOKENS = 1 << 15  # of a map that pass through a block's wide layers at a time, where no gradient is kept


class SwinBlock(nn.Module):
    """One Swin block made of a timm block's parts: x + attention(LN(x)), then x + MLP(LN(x)); (B, h, w, C) → same."""

    norm1: nn.LayerNorm
    norm2: nn.LayerNorm
    attn: WindowAttention
    mlp: Mlp
    window: int

    def __init__(self, block: Any, shift: int):
        super().__init__()
        self.norm1, self.attn, self.drop_path1 = block.norm1, block.attn, block.drop_path1
        self.norm2, self.mlp, self.drop_path2 = block.norm2, block.mlp, block.drop_path2
        self.window, self.shift, self.fast = block.window_size[0], shift, True

    def forward(self, x: Tensor) -> Tensor:
        if self.fast and for_inference():
            return self._forward_inference(x)
        if self.fast and self.training and for_training() and self.can_recompute:
            return self._forward_training(x)
        x = x + self.drop_path1(self._attention(self.norm1(x)))
        return x + self.drop_path2(self.mlp(self.norm2(x)))

    def _forward_inference(self, x: Tensor) -> Tensor:
        """The same for inference: in place, and a part of the map at a time, so that no wide map is ever whole."""
        x = self.drop_path1(self._attention(self.norm1(x))).add_(x)
        rows = max(1, TOKENS // x.shape[2])
        for one in x:  # (h, w, C)
            for part in one.split(rows):
                part += self.drop_path2(self.mlp(self.norm2(part)))
        return x

    def _forward_training(self, x: Tensor) -> Tensor:
        """The same with gradients, recomputing what LayerNorm and GELU gave."""
        x = x + self.drop_path1(self._attention(layer_norm(x, self.norm1)))
        tokens = x.reshape(-1, x.shape[-1])
        hidden = self.mlp.fc1(layer_norm(tokens, self.norm2))
        hidden = recompute(F.gelu(hidden), F.gelu, hidden)
        return x + self.drop_path2(self.mlp.fc2(hidden).view_as(x))

    @property
    def can_recompute(self) -> bool:
        """Whether the MLP and the attention are what `_forward_training` takes them for."""
        rates = (self.mlp.drop1.p, self.mlp.drop2.p, self.attn.attn_drop.p, self.attn.proj_drop.p)
        return not any(rates) and isinstance(self.mlp.act, nn.GELU) and isinstance(self.mlp.norm, nn.Identity)

    def _attention(self, x: Tensor) -> Tensor:
        batch, height, width, _ = x.shape
        size = padded(height, self.window), padded(width, self.window)
        mask = shift_mask(size, self.window, self.shift, x.device, x.dtype) if self.shift else None
        cut = functools.partial(windows, window=self.window, shift=self.shift)
        x = self._attend(recompute(cut(x), cut, x), mask)  # (B·windows, window², C)
        x = unpartition(x, self.window, size, batch)
        if self.shift:
            x = x.roll((self.shift, self.shift), dims=(1, 2))
        return x[:, :height, :width]

    def _attend(self, x: Tensor, mask: Tensor | None) -> Tensor:
        if self.fast and for_inference():
            return attend_fast(self.attn, x, mask, TOKENS // self.window**2)
        if self.fast and for_training() and self.can_recompute:
            return attend_training(self.attn, x, mask)
        return attend(self.attn, x, mask)


class SwinStage(nn.Module):
    """Blocks of one resolution; `downsample` (2×2 merging) follows them, except in the last stage."""

    def __init__(self, blocks: Sequence[SwinTransformerBlock], downsample: nn.Module | None):
        super().__init__()
        window = blocks[0].window_size[0]
        self.blocks = nn.Sequential(
            *(SwinBlock(block, shift=window // 2 if i % 2 else 0) for i, block in enumerate(blocks))
        )
        if downsample is not None:
            self.downsample = downsample


class SwinEncoder(nn.Module):
    """Five maps: the patch embedding before any block, then the four stages, each through its own LayerNorm.

    variant: a key of VARIANTS. pretrained loads ImageNet weights through timm (network access); otherwise none is made.
    """

    strides = (4, 4, 8, 16, 32)

    def __init__(self, variant: str, pretrained: bool = False, drop_path_rate: float = 0.2):
        super().__init__()
        swin: Any = timm.create_model(
            VARIANTS[variant],
            pretrained=pretrained,
            drop_path_rate=drop_path_rate,
            always_partition=True,
            strict_img_size=False,
        )
        swin.patch_embed.dynamic_img_pad = True
        theirs = tensor_names(swin)
        self.patch_embed = swin.patch_embed
        stages = list(swin.layers)
        following = [stage.downsample for stage in stages[1:]] + [None]  # timm keeps the merging before a stage
        self.layers = nn.ModuleList(
            SwinStage(stage.blocks, merge) for stage, merge in zip(stages, following, strict=True)
        )
        widths = [stage.blocks[0].dim for stage in stages]
        for i, width in enumerate(widths):
            self.add_module(f"norm{i}", nn.LayerNorm(width))
        self.out_channels = (widths[0], *widths)
        self.timm_names = timm_names(theirs, self)
        self.checkpointing, self.fast = False, True

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """(B, 3, H, W) → maps (B, C, H/4, W/4), (C, H/4), (2C, H/8), (4C, H/16), (8C, H/32)."""
        x = self.patch_embed(image)  # (B, h, w, C)
        maps = [x]
        for i, stage in enumerate(self.layers):
            x = self._run(stage.get_submodule("blocks"), x)
            maps.append(getattr(self, f"norm{i}")(x))
            if hasattr(stage, "downsample"):
                x = stage.get_submodule("downsample")(x)
        maps = [x.permute(0, 3, 1, 2) for x in maps]  # (B, C, h, w), channels last in memory
        return tuple(maps if self.fast else [x.contiguous() for x in maps])

    def stages(self) -> list[list[nn.Module]]:
        """The modules behind each of the five maps, first to last."""
        norms = [getattr(self, f"norm{i}") for i in range(len(self.layers))]
        return [[self.patch_embed], *([stage, norm] for stage, norm in zip(self.layers, norms, strict=True))]

    def _run(self, blocks: nn.Module, x: Tensor) -> Tensor:
        if not (self.checkpointing and self.training):
            return blocks(x)
        for block in blocks.children():
            x = torch.utils.checkpoint.checkpoint(block, x, use_reentrant=False)
        return x
