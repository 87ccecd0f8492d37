"""Res2Net-50 v1b as the published InSPyReNet uses it: timm's network with dilated late stages."""

import timm
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint


class Res2NetEncoder(nn.Module):
    """Five maps: stem + max-pool (64 channels), then layers 1–4 (256, 512, 1024, 2048).

    All 3×3 convolutions of layer 3 have dilation 2, those of layer 4's three blocks 4, 8 and 16, although the output
    stride stays 32: published weights were trained so.
    """

    strides = (4, 4, 8, 16, 32)
    out_channels = (64, 256, 512, 1024, 2048)

    def __init__(self, pretrained: bool = False):
        super().__init__()
        net = timm.create_model("res2net50d", pretrained=pretrained)
        self.conv1, self.bn1, self.act1, self.maxpool = net.conv1, net.bn1, net.act1, nn.MaxPool2d(3, 2, 1)
        self.layer1, self.layer2, self.layer3, self.layer4 = net.layer1, net.layer2, net.layer3, net.layer4
        for block in self.layer3:
            dilate(block, 2)
        for block, rate in zip(self.layer4, (4, 8, 16), strict=True):
            dilate(block, rate)
        self.checkpointing = False

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """(B, 3, H, W) → maps at H/4, H/4, H/8, H/16, H/32."""
        x = self.maxpool(self.act1(self.bn1(self.conv1(image))))
        maps = [x]
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            for block in layer:
                checkpointing = self.checkpointing and self.training
                x = checkpoint(block, x, use_reentrant=False) if checkpointing else block(x)
            maps.append(x)
        return tuple(maps)

    def stages(self) -> list[list[nn.Module]]:
        """The modules behind each of the five maps, first to last."""
        return [[self.conv1, self.bn1], [self.layer1], [self.layer2], [self.layer3], [self.layer4]]


def dilate(block: nn.Module, rate: int) -> None:
    """Give every 3×3 convolution of a Res2Net block this dilation, padding to match."""
    for conv in block.convs:
        conv.dilation = conv.padding = (rate, rate)
