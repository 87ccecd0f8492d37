"""The criterion of PSPNet: one loss on the main map and 0.4 times the same on the auxiliary map."""

import functools
import operator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..models.pspnet import PSPNetOutput
from . import terms_birefnet

LOSSES = ("released", "bce", "ce", "region")


class PSPNetCriterion(nn.Module):
    """Main loss + aux_weight · auxiliary loss (PSPNet §3.3).

    loss: "bce", binary cross-entropy with the mask as it is, soft values too; "ce", with the mask made hard at 0.5, which
    is the published two-class cross-entropy (a softmax over two scores is the sigmoid of their difference); "region",
    30·BCE + 0.5·IoU + 10·SSIM, as BiRefNet has it, for comparisons with equal losses. "released" is "bce".
    """

    losses = LOSSES
    terms = ()

    def __init__(self, loss: str = "released", aux_weight: float = 0.4):
        super().__init__()
        if loss not in LOSSES:
            raise ValueError(f"loss of PSPNet is {', '.join(LOSSES)}, not {loss!r}")
        self.loss, self.aux_weight = loss, aux_weight

    def forward(self, out: PSPNetOutput, mask: Tensor, valid: Tensor | None = None) -> dict[str, Tensor]:
        """Output and mask (B, 1, H, W) in 0…1 → main, aux (in training) and total.

        valid: (B, 1, H, W), 1 where the mask counts and 0 in padding; None: everywhere. Means are over valid pixels.
        """
        with torch.autocast(mask.device.type, enabled=False):
            wide = torch.float64 if out.logits.dtype == torch.float64 else torch.float32
            mask = mask.to(wide)
            mask = (mask > 0.5).to(wide) if self.loss == "ce" else mask.clamp(0, 1)
            valid = torch.ones_like(mask) if valid is None else valid.to(wide)
            *aux, main = (self._loss(logits.to(wide), mask, valid) for logits in out.saliency)
        parts = {"main": main, **({"aux": self.aux_weight * aux[0]} if aux else {})}
        parts["total"] = functools.reduce(operator.add, parts.values())
        return parts

    def _loss(self, logits: Tensor, mask: Tensor, valid: Tensor) -> Tensor:
        entropy = F.binary_cross_entropy_with_logits(logits, mask, reduction="none")
        entropy = (entropy * valid).sum() / valid.sum().clamp(min=1)
        if self.loss != "region":
            return entropy
        p, mask = logits.sigmoid() * valid, mask * valid
        return 30 * entropy + 0.5 * terms_birefnet.iou(p, mask) + 10 * terms_birefnet.ssim(p, mask)
