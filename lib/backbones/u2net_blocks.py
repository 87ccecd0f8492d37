"""An encoder of residual U-blocks (RSU; Qin et al., U²-Net, Pattern Recognition 2020, §3.1), for training from scratch.

Each stage is itself a small U: it sees far at once and keeps its resolution.
"""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from ..modules.conv import ConvUnit, resize

LEVELS = (6, 5, 4, 3)  # of the blocks at strides 2, 4, 8 and 16
DILATIONS = (1, 2, 4, 8)  # of the block at stride 32, where maps are too small to be halved


class RSU(nn.Module):
    """conv → a U of `levels` halvings → sum with what the conv gave: (B, in_channels, h, w) → (B, out_channels, h, w)."""

    def __init__(self, levels: int, in_channels: int, inner: int, out_channels: int):
        super().__init__()
        self.enter = conv(in_channels, out_channels)
        self.down = nn.ModuleList([conv(out_channels, inner), *(conv(inner, inner) for _ in range(levels - 2))])
        self.bottom = conv(inner, inner, 2)
        self.up = nn.ModuleList([*(conv(2 * inner, inner) for _ in range(levels - 2)), conv(2 * inner, out_channels)])

    def forward(self, x: Tensor) -> Tensor:
        entered = self.enter(x)
        maps = [self.down[0](entered)]
        for unit in self.down[1:]:
            maps.append(unit(F.max_pool2d(maps[-1], 2, ceil_mode=True)))
        y = self.bottom(maps[-1])
        for unit, beside in zip(self.up, reversed(maps), strict=True):
            y = unit.forward_concat(resize(y, beside.shape[-2:]), beside)
        return y + entered


class DilatedRSU(nn.Module):
    """The same shape of block on one resolution: growing dilation in the place of halvings."""

    def __init__(self, in_channels: int, inner: int, out_channels: int):
        super().__init__()
        *down, bottom = DILATIONS
        self.enter = conv(in_channels, out_channels)
        self.down = nn.ModuleList(conv(inner if i else out_channels, inner, d) for i, d in enumerate(down))
        self.bottom = conv(inner, inner, bottom)
        self.up = nn.ModuleList(conv(2 * inner, inner if d > 1 else out_channels, d) for d in reversed(down))

    def forward(self, x: Tensor) -> Tensor:
        entered = self.enter(x)
        maps = [entered]
        for unit in self.down:
            maps.append(unit(maps[-1]))
        y = self.bottom(maps[-1])
        for unit, beside in zip(self.up, reversed(maps[1:]), strict=True):
            y = unit.forward_concat(y, beside)
        return y + entered


def conv(in_channels: int, out_channels: int, dilation: int = 1) -> ConvUnit:
    """3×3 convolution → BatchNorm → ReLU. Weights start smaller than the decoder's, as torch draws them."""
    unit = ConvUnit(in_channels, out_channels, 3, dilation, relu=True)
    unit.conv.reset_parameters()
    return unit


class RSUEncoder(nn.Module):
    """Stem of stride 2 and five U-blocks; maps at strides 2 to 32, all with the same number of channels.

    stem, inner, channels: of the stem, inside the blocks and of the maps.
    """

    strides: Sequence[int] = (2, 4, 8, 16, 32)

    def __init__(self, stem: int = 32, inner: int = 32, channels: int = 64):
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, stem, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(stem), nn.ReLU(inplace=True)
        )
        ins = (stem, *[channels] * (len(LEVELS) - 1))
        blocks = [RSU(levels, wide, inner, channels) for levels, wide in zip(LEVELS, ins, strict=True)]
        self.blocks = nn.ModuleList([*blocks, DilatedRSU(channels, inner, channels)])
        self.out_channels = (channels,) * len(self.blocks)
        self.checkpointing = False

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """(B, 3, H, W), sides multiples of 32 → five maps (B, channels, H/2, W/2) … (B, channels, H/32, W/32)."""
        x, maps = self.stem(image), []
        for i, block in enumerate(self.blocks):
            x = F.max_pool2d(x, 2) if i else x
            x = self._run(block, x)
            maps.append(x)
        return tuple(maps)

    def _run(self, block: nn.Module, x: Tensor) -> Tensor:
        return checkpoint(block, x, use_reentrant=False) if self.checkpointing and self.training else block(x)

    def stages(self) -> list[list[nn.Module]]:
        """The modules behind each of the five maps, first to last."""
        first, *others = self.blocks
        return [[self.stem, first], *([block] for block in others)]
