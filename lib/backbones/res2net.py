"""Res2Net-50 v1b as the published InSPyReNet uses it: timm's network with dilated late stages."""

import operator
from typing import Any

import timm
import torch
from timm.models.res2net import Bottle2neck
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ..checkpoints.encoder_names import tensor_names, timm_names
from ..fast.conv_unit import plain_norm
from ..fast.purpose import for_training
from ..fast.recompute import norm_relu, recompute


class Res2NetEncoder(nn.Module):
    """Five maps: stem + max-pool (64 channels), then layers 1–4 (256, 512, 1024, 2048).

    All 3×3 convolutions of layer 3 have dilation 2, those of layer 4's three blocks 4, 8 and 16, although the output
    stride stays 32: published weights were trained so.
    """

    strides = (4, 4, 8, 16, 32)
    out_channels = (64, 256, 512, 1024, 2048)

    def __init__(self, pretrained: bool = False):
        super().__init__()
        net: Any = timm.create_model("res2net50d", pretrained=pretrained)
        self.conv1, self.bn1, self.act1, self.maxpool = net.conv1, net.bn1, net.act1, nn.MaxPool2d(3, 2, 1)
        self.layer1, self.layer2, self.layer3, self.layer4 = net.layer1, net.layer2, net.layer3, net.layer4
        for block in self.layer3:
            dilate(block, 2)
        for block, rate in zip(self.layer4, (4, 8, 16), strict=True):
            dilate(block, rate)
        self.timm_names = timm_names(tensor_names(net), self)
        self.checkpointing, self.fast = False, True

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """(B, 3, H, W) → maps at H/4, H/4, H/8, H/16, H/32."""
        save_memory = (
            self.fast and for_training() and all(plain_norm(m) for m in self.modules() if hasattr(m, "running_mean"))
        )
        x = self.maxpool(self._stem(image) if save_memory else self.act1(self.bn1(self.conv1(image))))
        maps = [x]
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            for block in layer:
                if self.checkpointing and self.training:
                    x = checkpoint(block, x, use_reentrant=False)
                else:
                    x = train_block(block, x) if save_memory else block(x)
            maps.append(x)
        return tuple(maps)

    def _stem(self, image: Tensor) -> Tensor:
        """The stem in training: convolutions, each with its norm and ReLU."""
        first, norm1, _, second, norm2, _, third = self.conv1
        x = norm_relu(first(image), norm1, relu=True)
        x = norm_relu(second(x), norm2, relu=True)
        return norm_relu(third(x), self.bn1, relu=True)

    def stages(self) -> list[list[nn.Module]]:
        """The modules behind each of the five maps, first to last."""
        return [[self.conv1, self.bn1], [self.layer1], [self.layer2], [self.layer3], [self.layer4]]


def train_block(block: Any, x: Tensor) -> Tensor:
    """timm's Res2Net block in training; of what is between its convolutions nothing is kept that can be made again."""
    hidden = norm_relu(block.conv1(x), block.bn1, relu=True)
    parts = [_part(hidden, i, block.width) for i in range(block.scale)]
    outs: list[Tensor] = []
    for i, (conv, norm) in enumerate(zip(block.convs, block.bns, strict=True)):
        alone = i == 0 or block.is_first
        part = parts[i] if alone else recompute(outs[-1] + parts[i], operator.add, outs[-1], parts[i])
        outs.append(norm_relu(conv(part), norm, relu=True))
    outs.append(parts[-1] if block.pool is None else block.pool(parts[-1]))
    out = norm_relu(block.conv3(recompute(_concat(*outs), _concat, *outs)), block.bn3, relu=False)
    return (out + (x if block.downsample is None else block.downsample(x))).relu_()


def _part(x: Tensor, index: int, width: int) -> Tensor:
    """Channels index·width … (index + 1)·width of x."""

    def cut(x: Tensor) -> Tensor:
        return x[:, index * width : (index + 1) * width]

    return recompute(cut(x), cut, x)


def _concat(*maps: Tensor) -> Tensor:
    return torch.cat(maps, dim=1)


def dilate(block: Bottle2neck, rate: int) -> None:
    """Give every 3×3 convolution of a Res2Net block this dilation, padding to match."""
    conv: Any
    for conv in block.convs:
        conv.dilation = conv.padding = (rate, rate)
