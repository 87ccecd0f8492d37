"""Losses of InSPyReNet: (saliency pyramid, mask) → named losses with their total."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..modules.pyramid import ImagePyramid
from ..types import SaliencyPyramid, Size
from .terms import boundary_weight, consistency, pixel_iou, region_iou, ssim, undecided, weighted_bce


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
    """

    losses = ("released", "paper", "region")

    def __init__(self, loss: str = "released", eta: float = 1e-4, ssim: float = 0.0, haze: float = 0.0):
        super().__init__()
        if loss not in self.losses:
            raise ValueError(f"loss is {', '.join(self.losses)}, not {loss!r}")
        if loss != "region" and (ssim or haze):
            raise ValueError(f"ssim and haze are terms of the loss region, not of {loss}")
        self.loss, self.eta, self.fast = loss, eta, True
        self.further = {name: weight for name, weight in (("ssim", ssim), ("haze", haze)) if weight}
        self.pyramid = ImagePyramid()

    def forward(self, out: SaliencyPyramid, mask: Tensor) -> dict[str, Tensor]:
        """Pyramid and mask (B, 1, H, W) in 0…1 → scalars total, bce, iou (not of paper), consistency, ssim and haze (if any)."""
        with torch.autocast(mask.device.type, enabled=False):
            wide = torch.float64 if out.logits.dtype == torch.float64 else torch.float32
            saliency = [s.to(wide) for s in reversed(out.saliency)]  # S0 … S3
            return self._losses(saliency, mask.to(wide))

    def _losses(self, saliency: list[Tensor], mask: Tensor) -> dict[str, Tensor]:
        size = mask.shape[-2:]
        zero = mask.new_zeros(())
        parts = {"bce": zero, "iou": zero, "consistency": zero, **dict.fromkeys(self.further, zero)}
        finest = round(math.log2(size[-1] / saliency[0].shape[-1]))  # 0 unless the pyramid ends at a coarser stage
        for _ in range(finest):
            mask = self.pyramid.reduce(mask)
        for j, logits in enumerate(saliency, start=finest):
            if j > finest:
                mask = self.pyramid.reduce(mask)
                fine = self.pyramid.reduce(saliency[j - finest - 1])
                parts["consistency"] = parts["consistency"] + consistency(fine, logits)
            bce, iou = self._region(logits, mask, j) if self.loss == "region" else self._scale(logits, mask, size)
            parts["bce"] = parts["bce"] + (4**j if self.loss == "paper" else 1) * bce
            parts["iou"] = parts["iou"] + iou
            for name in self.further:
                parts[name] = parts[name] + self._further(name, logits, mask, j)
        if self.loss == "paper":
            del parts["iou"]
        parts["total"] = parts["bce"] + parts.get("iou", 0) + self.eta * parts["consistency"]
        for name, weight in self.further.items():
            parts["total"] = parts["total"] + weight * parts[name]
        return parts

    def _scale(self, logits: Tensor, mask: Tensor, size: Size) -> tuple[Tensor, Tensor]:
        """Weighted BCE and IoU of one scale, both at the full size, means over the batch."""
        logits, mask = (F.interpolate(x, size=size, mode="nearest") for x in (logits, mask))
        bce = weighted_bce(logits, mask, boundary_weight(mask, fast=self.fast))
        return bce.mean(), pixel_iou(logits, mask).mean()

    def _region(self, logits: Tensor, mask: Tensor, scale: int) -> tuple[Tensor, Tensor]:
        """Weighted BCE over the sum of its weights and region IoU of one scale at its own size, means over the batch."""
        weight = self._weight(mask, scale)
        bce = weighted_bce(logits, mask, weight)
        return (bce.sum(dim=(2, 3)) / weight.sum(dim=(2, 3))).mean(), region_iou(logits, mask, weight).mean()

    def _further(self, name: str, logits: Tensor, mask: Tensor, scale: int) -> Tensor:
        return ssim(logits.sigmoid(), mask) if name == "ssim" else undecided(logits, self._weight(mask, scale))

    def _weight(self, mask: Tensor, scale: int) -> Tensor:
        """Boundary weight at the size of a scale, with a window of 31 pixels of S0."""
        return boundary_weight(mask, size=31 // 2**scale | 1, fast=self.fast)
