"""One criterion per family of models: (output, mask) → named losses with their total."""

import inspect
import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..modules.pyramid import ImagePyramid
from ..types import SaliencyPyramid
from .criteria_birefnet import BiRefNetCriterion
from .criteria_pspnet import PSPNetCriterion
from .losses import boundary_weight, consistency, pixel_iou, region_iou, weighted_bce


class PyramidCriterion(nn.Module):
    """Scale-wise losses and pyramidal consistency of InSPyReNet (paper §3.5).

    loss = "released": Σ_j [wBCE(S_j, G_j) + pixel IoU(S_j, G_j)] + η·Σ_j consistency, every scale with weight 1.
    loss = "paper":    Σ_j 4^j·wBCE(S_j, G_j) + η·Σ_j consistency, no IoU term. η = 1e-4 in both.
    loss = "region":   Σ_j [ΣwBCE(S_j, G_j) / Σw + region IoU(S_j, G_j)] + η·Σ_j consistency: F³Net's losses at every scale, not
                       published for this network; few steps from scratch get further with it.
    G_0 is the mask and G_j = REDUCE(G_{j−1}); a pyramid that ends at S_k has the terms of k and above.
    S_j and G_j are enlarged to the mask's size by nearest before they are compared.
    """

    losses = ("released", "paper", "region")

    def __init__(self, loss: str = "released", eta: float = 1e-4):
        super().__init__()
        if loss not in self.losses:
            raise ValueError(f"loss is {', '.join(self.losses)}, not {loss!r}")
        self.loss, self.eta, self.fast = loss, eta, True
        self.pyramid = ImagePyramid()

    def forward(self, out: SaliencyPyramid, mask: Tensor) -> dict[str, Tensor]:
        """Pyramid and mask (B, 1, H, W) in 0…1 → scalars bce, iou (not of paper), consistency and total."""
        with torch.autocast(mask.device.type, enabled=False):
            wide = torch.float64 if out.logits.dtype == torch.float64 else torch.float32
            saliency = [s.to(wide) for s in reversed(out.saliency)]  # S0 … S3
            return self._losses(saliency, mask.to(wide))

    def _losses(self, saliency: list[Tensor], mask: Tensor) -> dict[str, Tensor]:
        size = mask.shape[-2:]
        zero = mask.new_zeros(())
        parts = {"bce": zero, "iou": zero, "consistency": zero}
        finest = round(math.log2(size[-1] / saliency[0].shape[-1]))  # 0 unless the pyramid ends at a coarser stage
        for _ in range(finest):
            mask = self.pyramid.reduce(mask)
        for j, logits in enumerate(saliency, start=finest):
            if j > finest:
                mask = self.pyramid.reduce(mask)
                fine = self.pyramid.reduce(saliency[j - finest - 1])
                parts["consistency"] = parts["consistency"] + consistency(fine, logits)
            bce, iou = self._scale(logits, mask, size)
            parts["bce"] = parts["bce"] + (4**j if self.loss == "paper" else 1) * bce
            parts["iou"] = parts["iou"] + iou
        if self.loss == "paper":
            del parts["iou"]
        parts["total"] = parts["bce"] + parts.get("iou", 0) + self.eta * parts["consistency"]
        return parts

    def _scale(self, logits: Tensor, mask: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """Weighted BCE and IoU of one scale, both at the full size, means over the batch."""
        logits, mask = (F.interpolate(x, size=size, mode="nearest") for x in (logits, mask))
        weight = boundary_weight(mask, fast=self.fast)
        bce = weighted_bce(logits, mask, weight)
        if self.loss == "region":
            return (bce.sum(dim=(2, 3)) / weight.sum(dim=(2, 3))).mean(), region_iou(logits, mask, weight).mean()
        return bce.mean(), pixel_iou(logits, mask).mean()


CRITERIA: dict[str, type[nn.Module]] = {
    "InSPyReNet": PyramidCriterion,
    "BiRefNet": BiRefNetCriterion,
    "PSPNet": PSPNetCriterion,
}


def build_criterion(name: str, loss: str = "released", **arguments) -> nn.Module:
    """The criterion of a model or of its family: build_criterion("InSPyReNet") and ("InSPyReNet_SwinB") are the same.

    arguments: whatever else the family's criterion takes. A criterion may have set_epoch(epoch, epochs), to be called at
    the start of every epoch (from 0) with the number of epochs of the whole run.
    """
    return _criterion(name)(loss, **arguments)


def criterion_choices(name: str) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """(losses, further arguments, what it can be given of a batch beside the mask) of a model's or family's criterion."""
    criterion = _criterion(name)
    arguments = tuple(inspect.signature(criterion).parameters)[1:]  # the first one is the loss
    return criterion.losses, arguments, tuple(inspect.signature(criterion.forward).parameters)[3:]


def _criterion(name: str) -> type[nn.Module]:
    family = name.split("_")[0]
    if family not in CRITERIA:
        raise ValueError(f"no criterion for {name!r} (known: {', '.join(CRITERIA)})")
    return CRITERIA[family]
