"""All networks by name, and how each is built."""

import difflib
import functools
from collections.abc import Callable
from typing import Any

from .backbones.finer_maps import FinerMaps
from .backbones.pvt import PVTEncoder
from .backbones.res2net import Res2NetEncoder
from .backbones.resnet import DilatedResNet, ResNetEncoder
from .backbones.swin import SwinEncoder
from .backbones.timm_encoder import TimmEncoder
from .fast.switchable import Switchable
from .models.birefnet import BiRefNet
from .models.inspyrenet import InSPyReNet
from .models.pspnet import PSPNet, ScenePSPNet
from .sizes import rule_for
from .types import Encoder

LIGHT_ENCODER = "mobilenetv4_conv_small"  # of networks that end in _Light, where none is named


def inspyrenet(encoder: Callable[..., Encoder], pretrained: bool = False, **arguments: Any) -> InSPyReNet:
    """InSPyReNet on an encoder that is built with or without ImageNet weights."""
    return InSPyReNet(encoder(pretrained=pretrained), **arguments)


def inspyrenet_light(
    encoder: str | Encoder = LIGHT_ENCODER,
    pretrained: bool = False,
    base_size: tuple[int, int] = (384, 384),
    **arguments: Any,
) -> InSPyReNet:
    """InSPyReNet on any timm encoder, or on one that is built already.

    Raises ValueError for a name that timm does not have, or an encoder that does not fit.
    """
    rule_for("InSPyReNet").check(base_size)
    backbone = encoder if isinstance(encoder, Encoder) else TimmEncoder(encoder, pretrained, base_size)
    return InSPyReNet(backbone, base_size=base_size, **arguments)


def birefnet_light(
    encoder: str | Encoder = LIGHT_ENCODER,
    pretrained: bool = False,
    base_size: tuple[int, int] = (1024, 1024),
    **arguments: Any,
) -> BiRefNet:
    """BiRefNet on any timm encoder, or on one that is built already; it is shown images of half the size, too."""
    rule_for("BiRefNet").check(base_size)
    backbone = encoder if isinstance(encoder, Encoder) else TimmEncoder(encoder, pretrained, base_size, multiple=16)
    return BiRefNet(backbone, base_size=base_size, **arguments)


def pspnet_light(
    encoder: str | Encoder = LIGHT_ENCODER,
    pretrained: bool = False,
    base_size: tuple[int, int] = (473, 473),
    scene_classes: int | None = None,
    **arguments: Any,
) -> PSPNet:
    """PSPNet on any timm encoder, or on one that is built already; its last maps are brought to stride 8, since not every encoder
    can be dilated."""
    rule_for("PSPNet", arguments).check(base_size)
    backbone: Encoder
    if isinstance(encoder, Encoder):
        backbone = FinerMaps(encoder, coarsest=8)
    else:
        backbone = TimmEncoder(encoder, pretrained, base_size, multiple=1, coarsest=8)
    return _pspnet(backbone, scene_classes, base_size=base_size, **arguments)


def birefnet(encoder: Callable[..., Encoder], pretrained: bool = False, **arguments: Any) -> BiRefNet:
    """BiRefNet on an encoder that is built with or without ImageNet weights."""
    return BiRefNet(encoder(pretrained=pretrained), **arguments)


def pspnet(
    variant: int,
    pretrained: bool = False,
    stem: str = "wide",
    width: float = 1,
    scene_classes: int | None = None,
    **arguments: Any,
) -> PSPNet:
    """PSPNet on a dilated ResNet of this depth: for saliency, or for scene parsing with so many classes."""
    return _pspnet(DilatedResNet(variant, stem, pretrained, width), scene_classes, **arguments)


def _pspnet(encoder: Encoder, scene_classes: int | None, **arguments: Any) -> PSPNet:
    if scene_classes is None:
        return PSPNet(encoder, **arguments)
    return ScenePSPNet(encoder, classes=scene_classes, **arguments)


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
    "BiRefNet_Light": birefnet_light,
    "PSPNet_ResNet50": functools.partial(pspnet, 50),
    "PSPNet_ResNet101": functools.partial(pspnet, 101),
    "PSPNet_Light": pspnet_light,
}


def build_model(name: str, **arguments: Any) -> Switchable:
    """Build a network by name.

    Arguments of the InSPyReNet family: base_size (height, width), depth, pretrained (ImageNet encoder through timm; False
    never touches the network), attention.
    BiRefNet: base_size, pretrained, norm, dropout, classes, architecture, tile_order, fast. PSPNet: base_size, pretrained,
    stem, width, classes, scene_classes, dropout, sizes, fast. Those that end in _Light also take encoder, a timm name, in place
    of stem and width.
    Raises ValueError for a name that is not in MODELS, TypeError for an argument that the model does not take.
    """
    if name not in MODELS:
        close = difflib.get_close_matches(name, MODELS, n=1, cutoff=0.5)
        hint = f"; did you mean {close[0]}?" if close else ""
        raise ValueError(f"unknown model {name!r}{hint} (known: {', '.join(MODELS)})")
    return MODELS[name](**arguments)
