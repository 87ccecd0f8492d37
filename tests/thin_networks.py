"""Networks of every family with few blocks, and with the running statistics that training would have left.

Recording a graph takes time for each operation: thin ones hold every kind of part, but few of each.
"""

from contextlib import AbstractContextManager
from unittest import mock

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from inspyrenet.data.preprocess import Preprocess
from inspyrenet.lib import build_model
from inspyrenet.lib.models import inspyrenet
from inspyrenet.lib.modules.aspp import DeformASPP
from inspyrenet.lib.modules.conv import ConvUnit
from inspyrenet.lib.modules.deform_conv import DeformConv
from inspyrenet.lib.modules.paa import PAAEncoder
from inspyrenet.lib.modules.pyramid import ImagePyramid
from inspyrenet.lib.modules.switch import Switchable
from inspyrenet.lib.types import SaliencyPyramid
from tests.tiny_network import picture

COARSEST = (768, 960, 2048)  # channels of the last map of Swin-T, MobileNetV4 small and Res2Net


class Toy(Switchable):
    """An image pyramid in a dozen operations: each level is one convolution of the shrunk image."""

    base_size = (64, 64)

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.levels = nn.ModuleList(nn.Conv2d(3, 1, 3, padding=1) for _ in range(4))
        self.pyramid = ImagePyramid()

    def lean(self, size: tuple[int, int]) -> bool:
        return False

    def forward(self, image: Tensor) -> SaliencyPyramid:
        s3, *laplacian = (
            3 * level(F.avg_pool2d(image, step)) for level, step in zip(self.levels, (8, 4, 2, 1), strict=True)
        )
        saliency = [s3]
        for detail in laplacian:
            saliency.append(self.pyramid.reconstruct(saliency[-1], detail))
        return SaliencyPyramid(tuple(saliency), tuple(laplacian))


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
    return PAAEncoder(channels, depth, layout) if channels in COARSEST else ConvUnit(channels, depth)


def thin_contexts() -> AbstractContextManager:
    """While it lasts, InSPyReNet is built with one whole context, at the coarsest map."""
    return mock.patch.object(inspyrenet, "PAAEncoder", _context)


def thin(name: str, **arguments) -> nn.Module:
    """A network by name, its encoder cut to one block per stage (two in Swin's first: plain and shifted windows)."""
    torch.manual_seed(0)
    with thin_contexts():
        model = build_model(name, **arguments)
    for number, stage in enumerate(_stages(model.backbone)):
        shifted = number == 0 and hasattr(stage[0], "shift")
        del stage[2 if shifted else 1 :]
    return calibrated(model)


def _stages(backbone: nn.Module) -> list[nn.Sequential]:
    if hasattr(backbone, "layers"):
        return [stage.blocks for stage in backbone.layers]
    return [getattr(backbone, f"layer{i}") for i in range(1, 5) if hasattr(backbone, f"layer{i}")]


@torch.no_grad()
def calibrated(model: nn.Module) -> nn.Module:
    """In eval mode, after a look at a few pictures; its logits are neither tiny nor saturated."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
    size = (65, 97) if getattr(model, "sizes", None) == "8n+1" else (64, 96)
    model.train()(images(6, size))
    model.eval()
    last = _head(model)
    if last is not None:
        spread = model(images(2, size)).logits.std()
        last.weight.div_(spread)
        last.bias.zero_()
    return model


def _head(model: nn.Module) -> nn.Conv2d | None:
    if hasattr(model, "cls"):
        return model.cls[-1]
    if hasattr(model, "last"):
        return model.last
    return model.decoder.conv_out1[0] if hasattr(model.decoder, "conv_out1") else None


def images(batch: int, size: tuple[int, int], seed: int = 0) -> Tensor:
    """(batch, 3, *size), normalised pictures."""
    prepare = Preprocess(size=size)
    return torch.stack([prepare(picture(seed=seed + i))[0] for i in range(batch)])
