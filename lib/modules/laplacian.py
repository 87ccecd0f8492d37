"""The Laplacian of an image: where its gray values change."""

import torch
from torch import Tensor
from torch.nn import functional as F


def laplacian(x: Tensor, size: int = 5) -> Tensor:
    """(B, 1, H, W) → same: mean of the size² − 1 neighbors minus the center, halved; borders reflected.

    The kernel is all ones with 1 − size² in the center, divided by the sum of its absolute values.
    """
    kernel = torch.ones(1, 1, size, size, dtype=x.dtype, device=x.device)
    kernel[..., size // 2, size // 2] = 1 - size**2
    kernel = kernel / (2 * (size**2 - 1))
    return F.conv2d(F.pad(x, (size // 2,) * 4, mode="reflect"), kernel)
