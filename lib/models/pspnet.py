"""PSPNet: pyramid scene parsing (Zhao et al., CVPR 2017) as a baseline for saliency: strong context, soft boundaries."""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..checkpoints.pspnet import from_published
from ..fast.switchable import Switchable
from ..modules.ppm import PyramidPooling
from ..sizes import rule_for
from ..types import Encoder, Size

STRIDE = 8


class PSPNetOutput(NamedTuple):
    """Logits of one forward pass.

    saliency: in training the auxiliary and the main map, in eval mode the main map alone; each (B, 1, H, W).
    scores: with a two-class head, the class scores behind these maps, each (B, 2, H, W); their difference is the logit.
    """

    saliency: tuple[Tensor, ...]
    scores: tuple[Tensor, ...] = ()

    @property
    def logits(self) -> Tensor:
        """The main saliency map (B, 1, H, W), before the sigmoid."""
        return self.saliency[-1]

    @property
    def laplacian(self) -> tuple[Tensor, ...]:
        """Empty: this network has no image pyramid."""
        return ()


class PSPNet(Switchable):
    """Image → saliency logits: dilated ResNet, pyramid pooling (§3.2) and a head; in training a second one beside (§4).

    backbone: five maps, the last two at stride 8. base_size: (height, width) that it trains at.
    classes: 1, or 2 for the faithful head (background, object), whose softmax is the sigmoid of the score difference.
    sizes: "free", or "8n+1", the rule of the published code: other sizes are an error that names the nearest fit.
    fast: no part of it has a second formulation; taken as every model takes it.
    """

    task, class_range = "saliency", (1, 2)

    def __init__(
        self,
        backbone: Encoder,
        base_size: tuple[int, int] = (473, 473),
        classes: int = 1,
        dropout: float = 0.1,
        sizes: str = "free",
        fast: bool = True,
    ):
        super().__init__()
        least, most = self.class_range
        if not least <= classes <= most:
            raise ValueError(f"a head for {self.task} has {least} to {most} classes, not {classes}")
        if sizes not in ("free", "8n+1"):
            raise ValueError(f"sizes is free or 8n+1, not {sizes!r}")
        self.base_size, self.classes, self.sizes = (base_size[0], base_size[1]), classes, sizes
        self.size_rule = rule_for("PSPNet", {"sizes": sizes})
        self._check(base_size)
        self.backbone = backbone
        middle, deep = backbone.out_channels[-2:]
        self.ppm = PyramidPooling(deep)
        self.cls = head(2 * deep, 512, classes, dropout)
        self.aux = head(middle, 256, classes, dropout)
        self.fast = fast

    def forward(self, image: Tensor) -> "PSPNetOutput | SceneOutput":
        """(B, 3, H, W), ImageNet-normalized → logits (B, 1, H, W) of an object, or (B, classes, H, W) of scenes."""
        scores = self.scores(image)
        if self.classes == 1:
            return PSPNetOutput(scores)
        return PSPNetOutput(tuple(score[:, 1:] - score[:, :1] for score in scores), scores)

    def scores(self, image: Tensor) -> tuple[Tensor, ...]:
        """What the heads say at the image's size, (B, classes, H, W) each: in training the auxiliary one first."""
        size = image.shape[-2:]
        self._check(size)
        *_, middle, deep = self.backbone(image)
        scores = [self.cls(self.ppm(deep))]
        if self.training:
            scores.insert(0, self.aux(middle))
        return tuple(enlarge(score, size) for score in scores)

    def _check(self, size: Size) -> None:
        self.size_rule.check(size, ", or set Model.arguments.sizes to free" if self.sizes == "8n+1" else "")

    def from_published(self, state: Mapping[str, Tensor], source: str | None = None) -> dict[str, Tensor]:
        """A normalized state dict under published names → under ours, its heads converted to ours; ours passes unchanged."""
        return from_published(state, self.classes)


class SceneOutput(NamedTuple):
    """Class scores of one forward pass; in training the auxiliary and the main ones, else the main ones alone."""

    scores: tuple[Tensor, ...]

    @property
    def logits(self) -> Tensor:
        """The main scores (B, classes, H, W), before the softmax."""
        return self.scores[-1]


class ScenePSPNet(PSPNet):
    """Image → scores of every class for every pixel: the network of the paper. Published weights fit as they are."""

    task, class_range = "scene parsing", (2, 255)

    def forward(self, image: Tensor) -> SceneOutput:
        """(B, 3, H, W), ImageNet-normalized."""
        return SceneOutput(self.scores(image))

    def from_published(self, state: Mapping[str, Tensor], source: str | None = None) -> dict[str, Tensor]:
        """A normalized state dict under published names → under ours; heads stay as they are."""
        return from_published(state)


def head(in_channels: int, width: int, classes: int, dropout: float) -> nn.Sequential:
    """3×3 convolution → BatchNorm → ReLU → channel dropout → 1×1 convolution."""
    return nn.Sequential(
        nn.Conv2d(in_channels, width, 3, padding=1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(inplace=True),
        nn.Dropout2d(dropout),
        nn.Conv2d(width, classes, 1),
    )


def enlarge(x: Tensor, size: Size) -> Tensor:
    """A map of stride 8 → the image's size: cell (i, j) stays on pixel (8i, 8j), whatever the size.

    For 8n+1 sizes this is the published resize with aligned corners; else the last rows and columns, which lie beyond the
    last cell, repeat their neighbours.
    """
    height, width = (STRIDE * (side - 1) + 1 for side in x.shape[-2:])
    x = F.interpolate(x, size=(height, width), mode="bilinear", align_corners=True)
    rows = torch.arange(size[0], device=x.device).clamp(max=height - 1)
    columns = torch.arange(size[1], device=x.device).clamp(max=width - 1)
    return x.index_select(-2, rows).index_select(-1, columns)
