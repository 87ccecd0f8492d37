"""Loss terms of BiRefNet as pure functions; call them outside autocast, in float32 or float64: sums overflow in half.

p are probabilities (B, 1, H, W), mask the ground truth in 0…1 (soft values allowed); every function returns a scalar.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from .terms import ssim as ssim  # chosen by its name, like all terms here


def bce(logits: Tensor, mask: Tensor) -> Tensor:
    """Mean binary cross-entropy of logits; differentiable with respect to `mask` as well."""
    return (F.softplus(logits) - logits * mask).mean()


def iou(p: Tensor, mask: Tensor, reduction: str = "sum") -> Tensor:
    """1 − |p∧mask| / |p∨mask| per image, over whole images; "sum" over the batch as published, or "mean"."""
    both = (p * mask).sum(dim=(1, 2, 3))
    either = (p + mask).sum(dim=(1, 2, 3)) - both
    tiny = torch.finfo(p.dtype).tiny  # 0 / 0, nothing there and nothing found, is a loss of 0
    loss = 1 - (both + tiny) / (either + tiny)
    return loss.sum() if reduction == "sum" else loss.mean()


def mae(p: Tensor, mask: Tensor) -> Tensor:
    """Mean |p − mask|."""
    return (p - mask).abs().mean()


def mse(p: Tensor, mask: Tensor) -> Tensor:
    """Mean (p − mask)²."""
    return ((p - mask) ** 2).mean()


def contour(p: Tensor, mask: Tensor) -> Tensor:
    """10·mean length of the boundary, plus what is wrong inside and outside; on the (H−2)×(W−2) grid."""
    rows = p[:, :, 1:, :] - p[:, :, :-1, :]
    columns = p[:, :, :, 1:] - p[:, :, :, :-1]
    length = (rows[:, :, 1:, :-2] ** 2 + columns[:, :, :-2, 1:] ** 2 + 1e-8).sqrt()
    return 10 * length.mean() + (p * (mask - 1) ** 2).mean() + ((1 - p) * mask**2).mean()


def structure(logits: Tensor, mask: Tensor) -> Tensor:
    """Boundary-weighted BCE plus boundary-weighted IoU of logits, each divided by its weights (F³Net), mean over the batch."""
    weight = 1 + 5 * (F.avg_pool2d(mask, 31, stride=1, padding=15) - mask).abs()
    entropy = F.binary_cross_entropy_with_logits(logits, mask, reduction="none")
    total = weight.sum(dim=(2, 3))
    entropy = (weight * entropy).sum(dim=(2, 3)) / total
    p = logits.sigmoid()
    both, either = (p * mask * weight).sum(dim=(2, 3)), ((p + mask) * weight).sum(dim=(2, 3))
    return (entropy + 1 - (both + 1) / (either - both + 1)).mean()


def gradient(predicted: Tensor, edges: Tensor, side: Tensor) -> Tensor:
    """Outward reference of one stage: BCE of the predicted gradient (logits) against σ(edges · side logits).

    edges (B, 1, H, W); predicted and side are enlarged to its size. The target is not detached: it teaches the side map too.
    """
    size = edges.shape[-2:]
    predicted, side = (F.interpolate(x, size=size, mode="bilinear", align_corners=True) for x in (predicted, side))
    return bce(predicted, (edges * side).sigmoid())
