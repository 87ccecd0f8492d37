"""Losses of InSPyReNet: (saliency pyramid, mask) → named losses with their total."""

import functools
import math
import operator
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..modules.pyramid import ImagePyramid
from ..types import SaliencyPyramid, Size
from .terms import boundary_weight, consistency, edge_bce, pixel_iou, region_iou, ssim, undecided, weighted_bce

RECIPES: dict[str, Mapping[str, float]] = {
    "released": {"bce": 1.0, "iou": 1.0},
    "paper": {"bce": 1.0},
    "region": {"bce": 1.0, "iou": 1.0},
}
TERMS = ("bce", "iou", "ssim", "mae", "haze", "edge")


class PyramidCriterion(nn.Module):
    """Scale-wise losses and pyramidal consistency of InSPyReNet (paper §3.5).

    loss = "released": Σ_j [wBCE(S_j, G_j) + pixel IoU(S_j, G_j)] + η·Σ_j consistency, every scale with weight 1.
    loss = "paper":    Σ_j 4^j·wBCE(S_j, G_j) + η·Σ_j consistency, no IoU term. η = 1e-4 in both.
    loss = "region":   Σ_j [ΣwBCE(S_j, G_j) / Σw + region IoU(S_j, G_j)] + η·Σ_j consistency: F³Net's losses at every scale, not
                       published for this network; few training steps get further with it.
    G_0 is the mask and G_j = REDUCE(G_{j−1}); a pyramid that ends at S_k has the terms of k and above.
    "released" and "paper" enlarge S_j and G_j to the mask's size by nearest before they compare them. "region" compares them at
    their own size, with a window of 31 / 2^j pixels for the boundary weight, which takes fewer operations. It can be given two
    more terms of every scale: ssim, the weight of (1 − SSIM) / 2, and haze, that of `terms.undecided`.
    weights: by names of TERMS, on top of all these and for every loss; 0 switches a term off. Terms are taken at the size at
    which the loss compares; mae is the mean of |S_j − G_j|, and edge is `terms.edge_bce`.
    """

    losses = tuple(RECIPES)
    terms = TERMS

    def __init__(
        self,
        loss: str = "released",
        eta: float = 1e-4,
        ssim: float = 0.0,
        haze: float = 0.0,
        weights: Mapping[str, float] | None = None,
    ):
        super().__init__()
        if loss not in RECIPES:
            raise ValueError(f"loss is {', '.join(RECIPES)}, not {loss!r}")
        if loss != "region" and (ssim or haze):
            raise ValueError(f"ssim and haze are terms of the loss region, not of {loss}")
        unknown = set(weights or ()) - set(TERMS)
        if unknown:
            raise ValueError(f"unknown loss term {sorted(unknown)[0]!r}; known: {', '.join(TERMS)}")
        self.loss, self.eta, self.fast = loss, eta, True
        given = {**RECIPES[loss], "ssim": ssim, "haze": haze, **(weights or {})}
        self.weights = {name: weight for name, weight in given.items() if weight}
        if not self.weights:
            raise ValueError("every loss term has the weight 0: nothing would be learned")
        self.pyramid = ImagePyramid()

    def forward(self, out: SaliencyPyramid, mask: Tensor) -> dict[str, Tensor]:
        """Pyramid and mask (B, 1, H, W) in 0…1 → scalars: each term that has a weight, without it; consistency; total."""
        with torch.autocast(mask.device.type, enabled=False):
            wide = torch.float64 if out.logits.dtype == torch.float64 else torch.float32
            saliency = [s.to(wide) for s in reversed(out.saliency)]  # S0 … S3
            return self._losses(saliency, mask.to(wide))

    def _losses(self, saliency: list[Tensor], mask: Tensor) -> dict[str, Tensor]:
        size = mask.shape[-2:]
        parts = dict.fromkeys((*self.weights, "consistency"), mask.new_zeros(()))
        finest = round(math.log2(size[-1] / saliency[0].shape[-1]))  # 0 unless the pyramid ends at a coarser stage
        for _ in range(finest):
            mask = self.pyramid.reduce(mask)
        for j, logits in enumerate(saliency, start=finest):
            if j > finest:
                mask = self.pyramid.reduce(mask)
                fine = self.pyramid.reduce(saliency[j - finest - 1])
                parts["consistency"] = parts["consistency"] + consistency(fine, logits)
            for name, value in self._scale(logits, mask, j, size).items():
                parts[name] = parts[name] + value
        weighted = (weight * parts[name] for name, weight in self.weights.items())
        parts["total"] = functools.reduce(operator.add, weighted) + self.eta * parts["consistency"]
        return parts

    def _scale(self, logits: Tensor, mask: Tensor, scale: int, size: Size) -> dict[str, Tensor]:
        """The terms of one scale, each a mean over the batch: of the loss region at its own size, of the others at the full one."""
        window = 31 // 2**scale | 1  # 31 pixels of S0
        if self.loss != "region":
            logits, mask = (F.interpolate(x, size=size, mode="nearest") for x in (logits, mask))
            window = 31
        weight = boundary_weight(mask, size=window, fast=self.fast)
        return {name: self._term(name, logits, mask, weight, scale) for name in self.weights}

    def _term(self, name: str, logits: Tensor, mask: Tensor, weight: Tensor, scale: int) -> Tensor:
        if name == "bce":
            bce = weighted_bce(logits, mask, weight)
            if self.loss == "region":
                return (bce.sum(dim=(2, 3)) / weight.sum(dim=(2, 3))).mean()
            return bce.mean() * (4**scale if self.loss == "paper" else 1)
        if name == "iou":
            return (region_iou(logits, mask, weight) if self.loss == "region" else pixel_iou(logits, mask)).mean()
        if name == "haze":
            return undecided(logits, weight)
        if name == "edge":
            return edge_bce(logits, mask)
        p = logits.sigmoid()
        return ssim(p, mask) if name == "ssim" else (p - mask).abs().mean()
