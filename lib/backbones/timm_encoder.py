"""Any timm encoder through one adapter, for small models."""

import logging
import math
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from timm.data import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD
from torch import Tensor, nn

from ..checkpoints.encoder_names import tensor_names, timm_names
from ..fast.cpu_bfloat16 import train_in_float32
from ..modules.conv import resize
from ..modules.feature_pyramid import FeaturePyramid
from .timm_features import Size, cells, check_name, create, find_way, maps_of, nearest

LOG = logging.getLogger(__name__)
IMAGENET = (IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD)  # how images come in


class TimmEncoder(nn.Module):
    """A timm encoder that promises five maps.

    Encoders with five stages (strides 2 to 32) give them as they are; encoders with four (4 to 32) give the first twice. A
    plain Vision Transformer has one map, of which a feature pyramid makes those of strides 4, 4, 8, 16 and 32.
    name: as timm spells it, e.g. mobilenetv4_conv_small, pvt_v2_b0, vit_small_patch14_dinov2.
    size: (height, width) that it trains at. multiple: all images have sides that are multiples of it. coarsest: 32, or 8
    for a decoder whose last two maps have stride 8: coarser ones are enlarged, and a transformer has those two alone.
    An encoder whose ImageNet weights expect another normalization gets it: images come in with ImageNet's mean and standard
    deviation, as all networks here take them, and are brought to the encoder's own. One that takes other sizes than come in
    (patches of 14 pixels, or one size only) is shown a resized image, and its maps are brought to the promised sizes.
    Raises ValueError for a name that timm does not have, and for an encoder that cannot be used.
    """

    net: Any  # timm's class differs from encoder to encoder
    scale: Tensor
    shift: Tensor

    def __init__(
        self, name: str, pretrained: bool = False, size: Size = (224, 224), multiple: int = 32, coarsest: int = 32
    ):
        super().__init__()
        check_name(name)
        self.way = find_way(name, size, multiple)
        self.net = create(name, self.way.arguments, len(self.way.strides) == 1, pretrained)
        own, channels = list(self.way.strides), self.net.feature_info.channels()[-len(self.way.strides) :]
        train_in_float32(self.net)
        self.pyramid: FeaturePyramid | None = None
        if len(own) == 1:
            self.patch = 2 ** round(math.log2(own[0]))  # the power of two that its map is brought to
            own = [4, 8, 16, 32] if coarsest == 32 else [coarsest] * 2
            self.pyramid = FeaturePyramid(channels[0], self.patch, own)
            channels = [self.pyramid.width] * len(own)
        self._repeats = 5 - len(own)
        channels, own = [*channels[:1] * self._repeats, *channels], [*own[:1] * self._repeats, *own]
        self.out_channels, self.strides = tuple(channels), tuple(min(stride, coarsest) for stride in own)
        self._as_it_comes = (
            self.way.step == 1 and self.way.fixed is None and (self.pyramid is not None or coarsest == 32)
        )
        self._checkpointing = False
        self._set_normalization(self.net.pretrained_cfg)
        self.timm_names = timm_names(tensor_names(self.model), self)
        if self.way.fixed is not None and self.way.fixed != tuple(size):
            LOG.warning(
                "encoder %s takes %d×%d pixels alone: it is shown all images at that size", name, *self.way.fixed
            )

    @property
    def model(self) -> Any:
        """timm's network itself, inside what gives its maps."""
        return getattr(self.net, "model", self.net)

    def _set_normalization(self, settings: Mapping) -> None:
        """`scale` and `shift` from ImageNet's normalization to the one that the encoder was trained with."""
        mean, std = (torch.tensor(settings[key]).view(-1, 1, 1) for key in ("mean", "std"))
        image_mean, image_std = (torch.tensor(values).view(-1, 1, 1) for values in IMAGENET)
        self.register_buffer("scale", image_std / std, persistent=False)
        self.register_buffer("shift", (image_mean - mean) / std, persistent=False)
        self._normalizes = (tuple(settings["mean"]), tuple(settings["std"])) != IMAGENET

    @property
    def checkpointing(self) -> bool:
        """Whether the stages are computed again in the backward pass instead of kept; timm does it."""
        return self._checkpointing

    @checkpointing.setter
    def checkpointing(self, on: bool) -> None:
        self.model.set_grad_checkpointing(on)
        self._checkpointing = on

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """(B, 3, H, W) → five maps at `strides`, of ⌈H / stride⌉ × ⌈W / stride⌉ cells."""
        size = (image.shape[-2], image.shape[-1])
        image = image * self.scale + self.shift if self._normalizes else image
        shown = image if self._as_it_comes else resize(image, self.way.fixed or nearest(size, self.way.step))
        maps = maps_of(self.net, shown)
        if self.pyramid is not None:
            (tokens,) = maps
            maps = self.pyramid(tokens if self._as_it_comes else resize(tokens, cells(size, self.patch)))
        maps = [*maps[:1] * self._repeats, *maps]
        if self._as_it_comes:
            return tuple(maps)
        return tuple(resize(x, cells(size, stride)) for x, stride in zip(maps, self.strides, strict=True))

    def from_timm(self, state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """A plain transformer's state dict as timm reads it: other libraries' names, positions of another grid resampled."""
        convert = getattr(sys.modules[type(self.model).__module__], "checkpoint_filter_fn", None)
        if self.pyramid is None or convert is None or any(name.startswith("net.") for name in state):
            return state
        return convert(dict(state), self.model)

    def layers(self) -> list[list[nn.Module]]:
        """What learns at one rate where rates decay from layer to layer, first to last: transformer blocks, else stages."""
        if self.pyramid is None:
            return [group for group in self.stages() if group]
        groups: list[list[nn.Module]] = [[nn.ParameterList(self.model.parameters(recurse=False))]]
        for name, unit in self._units():
            if name.startswith("blocks."):
                groups.append([])
            groups[-1].append(unit)
        return groups

    def stages(self) -> list[list[nn.Module]]:
        """The modules behind each of the five maps, first to last; of a plain transformer a fifth of its blocks each."""
        units = list(self._units())
        first = nn.ParameterList(self.model.parameters(recurse=False))  # embeddings of positions
        if self.pyramid is not None:
            blocks = [name for name, _ in units if name.startswith("blocks.")]
            ends = [blocks[len(blocks) * part // 5 - 1] for part in range(1, 5)]
        else:
            infos = [info for info in self.net.feature_info.get_dicts() if info["reduction"] > 1]
            ends = [info["module"] for info in infos[:-1]]
            ends += [
                end.replace("block.", container) for end in ends for container in ("stages.", "blocks.")
            ]  # MViTv2, Twins
        groups: list[list[nn.Module]] = [[first] if len(first) else []]
        for name, unit in units:
            groups[-1].append(unit)
            if name.replace("_", ".") in [end.replace("_", ".") for end in ends]:
                groups.append([])
        if self.pyramid is not None:
            groups[-1].append(self.pyramid)
            return groups
        return [groups[0], [], *groups[1:]] if self._repeats else groups

    def _units(self) -> Iterator[tuple[str, nn.Module]]:
        """Children in the order in which they are run; a container of blocks counts as its blocks."""
        for name, child in self.model.named_children():
            if isinstance(child, nn.Sequential | nn.ModuleList) and name in ("blocks", "stages"):
                yield from ((f"{name}.{key}", part) for key, part in child.named_children())
            else:
                yield name, child
