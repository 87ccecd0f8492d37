"""BiRefNet: bilateral reference for high-resolution dichotomous segmentation (Zheng et al., CAAI AIR 2024).

Legend: E1 … E4 encoder maps at strides 4, 8, 16, 32 with C3, C2, C1, C0 channels. Every resize aligns corners.
"""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..checkpoints.birefnet import from_published
from ..fast.switchable import Switchable
from ..modules.aspp import DeformASPP
from ..modules.conv import resize
from ..modules.laplacian import laplacian
from ..modules.norm import make_norm
from ..modules.space_to_depth import tile
from ..sizes import rule_for
from ..types import Encoder

GRIDS = {5: 32, 4: 16, 3: 8, 2: 4, 1: 1}  # image branch → tiles per side
INTER = 64  # channels inside every block


class BiRefNetOutput(NamedTuple):
    """Logits of one forward pass, the same in training and eval mode.

    saliency: m4 (B, 1, H/32, W/32), m3 (H/16), m2 (H/8) and the final map (H).
    gradient: predictions of the image's gradient where the object is, per gated stage, coarse to fine.
    edges: Laplacian of the image (B, 1, H, W), from which the criterion makes the targets of `gradient`.
    classes: (B, classes) or None.
    """

    saliency: tuple[Tensor, ...]
    gradient: tuple[Tensor, ...]
    edges: Tensor
    classes: Tensor | None = None

    @property
    def logits(self) -> Tensor:
        """The final saliency map (B, 1, H, W), before the sigmoid."""
        return self.saliency[-1]

    @property
    def laplacian(self) -> tuple[Tensor, ...]:
        """Empty: this network has no image pyramid."""
        return ()


