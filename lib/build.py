"""All networks by name, and how each is built."""

import difflib
import functools
from collections.abc import Callable
from typing import Any

from .backbones.pvt import PVTEncoder
from .backbones.res2net import Res2NetEncoder
from .backbones.resnet import DilatedResNet, ResNetEncoder
from .backbones.swin import SwinEncoder
from .backbones.timm_encoder import TimmEncoder
from .fast.switchable import Switchable
from .models.birefnet import BiRefNet
from .models.inspyrenet import InSPyReNet
from .models.pspnet import PSPNet
from .types import Encoder


def inspyrenet(encoder: Callable[..., Encoder], pretrained: bool = False, **arguments: Any) -> InSPyReNet:
    """InSPyReNet on an encoder that is built with or without ImageNet weights."""
    return InSPyReNet(encoder(pretrained=pretrained), **arguments)


def inspyrenet_light(encoder: str = "mobilenetv4_conv_small", pretrained: bool = False, **arguments: Any) -> InSPyReNet:
    """InSPyReNet on any timm encoder. Raises ValueError for a name that timm does not have, or a size that it does not take."""
    backbone = TimmEncoder(encoder, pretrained)
    model = InSPyReNet(backbone, **arguments)
    backbone.check_size(model.base_size)
    return model


def birefnet(encoder: Callable[..., Encoder], pretrained: bool = False, **arguments: Any) -> BiRefNet:
    """BiRefNet on an encoder that is built with or without ImageNet weights."""
    return BiRefNet(encoder(pretrained=pretrained), **arguments)


def pspnet(variant: int, pretrained: bool = False, stem: str = "wide", **arguments: Any) -> PSPNet:
    """PSPNet on a dilated ResNet of this depth."""
    return PSPNet(DilatedResNet(variant, stem, pretrained), **arguments)


MODELS: dict[str, Callable[..., Switchable]] = {
    "InSPyReNet_Res2Net50": functools.partial(inspyrenet, Res2NetEncoder),
    "InSPyReNet_SwinT": functools.partial(inspyrenet, functools.partial(SwinEncoder, "SwinT")),
    "InSPyReNet_SwinS": functools.partial(inspyrenet, functools.partial(SwinEncoder, "SwinS")),
    "InSPyReNet_SwinB": functools.partial(inspyrenet, functools.partial(SwinEncoder, "SwinB")),
    "InSPyReNet_SwinL": functools.partial(inspyrenet, functools.partial(SwinEncoder, "SwinL")),
    "InSPyReNet_Light": inspyrenet_light,
    "BiRefNet_SwinT": functools.partial(birefnet, functools.partial(SwinEncoder, "SwinT")),
    "BiRefNet_SwinS": functools.partial(birefnet, functools.partial(SwinEncoder, "SwinS")),
    "BiRefNet_SwinB": functools.partial(birefnet, functools.partial(SwinEncoder, "SwinB")),
    "BiRefNet_SwinL": functools.partial(birefnet, functools.partial(SwinEncoder, "SwinL")),
    "BiRefNet_PVTv2B2": functools.partial(birefnet, PVTEncoder),
    "BiRefNet_ResNet50": functools.partial(birefnet, ResNetEncoder),
    "PSPNet_ResNet50": functools.partial(pspnet, 50),
    "PSPNet_ResNet101": functools.partial(pspnet, 101),
}


def build_model(name: str, **arguments: Any) -> Switchable:
    """Build a network by name.

    Arguments of the InSPyReNet family: base_size (height, width), depth, pretrained (ImageNet encoder through timm; False
    never touches the network), attention; InSPyReNet_Light also takes encoder, a timm name.
    BiRefNet: base_size, pretrained, norm, dropout, classes, architecture, tile_order, fast. PSPNet: base_size, pretrained,
    stem, classes, dropout, sizes, fast.
    Raises ValueError for a name that is not in MODELS, TypeError for an argument that the model does not take.
    """
    if name not in MODELS:
        close = difflib.get_close_matches(name, MODELS, n=1, cutoff=0.5)
        hint = f"; did you mean {close[0]}?" if close else ""
        raise ValueError(f"unknown model {name!r}{hint} (known: {', '.join(MODELS)})")
    return MODELS[name](**arguments)
