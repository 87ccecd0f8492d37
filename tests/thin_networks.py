"""Networks of every family with few blocks, and toys, with the statistics that training would have left.

Recording a graph takes time for each operation: thin ones hold every kind of part, but few of each.
"""

import contextlib
from collections.abc import Iterator
from unittest import mock

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from inspyrenet.data.images.preprocess import Preprocess
from inspyrenet.lib import build
from inspyrenet.lib.fast.switchable import Switchable
from inspyrenet.lib.models import inspyrenet
from inspyrenet.lib.modules.aspp import DeformASPP
from inspyrenet.lib.modules.conv import ConvUnit, resize
from inspyrenet.lib.modules.deform_conv import DeformConv
from inspyrenet.lib.modules.paa import PAAEncoder
from inspyrenet.lib.modules.pyramid import ImagePyramid
from inspyrenet.lib.modules.sica import SICA
from inspyrenet.lib.types import SaliencyPyramid
from tests.tiny_network import picture


class Toy(Switchable):
    """An image pyramid in a dozen operations: each level is one convolution of the shrunk image."""

    base_size = (64, 64)

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.levels = nn.ModuleList(nn.Conv2d(3, 1, 3, padding=1) for _ in range(4))
        self.pyramid = ImagePyramid()

    def uses_tiles(self, size: tuple[int, int]) -> bool:
        return False

    def forward(self, image: Tensor) -> SaliencyPyramid:
        s3, *laplacian = (
            3 * level(F.avg_pool2d(image, step)) for level, step in zip(self.levels, (8, 4, 2, 1), strict=True)
        )
        saliency = [s3]
        for detail in laplacian:
            saliency.append(self.pyramid.reconstruct(saliency[-1], detail))
        return SaliencyPyramid(tuple(saliency), tuple(laplacian))


class Encoder(nn.Module):
    """Five maps of a convolution each."""

    out_channels = (8, 8, 12, 16, 24)

    def __init__(self, strides: tuple[int, ...] = (4, 4, 8, 16, 32)):
        super().__init__()
        torch.manual_seed(0)
        self.strides, widths = strides, (3, *self.out_channels)
        steps = [b // a for a, b in zip((1, *strides), strides, strict=False)]
        self.convs = nn.ModuleList(
            nn.Conv2d(a, b, 3, step, 1) for a, b, step in zip(widths, widths[1:], steps, strict=False)
        )

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        maps = []
        for conv in self.convs:
            image = conv(image).relu()
            maps.append(image)
        return tuple(maps)

    def stages(self) -> list[list[nn.Module]]:
        return [[conv] for conv in self.convs]


class Headed(Switchable):
    """An encoder, and the sum of one channel of each of its maps."""

    base_size = (64, 64)

    def __init__(self, backbone: nn.Module):
        super().__init__()
        self.backbone = backbone
        self.heads = nn.ModuleList(nn.Conv2d(width, 1, 1) for width in backbone.out_channels)

    def forward(self, image: Tensor) -> SaliencyPyramid:
        maps = [
            resize(head(x), (image.shape[2] // 4, image.shape[3] // 4))
            for head, x in zip(self.heads, self.backbone(image), strict=True)
        ]
        return SaliencyPyramid((sum(maps),))


class Bent(Switchable):
    """A deformable ASPP between two convolutions."""

    base_size = (64, 64)

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.aspp, self.last = nn.Conv2d(3, 8, 3, 4, 1), DeformASPP(8), nn.Conv2d(8, 1, 1)
        for module in self.modules():
            if isinstance(module, DeformConv):  # they start as plain convolutions
                nn.init.normal_(module.offset_conv.weight, std=0.5)
                nn.init.normal_(module.modulator_conv.weight, std=0.5)

    def forward(self, image: Tensor) -> SaliencyPyramid:
        return SaliencyPyramid((self.last(self.aspp(self.first(image))),))


def _context(channels: int, depth: int, layout: str) -> nn.Module:
    return PAAEncoder(channels, depth, layout) if channels == 2048 else ConvUnit(channels, depth)


@contextlib.contextmanager
def thin_building() -> Iterator[None]:
    """While it lasts, InSPyReNet is built with one whole context at most, and InSPyReNet_Light with the encoder above."""
    with (
        mock.patch.object(inspyrenet, "PAAEncoder", _context),
        mock.patch.object(build, "TimmEncoder", lambda *_: Encoder()),
    ):
        yield


def thin(model: nn.Module) -> nn.Module:
    """The network with one block per stage of its encoder (of Swin: two in the first, plain and shifted), calibrated."""
    backbone = model.backbone
    if hasattr(backbone, "layers"):
        for number, stage in enumerate(backbone.layers):
            del stage.blocks[0 if number else 2 :]
    for name in ("layer1", "layer2", "layer3", "layer4"):
        if hasattr(backbone, name):
            del getattr(backbone, name)[1:]
    return calibrated(model)


@torch.no_grad()
def calibrated(model: nn.Module) -> nn.Module:
    """In eval mode, with the statistics of a few pictures, and with attention and logits that rounding does not decide."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # the mean of all batches
        if isinstance(module, SICA):
            module.conv_key[-1].bn.weight.mul_(0.01)
    model.train()
    for size in SIZES:
        model(images(4, size))
    model.eval()
    last = _head(model)
    if last is not None:
        logits = [model(images(2, size)).logits for size in SIZES]
        last.weight.div_(max(x.std() for x in logits))
        last.bias.zero_()
        last.bias.sub_(model(images(2, SIZES[0])).logits.mean())
    return model


SIZES = [(64, 64), (96, 160), (224, 64)]


def _head(model: nn.Module) -> nn.Conv2d | None:
    if hasattr(model, "cls"):
        return model.cls[-1]
    if hasattr(model, "last"):
        return model.last
    return model.decoder.conv_out1[0] if hasattr(getattr(model, "decoder", None), "conv_out1") else None


def images(batch: int, size: tuple[int, int], seed: int = 0) -> Tensor:
    """(batch, 3, *size), normalized pictures."""
    prepare = Preprocess(size=size)
    return torch.from_numpy(np.stack([prepare(picture(seed=seed + i))[0] for i in range(batch)]))
