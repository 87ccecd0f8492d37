"""Loss terms as pure functions of logits and masks; all return one value per pixel, (B, 1, H, W), or a scalar where they say so.

Logits are (B, 1, H, W); masks, probabilities p and what comes of them are (B, 1, H, W) in 0..1; weights (B, 1, H, W), 1 or more.
Call them outside autocast, with float32 (or float64) inputs: sums over a map overflow in half precision.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

FLAT = 1e-3  # a mask that differs from its mean in a window by less than this has no edge there


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


def ssim(p: Tensor, mask: Tensor, window: int = 11, sigma: float = 1.5) -> Tensor:
    """(1 − SSIM) / 2, mean over pixels: a scalar in 0..1. Gaussian window, zeros around the map, C1 = 0.01², C2 = 0.03²."""
    x = torch.arange(window, dtype=torch.float64) - window // 2
    tap = torch.exp(-(x**2) / (2 * sigma**2))
    tap = (tap / tap.sum()).to(p)

    def blur(z: Tensor) -> Tensor:
        z = F.conv2d(z, tap.view(1, 1, -1, 1), padding=(window // 2, 0))
        return F.conv2d(z, tap.view(1, 1, 1, -1), padding=(0, window // 2))

    mean_p, mean_m = blur(p), blur(mask)
    var_p, var_m = blur(p * p) - mean_p**2, blur(mask * mask) - mean_m**2
    covariance = blur(p * mask) - mean_p * mean_m
    c1, c2 = 0.01**2, 0.03**2
    similarity = (2 * mean_p * mean_m + c1) * (2 * covariance + c2)
    similarity = similarity / ((mean_p**2 + mean_m**2 + c1) * (var_p + var_m + c2))
    return ((1 - similarity) / 2).mean()


def undecided(logits: Tensor, weight: Tensor) -> Tensor:
    """Mean of 4·p·(1 − p) where the boundary weight is 1, that is away from every edge; a scalar, 0 without such pixels.

    1 where p = ½ and 0 where the map is certain: what remains visible there is a veil over the background, or a hole.
    """
    p, far = logits.sigmoid(), (weight - 1 < FLAT).to(logits.dtype)
    return (4 * p * (1 - p) * far).sum() / far.sum().clamp(min=1)


def edge_bce(logits: Tensor, mask: Tensor, reach: int = 2) -> Tensor:
    """Mean binary cross-entropy of the pixels that are at most `reach` away from an edge of the mask; a scalar, 0 without any.

    What mBA looks at (Cheng et al., CascadePSP, 2020), while a window of 31 pixels also asks for what is far inside an object.
    """
    window = 2 * reach + 1
    mean = F.avg_pool2d(mask, window, stride=1, padding=reach, count_include_pad=False)  # the image's border is no edge
    near = ((mean - mask).abs() > FLAT).to(logits.dtype)
    bce = F.binary_cross_entropy_with_logits(logits, mask, reduction="none")
    return (bce * near).sum() / near.sum().clamp(min=1)
