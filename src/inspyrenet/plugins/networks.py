"""Models and encoders from outside this package, made to look like ours and checked before they are used."""

import functools
from typing import Any

import torch
from torch import Tensor, nn

from ..lib.types import Encoder, SaliencyPyramid
from ..utils.config.plugins import PluginError
from ..utils.config.schema import ModelSection
from .named import Named

MAPS = 5  # of an encoder
MULTIPLE = 32  # of the sides of images that an encoder from outside is given


def own_model(named: Named, section: ModelSection) -> nn.Module:
    """The model, which from now on gives a SaliencyPyramid also where its forward gives a tensor of logits.

    Raises PluginError where it is no network, or gives something else for an image of the base size.
    """
    net = named.make()
    if not isinstance(net, nn.Module):
        raise PluginError(f"{named.key}: {named.name} gives {_kind(net)}, not a torch.nn.Module")
    if isinstance(section.pretrained, str) and not hasattr(net, "backbone"):
        raise PluginError(f"Model.pretrained: {named.name} has no part `backbone` that encoder weights could go to")
    if not hasattr(net, "base_size"):
        net.base_size = section.base_size  # type: ignore[assignment]
    net.register_forward_hook(functools.partial(_as_pyramid, named.name))
    _tried(net, torch.zeros(1, 3, *section.base_size), named)
    return net


def own_encoder(named: Named, section: ModelSection) -> nn.Module:
    """The encoder. Raises PluginError where it is not as `lib.types.Encoder` says."""
    net = named.make()
    if not isinstance(net, nn.Module) or not isinstance(net, Encoder):
        raise PluginError(
            f"{named.key}: {named.name} must be a torch.nn.Module with out_channels, strides and stages() "
            "(docs/extending.md#an-encoder)"
        )
    height, width = (max(MULTIPLE, side - side % MULTIPLE) for side in section.base_size)
    maps = _tried(net, torch.zeros(1, 3, height, width), named)
    found = [tuple(one.shape[1:]) for one in maps]
    wanted = [(c, height // s, width // s) for c, s in zip(net.out_channels, net.strides, strict=True)]
    if len(found) != MAPS or found != wanted:
        raise PluginError(
            f"{named.key}: {named.name} gives maps (C, h, w) of {found} for an image of {height}×{width}; "
            f"{MAPS} are needed, and out_channels and strides say {wanted}"
        )
    return net


def _tried(net: nn.Module, image: Tensor, named: Named) -> Any:
    """What the network gives in eval mode. Raises PluginError where it fails."""
    training = net.training
    try:
        with torch.no_grad():
            return net.eval()(image)
    except PluginError as error:
        raise PluginError(f"{named.key}: {error}") from error
    except Exception as error:  # whatever code of other people raises
        reason = " ".join(str(error).split())
        raise PluginError(
            f"{named.key}: {named.name} fails on an image of {tuple(image.shape)}: {type(error).__name__}: {reason}"
        ) from error
    finally:
        net.train(training)


def _as_pyramid(name: str, module: nn.Module, image: Any, out: Any) -> Any:
    """A forward hook: logits as a pyramid of one level; what is a pyramid already as it is."""
    if isinstance(out, Tensor):
        out = SaliencyPyramid((out,))
    maps = getattr(out, "saliency", None)
    if not maps or any(one.ndim != 4 or one.shape[1] != 1 for one in maps):
        shape = tuple(out.logits.shape) if maps else _kind(out)
        raise PluginError(
            f"forward of {name} gives {shape}, and not logits (B, 1, H, W), as a tensor or in a SaliencyPyramid"
        )
    return out


def _kind(value: Any) -> str:
    return f"a {type(value).__name__}"
