"""ResNets made of timm's parts under the names of the published checkpoints."""

import abc
from typing import Any

import timm
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ..checkpoints.encoder_names import tensor_names, timm_names


class _Staged(nn.Module, abc.ABC):
    """Five maps: the stem, then four stages of blocks."""

    out_channels: tuple[int, ...]
    strides: tuple[int, ...]
    checkpointing = False

    @abc.abstractmethod
    def _parts(self) -> tuple[nn.Module, ...]:
        """Stem and the four stages, in order."""

    def stages(self) -> list[list[nn.Module]]:
        """The modules behind each of the five maps."""
        return [[part] for part in self._parts()]

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """(B, 3, H, W) → five maps at `strides`."""
        stem, *stages = self._parts()
        x = stem(image)
        maps = [x]
        for stage in stages:
            for block in stage.children():
                checkpointing = self.checkpointing and self.training
                x = checkpoint(block, x, use_reentrant=False) if checkpointing else block(x)
            maps.append(x)
        return tuple(maps)


class ResNetEncoder(_Staged):
    """ResNet-50 with output stride 32, in the four parts `conv1` (stem and first stage) to `conv4` of BiRefNet's files."""

    strides = (4, 4, 8, 16, 32)
    out_channels = (64, 256, 512, 1024, 2048)

    def __init__(self, pretrained: bool = False):
        super().__init__()
        net: Any = timm.create_model("resnet50", pretrained=pretrained)
        self.conv1 = nn.Sequential(net.conv1, net.bn1, net.act1, net.maxpool, net.layer1)
        self.conv2, self.conv3, self.conv4 = net.layer2, net.layer3, net.layer4
        self.timm_names = timm_names(tensor_names(net), self)

    def _parts(self) -> tuple[nn.Module, ...]:
        return self.conv1[:4], self.conv1[4], self.conv2, self.conv3, self.conv4


class DilatedResNet(_Staged):
    """ResNet with output stride 8, as PSPNet has it: `layer0` (stem) to `layer4`.

    Every block of layer 3 has dilation 2 and every block of layer 4 dilation 4, the first block too (torchvision and timm
    give the first block the dilation before). variant: 50, 101 or 152. stem: "wide", three 3×3 convolutions of 64, 64
    and 128 channels, as published; or "plain", one 7×7 convolution of 64. width: share of the published channels behind
    the stem, for small experiments; there are ImageNet weights for 1 alone.
    """

    strides = (4, 4, 8, 8, 8)

    def __init__(self, variant: int = 50, stem: str = "wide", pretrained: bool = False, width: float = 1):
        super().__init__()
        if pretrained and width != 1:
            raise ValueError(
                f"there are no ImageNet weights for a ResNet of width {width}: set Model.pretrained to false"
            )
        if variant not in (50, 101, 152) or stem not in ("wide", "plain"):
            raise ValueError(f"a ResNet is 50, 101 or 152 with a wide or plain stem, not {variant} with {stem!r}")
        wide = stem == "wide"
        channels = tuple(max(1, round(width * count)) for count in (64, 128, 256, 512))
        net: Any = timm.create_model(f"resnet{variant}{'s' if wide else ''}", pretrained=pretrained, channels=channels)
        first = list(net.conv1) if wide else [net.conv1]
        self.layer0 = nn.Sequential(*first, net.bn1, net.act1, net.maxpool)
        self.layer1, self.layer2 = net.layer1, net.layer2
        self.layer3, self.layer4 = dilate(net.layer3, 2), dilate(net.layer4, 4)
        self.out_channels = (128 if wide else 64, *(4 * count for count in channels))
        self.timm_names = timm_names(tensor_names(net), self)

    def _parts(self) -> tuple[nn.Module, ...]:
        return self.layer0, self.layer1, self.layer2, self.layer3, self.layer4


def dilate(stage: Any, rate: int) -> nn.Module:
    """Take the stride out of one of timm's stages of bottlenecks and give all its 3×3 convolutions this dilation."""
    for block in stage:
        block.conv2.stride = (1, 1)
        block.conv2.dilation = block.conv2.padding = (rate, rate)
    stage[0].downsample[0].stride = (1, 1)
    return stage
