"""A small network that changes a coarse map as a person's clicks say; trained on frozen features (docs/prompts.md).

It sees the encoder's features, the colors, the network's own S3, the map that is there, and where to keep and to remove. Maps at
S3's size and at a half of it find borders; attention between all places at a quarter lets a click speak for what is far away.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .conv import ConvUnit, resize

OWN, CURRENT = 8.0, 6.0  # logits of the network's own S3 and of the map that is there are taken up to here
CLICKED = 0.5  # of a closeness: more is a place that a stroke went over
STEP = 4.0  # logits for one unit of the last convolution


class PromptHead(nn.Module):
    """depth: channels of the encoder's features x2 and f3. width, middle, wide: channels at 1/8, 1/16 and 1/32 of the image."""

    def __init__(self, depth: int, width: int = 24, middle: int = 40, wide: int = 64, blocks: int = 3):
        super().__init__()
        self.depth, seen = depth, 2 * depth + 3
        self.norm = nn.BatchNorm2d(seen)
        self.project, self.likeness = nn.Conv2d(seen, width, 1), nn.Conv2d(seen, 16, 1)
        self.state = nn.Conv2d(8, width, 3, padding=1)
        self.down1, self.middle1 = nn.Conv2d(width, middle, 2, stride=2), ConvUnit(middle, middle, 3, relu=True)
        self.down2, self.place = nn.Conv2d(middle, wide, 2, stride=2), nn.Conv2d(wide, wide, 3, padding=1, groups=wide)
        self.blocks = nn.ModuleList([AttentionBlock(wide) for _ in range(blocks)])
        self.up2, self.middle2 = nn.Conv2d(wide, middle, 1), ConvUnit(middle, middle, 3, relu=True)
        self.up1, self.fine = nn.Conv2d(middle, width, 1), ConvUnit(width, width, 3, relu=True)
        self.out = nn.Conv2d(width, 1, 3, padding=1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)  # type: ignore[arg-type]

    def forward(
        self, colors: Tensor, x2: Tensor, f3: Tensor, own: Tensor, current: Tensor, keep: Tensor, remove: Tensor
    ) -> Tensor:
        """→ logits (B, 1, h, w), the map that is there with what the clicks say; h and w are multiples of 4.

        colors (B, 3, h, w), RGB in 0..1. x2 (B, depth, 2h, 2w), f3 (B, depth, h, w). own, current (B, 1, h, w): logits of the
        network's own S3 and of the map that is there. keep, remove (B, 1, h, w): how close a place is to where a stroke went, 1 on
        it, a half at most beside it, falling by 1/e in six cells.
        """
        return self.answer(*self.seen(colors, F.avg_pool2d(x2, 2), f3), own, current, keep, remove)

    def seen(self, colors: Tensor, x2: Tensor, f3: Tensor) -> tuple[Tensor, Tensor]:
        """What does not depend on clicks, x2 at the size of f3: features (B, width, h, w), and those that likeness is taken by."""
        seen = self.norm(torch.cat([x2, f3, lab(colors) / 50], dim=1))
        return self.project(seen), F.normalize(self.likeness(seen), dim=1)

    def answer(
        self, features: Tensor, likeness: Tensor, own: Tensor, current: Tensor, keep: Tensor, remove: Tensor
    ) -> Tensor:
        """What `seen` gave, and the rest as in `forward` → logits (B, 1, h, w)."""
        strokes = [(close > CLICKED).to(features.dtype) for close in (keep, remove)]
        alike = [self._alike(likeness, stroke) for stroke in strokes]
        own, current = own.clamp(-OWN, OWN) / 4, current.clamp(-CURRENT, CURRENT)
        state = torch.cat([own, current / 3, *strokes, *alike, keep, remove], dim=1)
        x = (features + self.state(state)).relu()
        y = self.middle1(self.down1(x).relu())
        z = self.down2(y)
        z = z + self.place(z)
        tokens = z.flatten(2).transpose(1, 2)
        for block in self.blocks:
            tokens = block(tokens)
        z = tokens.transpose(1, 2).reshape(z.shape)
        y = self.middle2(y + resize(self.up2(z), y.shape[-2:]))
        x = x + resize(self.up1(y), x.shape[-2:])
        return current + STEP * self.out(self.fine(x))

    def _alike(self, likeness: Tensor, stroke: Tensor) -> Tensor:
        """How alike each place is to the mean of those that strokes went over: (B, 1, h, w)."""
        mean = (likeness * stroke).sum((2, 3), keepdim=True) / stroke.sum((2, 3), keepdim=True).clamp(min=1)
        return (likeness * mean).sum(1, keepdim=True)


class AttentionBlock(nn.Module):
    """Self-attention of tokens (B, N, channels) and a perceptron, each with a residual and normalized before."""

    def __init__(self, channels: int, heads: int = 4):
        super().__init__()
        self.heads = heads
        self.norm1, self.qkv, self.proj = (
            nn.LayerNorm(channels),
            nn.Linear(channels, 3 * channels),
            nn.Linear(channels, channels),
        )
        self.norm2 = nn.LayerNorm(channels)
        self.mlp = nn.Sequential(nn.Linear(channels, 2 * channels), nn.GELU(), nn.Linear(2 * channels, channels))

    def forward(self, x: Tensor) -> Tensor:
        batch, number, channels = x.shape
        qkv = self.qkv(self.norm1(x)).reshape(batch, number, 3, self.heads, channels // self.heads)
        query, key, value = qkv.permute(2, 0, 3, 1, 4).unbind(0)  # (B, heads, N, d)
        weights = (query @ key.transpose(-2, -1) * (channels // self.heads) ** -0.5).softmax(dim=-1)
        x = x + self.proj((weights @ value).transpose(1, 2).reshape(batch, number, channels))
        return x + self.mlp(self.norm2(x))


def lab(rgb: Tensor) -> Tensor:
    """sRGB in 0..1, (B, 3, h, w), → CIE L*a*b* (D65), L* in 0..100."""
    linear = torch.where(rgb > 0.04045, ((rgb.clamp(min=0.04045) + 0.055) / 1.055) ** 2.4, rgb / 12.92)
    red, green, blue = linear.unbind(1)
    xyz = (
        (0.412453 * red + 0.357580 * green + 0.180423 * blue) / 0.950456,
        0.212671 * red + 0.715160 * green + 0.072169 * blue,
        (0.019334 * red + 0.119193 * green + 0.950227 * blue) / 1.088754,
    )
    x, y, z = (torch.where(v > 0.008856, v.clamp(min=0.008856) ** (1 / 3), 7.787 * v + 16 / 116) for v in xyz)
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], dim=1)
