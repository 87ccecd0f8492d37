"""The criterion of scene parsing: cross-entropy of the main and the auxiliary scores, without the pixels that are ignored."""

import functools
import operator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..models.pspnet import SceneOutput

LOSSES = ("released", "cross_entropy")


class SceneCriterion(nn.Module):
    """Cross-entropy + aux_weight · auxiliary cross-entropy (PSPNet §3.3), each the mean over the pixels that count.

    Pixels labeled ignore_label do not count. A batch in which no pixel counts has the loss 0 and no gradient.
    "released" is "cross_entropy", the only loss.
    """

    losses = LOSSES
    terms = ()

    def __init__(self, loss: str = "released", aux_weight: float = 0.4, ignore_label: int = 255):
        super().__init__()
        if loss not in LOSSES:
            raise ValueError(f"the loss of scene parsing is {', '.join(LOSSES)}, not {loss!r}")
        self.aux_weight, self.ignore_label = aux_weight, ignore_label

    def forward(self, out: SceneOutput, mask: Tensor) -> dict[str, Tensor]:
        """Output and label map (B, 1, H, W), integers → main, aux (in training) and total."""
        with torch.autocast(mask.device.type, enabled=False):
            target = mask[:, 0].long()
            count = (target != self.ignore_label).sum().clamp(min=1)
            *aux, main = (self._sum(scores, target) / count for scores in out.scores)
        parts = {"main": main, **({"aux": self.aux_weight * aux[0]} if aux else {})}
        parts["total"] = functools.reduce(operator.add, parts.values())
        return parts

    def _sum(self, scores: Tensor, target: Tensor) -> Tensor:
        wide = scores if scores.dtype == torch.float64 else scores.float()
        return F.cross_entropy(wide, target, ignore_index=self.ignore_label, reduction="sum")
