"""Any timm encoder through one adapter, for small models."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import timm
import torch
from timm.data import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD
from torch import Tensor, nn
from torch.func import functional_call

from ..checkpoints.encoder_names import tensor_names, timm_names
from ..fast.cpu_bfloat16 import train_in_float32

NAME = re.compile(r"\w+(\.\w+)?", re.ASCII)  # of an architecture, with the tag of its weights or without
IMAGENET = (IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD)  # how images come in


def check_name(name: object) -> None:
    """Raise ValueError unless timm's own list of networks has this name.

    timm also takes addresses (hf-hub:OWNER/NAME asks the network, local-dir:FOLDER reads files), and a config that came
    with someone's weights may do neither.
    """
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise ValueError(f"encoder is a name that timm has, such as mobilenetv4_conv_small, not {name!r}")
    if not timm.is_model(name):
        close = timm.list_models(f"*{name.split('_')[0]}*")[:8]
        hint = f"; names that are close: {', '.join(close)}" if close else ""
        raise ValueError(f"timm has no encoder called {name!r}{hint}")


class TimmEncoder(nn.Module):
    """A timm `features_only` encoder that promises five maps.

    Encoders with five stages (strides 2 to 32) give them as they are; encoders with four (4 to 32) give the first twice.
    name: as timm spells it, e.g. mobilenetv4_conv_small, pvt_v2_b0, convnextv2_atto.
    An encoder whose ImageNet weights expect another normalization gets it: images come in with ImageNet's mean and standard
    deviation, as all networks here take them, and are brought to the encoder's own.
    """

    net: Any  # timm's class differs from encoder to encoder
    scale: Tensor
    shift: Tensor

    def __init__(self, name: str, pretrained: bool = False):
        super().__init__()
        check_name(name)
        try:
            self.net = timm.create_model(name, pretrained=pretrained, features_only=True)
        except (AssertionError, AttributeError, KeyError, NotImplementedError, RuntimeError, TypeError) as error:
            if pretrained and isinstance(error, RuntimeError):
                raise  # it lacks weights, or they cannot be fetched: the caller knows what to do about that
            reason = str(error).partition("\n")[0] or type(error).__name__
            raise ValueError(f"timm cannot give maps of the encoder {name!r} ({reason}): take another") from error
        channels, strides = self.net.feature_info.channels(), self.net.feature_info.reduction()
        if strides == [4, 8, 16, 32]:
            channels, strides = [channels[0], *channels], [strides[0], *strides]
        if strides not in ([2, 4, 8, 16, 32], [4, 4, 8, 16, 32]):
            raise ValueError(f"encoder {name!r} has maps at strides {strides}; needed: 4, 8, 16, 32, or 2 to 32")
        self.out_channels, self.strides = tuple(channels), tuple(strides)
        self._repeat_first = strides[0] == 4
        self._checkpointing = False
        self._set_normalization(self.net.pretrained_cfg)
        train_in_float32(self.net)
        self.timm_names = timm_names(tensor_names(self.net), self)

    def _set_normalization(self, settings: Mapping) -> None:
        """`scale` and `shift` from ImageNet's normalization to the one that the encoder was trained with."""
        mean, std = (torch.tensor(settings[key]).view(-1, 1, 1) for key in ("mean", "std"))
        image_mean, image_std = (torch.tensor(values).view(-1, 1, 1) for values in IMAGENET)
        self.register_buffer("scale", image_std / std, persistent=False)
        self.register_buffer("shift", (image_mean - mean) / std, persistent=False)
        self._normalizes = not (torch.equal(mean, image_mean) and torch.equal(std, image_std))

    @property
    def checkpointing(self) -> bool:
        """Whether the stages are computed again in the backward pass instead of kept; timm does it."""
        return self._checkpointing

    @checkpointing.setter
    def checkpointing(self, on: bool) -> None:
        self.net.set_grad_checkpointing(on)
        self._checkpointing = on

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """(B, 3, H, W) → five maps at `strides`."""
        maps = self.net(image * self.scale + self.shift if self._normalizes else image)
        return (maps[0], *maps) if self._repeat_first else tuple(maps)

    def check_size(self, size: tuple[int, int]) -> None:
        """Raise ValueError unless an image of this (height, width), of multiples of 32 pixels, gives the maps that are promised.

        Some encoders take one size only, and some have channels last. Found out on the meta device, in a tenth of a second.
        """
        reason = self._misfit(size)
        if reason is None:
            return
        own = tuple(self.net.pretrained_cfg["input_size"][1:])
        ways = ["take another encoder, such as mobilenetv4_conv_small"]
        if own != tuple(size) and not any(side % 32 for side in own) and self._misfit(own) is None:
            ways.insert(0, f"set base_size to {list(own)}, and test at that size")
        name = self.net.pretrained_cfg["architecture"]
        raise ValueError(
            f"encoder {name!r} cannot be used at {size[0]}×{size[1]} (height×width; {reason}): {', or '.join(ways)}"
        )

    def _misfit(self, size: tuple[int, int]) -> str | None:
        """Why an image of this size does not give the maps that are promised; None where it does."""
        expected = [
            (1, channels, size[0] // stride, size[1] // stride)
            for channels, stride in zip(self.out_channels, self.strides, strict=True)
        ]
        reason: str | None = None
        own = next(self.parameters()).device
        fixed = self.net.pretrained_cfg["fixed_input_size"]  # some of these look up by size, which takes data
        for device in (own,) if fixed else (torch.device("meta"), own):  # where an operation needs data, too
            try:
                shapes = self._shapes(size, device)
            except Exception as error:  # a third-party network raises whatever it stumbles over
                reason = str(error).partition("\n")[0].rstrip(".") or type(error).__name__
                continue
            wrong = next(((found, due) for found, due in zip(shapes, expected, strict=True) if found != due), None)
            return f"its maps are {wrong[0]}, not {wrong[1]}" if wrong else None
        return reason

    def _shapes(self, size: tuple[int, int], device: torch.device) -> list[tuple[int, ...]]:
        state = {name: value.to(device) for name, value in (*self.named_parameters(), *self.named_buffers())}
        training = self.training
        try:
            with torch.no_grad():
                maps = functional_call(self.eval(), state, (torch.zeros(1, 3, *size, device=device),))
        finally:
            self.train(training)
        return [tuple(found.shape) for found in maps]

    def stages(self) -> list[list[nn.Module]]:
        """The modules behind each of the five maps, first to last."""
        ends = [info["module"].replace("_", ".") for info in self.net.feature_info.get_dicts()]
        groups: list[list[nn.Module]] = [[]]
        for name, unit in self._units():
            groups[-1].append(unit)
            if name.replace("_", ".") in ends[:-1]:
                groups.append([])
        return [groups[0], [], *groups[1:]] if self._repeat_first else groups

    def _units(self) -> Iterator[tuple[str, nn.Module]]:
        """Children in the order in which they are run; a container of blocks counts as its blocks."""
        for name, child in self.net.named_children():
            if isinstance(child, nn.Sequential) and name in ("blocks", "stages"):
                yield from ((f"{name}.{key}", part) for key, part in child.named_children())
            else:
                yield name, child
