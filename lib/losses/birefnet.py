"""The criterion of BiRefNet: pixel, region and structure losses on four maps, and the gradient loss of outward reference."""

import functools
import operator
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..models.birefnet import BiRefNetOutput
from . import terms_birefnet


@dataclass(frozen=True)
class Recipe:
    """Weights of the loss terms, and the region-loss fine-tuning at the end: `finetune` epochs of a run of `epochs`.

    decay: factors by which weights are multiplied anew in every epoch of that phase; terms without one stay.
    """

    weights: Mapping[str, float]
    finetune: int
    epochs: int
    decay: Mapping[str, float]


PAPER = {"bce": 30.0, "iou": 0.5, "ssim": 10.0}
REGION_DECAY = {"bce": 0.0, "iou": 0.5, "mae": 0.9}
MATTING_DECAY = {"ssim": 0.9, "mse": 0.9}
RECIPES: dict[str, Recipe] = {
    "released": Recipe(PAPER, 40, 500, REGION_DECAY),
    "DIS5K": Recipe(PAPER, 40, 500, REGION_DECAY),
    "COD": Recipe(PAPER, 20, 150, REGION_DECAY),
    "HRSOD": Recipe(PAPER, 20, 150, REGION_DECAY),
    "General": Recipe({**PAPER, "mae": 100.0}, 20, 200, REGION_DECAY),
    "General-2K": Recipe({**PAPER, "mae": 100.0}, 20, 250, REGION_DECAY),
    "Matting": Recipe({"bce": 30.0, "ssim": 10.0, "mae": 100.0}, 10, 150, MATTING_DECAY),
}
TERMS = ("bce", "iou", "ssim", "mae", "mse", "contour", "structure")


def finetune_length(recipe: Recipe, epochs: int) -> int:
    """Epochs of the fine-tuning phase in a run of `epochs`: the published number, in shorter runs the published share."""
    return min(recipe.finetune, recipe.finetune * epochs // recipe.epochs)


def loss_weights(recipe: Recipe, epoch: int, epochs: int, finetune: int | None = None) -> dict[str, float]:
    """The weight of every term in `epoch` (from 0) of a run of `epochs`; depends on nothing else, so resuming is exact.

    finetune: length of the last phase; None: `finetune_length`. In its j-th epoch a weight is decay^j of itself. As published
    the region losses take over: bce is 0, iou halves and mae loses a tenth every time; for matting ssim and mse lose a tenth.
    """
    finetune = finetune_length(recipe, epochs) if finetune is None else finetune
    j = max(0, epoch - (epochs - finetune) + 1)
    return {name: weight * recipe.decay.get(name, 1.0) ** j for name, weight in recipe.weights.items()}


class BiRefNetCriterion(nn.Module):
    """Losses of BiRefNet (paper §3.4): on m4, m3, m2 and the final map, each enlarged to the mask's size, with equal weight.

    loss: a key of RECIPES; "released" is the paper's, 30·BCE + 0.5·IoU + 10·SSIM, General and Matting add 100·MAE.
    weights: by names of TERMS, on top of the recipe's; 0 switches a term off. finetune: epochs of the region-loss phase at
    the end of training, None for the recipe's own; decay: on top of the recipe's, see `loss_weights`. gradient and
    classification: weights of these losses, 0 switches them off. iou_reduction: "sum" over the batch, as published, which
    ties its weight to the batch size, or "mean".
    """

    losses = tuple(RECIPES)
    terms = TERMS

    def __init__(
        self,
        loss: str = "released",
        finetune: int | None = None,
        gradient: float = 1.0,
        classification: float = 5.0,
        iou_reduction: str = "sum",
        weights: Mapping[str, float] | None = None,
        decay: Mapping[str, float] | None = None,
    ):
        super().__init__()
        if loss not in RECIPES:
            raise ValueError(f"loss of BiRefNet is {', '.join(RECIPES)}, not {loss!r}")
        if iou_reduction not in ("sum", "mean"):
            raise ValueError(f"iou_reduction is sum or mean, not {iou_reduction!r}")
        unknown = {*(weights or ()), *(decay or ())} - set(TERMS)
        if unknown:
            raise ValueError(f"unknown loss term {sorted(unknown)[0]!r}; known: {', '.join(TERMS)}")
        recipe = RECIPES[loss]
        chosen = {name: weight for name, weight in {**recipe.weights, **(weights or {})}.items() if weight}
        if not chosen:
            raise ValueError("every loss term has the weight 0: nothing would be learned")
        self.recipe = Recipe(chosen, recipe.finetune, recipe.epochs, {**recipe.decay, **(decay or {})})
        if finetune != 0 and not any(self.recipe.decay.get(name, 1.0) for name in chosen):
            raise ValueError(f"the last phase would have no loss: {', '.join(chosen)} decay to 0; set finetune to 0")
        self.finetune, self.iou_reduction = finetune, iou_reduction
        self.gradient, self.classification = gradient, classification
        self.weights = dict(self.recipe.weights)

    def set_epoch(self, epoch: int, epochs: int) -> None:
        """Take the weights of `epoch` (from 0) of a run of `epochs`; without a call they stay the recipe's."""
        self.weights = loss_weights(self.recipe, epoch, epochs, self.finetune)

    def idle(self, labeled: bool) -> tuple[str, ...]:
        """How the names of the network's parameters begin that have no loss, with or without class numbers of the images."""
        gradient = () if self.gradient else ("decoder.gdt_convs_pred_",)
        return gradient if self.classification and labeled else (*gradient, "cls_head.")

    def forward(self, out: BiRefNetOutput, mask: Tensor, label: Tensor | None = None) -> dict[str, Tensor]:
        """Output and mask (B, 1, H, W) in 0…1 → weighted losses by name, and their sum as total.

        label: class numbers (B,), for a model with classes; without them the class head gets no loss.
        """
        with torch.autocast(mask.device.type, enabled=False):
            wide = torch.float64 if out.logits.dtype == torch.float64 else torch.float32
            parts = self._pixel([s.to(wide) for s in out.saliency], mask.to(wide).clamp(0, 1))
            if self.gradient and out.gradient:
                sides = out.saliency[:-1][-len(out.gradient) :]
                pairs = zip(out.gradient, sides, strict=True)
                edges = out.edges.to(wide)
                gradients = [terms_birefnet.gradient(g.to(wide), edges, s.to(wide)) for g, s in pairs]
                parts["gradient"] = self.gradient * functools.reduce(operator.add, gradients)
            if self.classification and label is not None and out.classes is not None:
                parts["class"] = self.classification * F.cross_entropy(out.classes.to(wide), label)
        parts["total"] = functools.reduce(operator.add, parts.values())
        return parts

    def _pixel(self, saliency: list[Tensor], mask: Tensor) -> dict[str, Tensor]:
        """Every term that has a weight, summed over the maps."""
        parts = {name: mask.new_zeros(()) for name in self.weights}
        for logits in saliency:
            logits = F.interpolate(logits, size=mask.shape[-2:], mode="bilinear", align_corners=True)
            p = logits.sigmoid()
            for name, weight in self.weights.items():
                if weight:
                    parts[name] = parts[name] + weight * self._term(name, logits, p, mask)
        return parts

    def _term(self, name: str, logits: Tensor, p: Tensor, mask: Tensor) -> Tensor:
        if name in ("bce", "structure"):
            return getattr(terms_birefnet, name)(logits, mask)
        if name == "iou":
            return terms_birefnet.iou(p, mask, self.iou_reduction)
        return getattr(terms_birefnet, name)(p, mask)