class BasicBlock(nn.Module):
    """3×3 convolution → norm → ReLU → deformable ASPP → 3×3 convolution → norm; (B, in, h, w) → (B, out, h, w)."""

    def __init__(self, in_channels: int, out_channels: int, kernels: tuple[int, ...], norm: str, dropout: float):
        super().__init__()
        self.conv_in = nn.Conv2d(in_channels, INTER, 3, padding=1)
        self.bn_in = make_norm(norm, INTER)
        self.dec_att = DeformASPP(INTER, kernels, norm, dropout)
        self.conv_out = nn.Conv2d(INTER, out_channels, 3, padding=1)
        self.bn_out = make_norm(norm, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        x = self.dec_att(self.bn_in(self.conv_in(x)).relu())
        return self.bn_out(self.conv_out(x))


class ImageBranch(nn.Module):
    """Two 3×3 convolutions over tiles of the image, nothing between them."""

    def __init__(self, grid: int, out_channels: int):
        super().__init__()
        self.grid = grid
        self.conv1 = nn.Conv2d(3 * grid * grid, INTER, 3, padding=1)
        self.conv_out = nn.Conv2d(INTER, out_channels, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) → (B, out_channels, H/grid, W/grid)."""
        return self.conv_out(self.conv1(tile(image, self.grid)))


class Lateral(nn.Module):
    """1×1 convolution of an encoder map."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x)


class Decoder(nn.Module):
    """The paper's reconstruction module, stages 4 to 1, deep to shallow, with its bilateral reference: inward to the image,
    outward to the image's gradient. Names are the published ones: stage s owns decoder_block‹s›, ipt_blk‹s+1›, gdt_*_‹s›,
    conv_ms_spvn_‹s› and lateral_block‹s+1›.

    channels: C0 … C3. old: without image branch and gate at stage 4, as before May 2024.
    """

    def __init__(self, channels: tuple[int, ...], norm: str, dropout: float, old: bool):
        super().__init__()
        c0, c1, c2, c3 = channels
        self.branches = (4, 3, 2, 1) if old else (5, 4, 3, 2, 1)
        self.gates = (3, 2) if old else (4, 3, 2)
        kernels = (3,) if old else (1, 3, 7)
        reference = {5: c0 // 8, 4: c0 // 8, 3: c1 // 8, 2: c2 // 8, 1: c3 // 8}
        for i in self.branches:
            self.add_module(f"ipt_blk{i}", ImageBranch(GRIDS[i], reference[i]))
        inputs = {
            4: c0 + (0 if old else reference[5]),
            3: c1 + reference[4],
            2: c2 + reference[3],
            1: c3 + reference[2],
        }
        outputs = {4: c1, 3: c2, 2: c3, 1: c3 // 2}
        for s in (4, 3, 2, 1):
            self.add_module(f"decoder_block{s}", BasicBlock(inputs[s], outputs[s], kernels, norm, dropout))
        self.conv_out1 = nn.Sequential(nn.Conv2d(c3 // 2 + reference[1], 1, 1))
        for s in (4, 3, 2):
            self.add_module(f"lateral_block{s}", Lateral(outputs[s]))
            self.add_module(f"conv_ms_spvn_{s}", nn.Conv2d(outputs[s], 1, 1))
        for s in self.gates:
            gate = nn.Sequential(nn.Conv2d(outputs[s], 16, 3, padding=1), make_norm(norm, 16), nn.ReLU())
            self.add_module(f"gdt_convs_{s}", gate)
            self.add_module(f"gdt_convs_pred_{s}", nn.Sequential(nn.Conv2d(16, 1, 1)))
            self.add_module(f"gdt_convs_attn_{s}", nn.Sequential(nn.Conv2d(16, 1, 1)))

    def forward(self, image: Tensor, deep: Tensor, maps: tuple[Tensor, ...]) -> tuple[list[Tensor], list[Tensor]]:
        """image, squeezed E4 and (E1, E2, E3) → saliency logits m4, m3, m2, final and gradient logits."""
        saliency, gradient = [], []
        x = deep
        for s in (4, 3, 2, 1):
            if s < 4:
                encoded = self.part("lateral_block", s + 1)(maps[s - 1])
                x = resize(x, encoded.shape[-2:], align_corners=True) + encoded
            x = self.part("decoder_block", s)(self.with_image(s + 1, x, image))
            if s > 1:
                saliency.append(self.part("conv_ms_spvn_", s)(x))
            if s in self.gates:  # outward reference: what the gradient is predicted from weights the map
                edge = self.part("gdt_convs_", s)(x)
                gradient.append(self.part("gdt_convs_pred_", s)(edge))
                x = x * self.part("gdt_convs_attn_", s)(edge).sigmoid()
        x = resize(x, image.shape[-2:], align_corners=True)
        saliency.append(self.conv_out1(self.with_image(1, x, image)))
        return saliency, gradient

    def part(self, name: str, number: int) -> nn.Module:
        return getattr(self, f"{name}{number}")

    def with_image(self, branch: int, x: Tensor, image: Tensor) -> Tensor:
        """Inward reference: x and the image branch of the same size, one behind the other."""
        return torch.cat([x, self.part("ipt_blk", branch)(image)], dim=1) if branch in self.branches else x


class BiRefNet(Switchable):
    """Image → saliency logits, gradient predictions and (optionally) class logits.

    backbone: five maps, of which the last four are used. base_size: (height, width) that it trains at.
    norm: of squeeze and decoder; "batch", "frozen" (running statistics, for batches of one image) or "none" (files that
    were trained one image at a time). classes: of the auxiliary classification, 219 for DIS5K; 0 for none.
    architecture: "current", or "pre-2024-05" for the first published weights.
    tile_order: of published weights to be loaded; "auto" knows the published files by their names (see
    weights_birefnet), "channel-major" and "column-major" state it, "as_upstream_today" never converts.
    fast: False takes the encoder's reference formulation.
    """

    size_rule = rule_for("BiRefNet")

    def __init__(
        self,
        backbone: Encoder,
        base_size: tuple[int, int] = (1024, 1024),
        norm: str = "batch",
        dropout: float = 0.5,
        classes: int = 0,
        architecture: str = "current",
        tile_order: str = "auto",
        fast: bool = True,
    ):
        super().__init__()
        self.size_rule.check(base_size)
        if architecture not in ("current", "pre-2024-05"):
            raise ValueError(f"architecture is current or pre-2024-05, not {architecture!r}")
        if tile_order not in TILE_ORDERS:
            raise ValueError(f"tile_order is {', '.join(TILE_ORDERS)}, not {tile_order!r}")
        self.base_size = (base_size[0], base_size[1])
        self.architecture, self.tile_order = architecture, tile_order
        self.classes = classes
        self.backbone = backbone
        old = architecture == "pre-2024-05"
        channels = tuple(2 * width for width in reversed(backbone.out_channels[-4:]))  # C0, C1, C2, C3
        if classes:
            self.cls_head = nn.Sequential(nn.Linear(channels[0], classes))
        squeeze = BasicBlock(sum(channels), channels[0], (3,) if old else (1, 3, 7), norm, dropout)
        self.squeeze_module = nn.Sequential(squeeze)
        self.decoder = Decoder(channels, norm, dropout, old)
        self.fast = fast

    def forward(self, image: Tensor) -> BiRefNetOutput:
        """(B, 3, H, W), ImageNet-normalized, sides as `size_rule` says → see `BiRefNetOutput`."""
        self.size_rule.check(image.shape[-2:])
        maps = self.encode(image)  # localization module: encoder, and the context of all maps squeezed into E4
        classes = self.cls_head(maps[3].mean(dim=(2, 3))) if hasattr(self, "cls_head") else None
        deep = self.squeeze_module(self.context(maps))
        saliency, gradient = self.decoder(image, deep, maps[:3])
        return BiRefNetOutput(tuple(saliency), tuple(gradient), laplacian(image.mean(dim=1, keepdim=True)), classes)

    def encode(self, image: Tensor) -> tuple[Tensor, ...]:
        """E1 … E4: the maps of the image and those of its half-size copy, one behind the other."""
        height, width = image.shape[-2:]
        half = resize(image, (height // 2, width // 2), align_corners=True)
        pairs = zip(self.backbone(image)[-4:], self.backbone(half)[-4:], strict=True)
        return tuple(torch.cat([full, resize(low, full.shape[-2:], align_corners=True)], dim=1) for full, low in pairs)

    @staticmethod
    def context(maps: tuple[Tensor, ...]) -> Tensor:
        """E1, E2, E3 at the size of E4, then E4: (B, C0 + C1 + C2 + C3, H/32, W/32)."""
        *shallow, deep = maps
        return torch.cat([*(resize(x, deep.shape[-2:], align_corners=True) for x in shallow), deep], dim=1)

    def from_published(self, state: Mapping[str, Tensor], source: str | None = None) -> dict[str, Tensor]:
        """A normalized state dict under published names → under ours, tiles in our order; ours passes unchanged."""
        return from_published(state, source, self.tile_order)


TILE_ORDERS = ("auto", "channel-major", "column-major", "as_upstream_today")
