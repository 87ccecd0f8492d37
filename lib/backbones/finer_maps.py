"""An encoder for a decoder that takes no coarse maps."""

from typing import Any

from torch import Tensor, nn

from ..modules.conv import resize
from ..types import Encoder
from .timm_features import cells, nearest

MULTIPLE = 32  # of the sides that any encoder takes


class FinerMaps(nn.Module):
    """An encoder whose maps of strides above `coarsest` are enlarged to it, and that takes images of any size.

    An image whose sides are no multiples of 32 is shown resized.
    """

    def __init__(self, encoder: Encoder, coarsest: int):
        super().__init__()
        self.encoder: Any = encoder
        self.out_channels = tuple(encoder.out_channels)
        self.strides = tuple(min(stride, coarsest) for stride in encoder.strides)

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """(B, 3, H, W) → five maps at `strides`, of ⌈H / stride⌉ × ⌈W / stride⌉ cells."""
        size = (image.shape[-2], image.shape[-1])
        maps = self.encoder(resize(image, nearest(size, MULTIPLE)))
        return tuple(resize(x, cells(size, stride)) for x, stride in zip(maps, self.strides, strict=True))

    def stages(self) -> list[list[nn.Module]]:
        """The modules behind each map."""
        return self.encoder.stages()
