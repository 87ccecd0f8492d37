"""Loss terms as pure functions of logits and masks; all return one value per pixel, (B, 1, H, W), or a scalar where they say so.

Call them outside autocast, with float32 (or float64) inputs: sums over a map overflow in half precision.
"""

from torch import Tensor
from torch.nn import functional as F


def boundary_weight(mask: Tensor, size: int = 31, gain: float = 5.0, fast: bool = True) -> Tensor:
    """1 + gain·|avgpool(mask) − mask|: heavy where a pixel differs from its surroundings (F³Net; padding counts as 0).

    fast takes the average as two one-dimensional convolutions: the same mean in 62 additions a pixel instead of 961.
    """
    half = size // 2
    if fast:
        line = mask.new_full((1, 1, size, 1), 1 / size)
        mean = F.conv2d(F.conv2d(mask, line, padding=(half, 0)), line.transpose(2, 3), padding=(0, half))
    else:
        mean = F.avg_pool2d(mask, size, stride=1, padding=half)
    return 1 + gain * (mean - mask).abs()


def weighted_bce(logits: Tensor, mask: Tensor, weight: Tensor | None = None) -> Tensor:
    """Binary cross-entropy times the boundary weight; its mean is not divided by the sum of weights (as released)."""
    weight = boundary_weight(mask) if weight is None else weight
    return weight * F.binary_cross_entropy_with_logits(logits, mask, reduction="none")


def pixel_iou(logits: Tensor, mask: Tensor) -> Tensor:
    """1 − (p·g + 1) / (p + g − p·g + 1) at every pixel: not the IoU of a region, but what the released code adds."""
    p = logits.sigmoid()
    both = p * mask
    return 1 - (both + 1) / (p + mask - both + 1)


def region_iou(logits: Tensor, mask: Tensor, weight: Tensor) -> Tensor:
    """1 − (Σw·p·g + 1) / (Σw·(p + g − p·g) + 1) of each image, (B, 1, 1, 1): how far regions agree (F³Net's wIoU)."""
    p = logits.sigmoid()
    both = (weight * p * mask).sum(dim=(2, 3), keepdim=True)
    either = (weight * (p + mask)).sum(dim=(2, 3), keepdim=True) - both
    return 1 - (both + 1) / (either + 1)


def consistency(fine_reduced: Tensor, coarse: Tensor) -> Tensor:
    """Pyramidal consistency of one stage, a scalar: mean |S_j − REDUCE(S_{j−1})|, the target without gradient."""
    return (coarse - fine_reduced.detach()).abs().mean()
