"""Pyramid Vision Transformer v2 (b2) made of timm's parts under the names of BiRefNet's files."""

from typing import Any

import timm
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ..checkpoints.encoder_names import tensor_names, timm_names


class DepthwiseConv(nn.Module):
    """One level more in the names, as published: mlp.dwconv.dwconv."""

    def __init__(self, conv: nn.Conv2d):
        super().__init__()
        self.dwconv = conv

    def forward(self, x: Tensor) -> Tensor:
        return self.dwconv(x)


class PVTEncoder(nn.Module):
    """Five maps: the first stage twice (stride 4), then strides 8, 16 and 32."""

    strides = (4, 4, 8, 16, 32)
    out_channels = (64, 64, 128, 320, 512)

    def __init__(self, pretrained: bool = False, drop_path_rate: float = 0.1):
        super().__init__()
        net: Any = timm.create_model("pvt_v2_b2", pretrained=pretrained, drop_path_rate=drop_path_rate)
        theirs = tensor_names(net)
        for i, stage in enumerate(net.stages, start=1):
            for block in stage.blocks:
                block.mlp.dwconv = DepthwiseConv(block.mlp.dwconv)
            self.add_module(f"patch_embed{i}", net.patch_embed if i == 1 else stage.downsample)
            self.add_module(f"block{i}", stage.blocks)
            self.add_module(f"norm{i}", stage.norm)
        self.timm_names = timm_names(theirs, self)
        self.checkpointing = False

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """(B, 3, H, W), sides of 32 px or more → maps at H/4, H/4, H/8, H/16, H/32."""
        x, maps = image, []
        for i in range(1, 5):
            x = self._stage(i, x)
            maps.append(x)
        return (maps[0], *maps)

    def stages(self) -> list[list[nn.Module]]:
        """The modules behind each of the five maps."""
        stages = [[getattr(self, f"{kind}{i}") for kind in ("patch_embed", "block", "norm")] for i in range(1, 5)]
        return [[stages[0][0]], stages[0][1:], *stages[1:]]

    def _stage(self, i: int, x: Tensor) -> Tensor:
        x = getattr(self, f"patch_embed{i}")(x)  # (B, h, w, C)
        size = x.shape[1:3]
        x = x.flatten(1, 2)
        for block in getattr(self, f"block{i}"):
            checkpointing = self.checkpointing and self.training
            x = checkpoint(block, x, size, use_reentrant=False) if checkpointing else block(x, size)
        x = getattr(self, f"norm{i}")(x)
        return x.unflatten(1, size).permute(0, 3, 1, 2).contiguous()
