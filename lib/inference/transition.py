"""Where a saliency map changes: the only places in which pyramid blending lets high-resolution detail in."""

import functools

import cv2
import torch
from torch import Tensor
from torch.nn import functional as F

from ..fast.purpose import for_export
from ..modules.conv import resize
from ..types import Size

STAGE_SIZES = {2: 5, 1: 9, 0: 17}  # diameter in pixels of the coarser map S_{j+1}


@functools.lru_cache
def ellipse_half_widths(size: int) -> tuple[int, ...]:
    """For each row of OpenCV's elliptical structuring element, how far it reaches to either side."""
    element = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    return tuple((int(row.sum()) - 1) // 2 for row in element)


def dilate_ellipse(x: Tensor, size: int) -> Tensor:
    """Gray dilation of (B, C, h, w) by an ellipse; pixels outside the image do not take part.

    Exact on every device: one horizontal max-pool per distinct row width of the ellipse, then a maximum over shifted rows.
    """
    widths, radius = ellipse_half_widths(size), size // 2
    padded = F.pad(x, (0, 0, radius, radius), value=float("-inf"))  # rows above and below
    pooled = {w: F.max_pool2d(padded, (1, 2 * w + 1), stride=1, padding=(0, w)) for w in set(widths)}
    height = x.shape[-2]
    rows = [pooled[w][..., i : i + height, :] for i, w in enumerate(widths)]
    return functools.reduce(torch.maximum, rows)


def dilate_minus_erode(x: Tensor, size: int) -> Tensor:
    """dilate(x) − erode(x) with the elliptical element of this diameter, (B, C, h, w)."""
    if for_export():  # whose cost is the number of operations
        return dilate_minus_erode_by_rectangles(x, size)
    return dilate_ellipse(x, size) + dilate_ellipse(-x, size)


def dilate_minus_erode_by_rectangles(x: Tensor, size: int) -> Tensor:
    """The same in a third of the operations and three times the time: an ellipse is the union of its inscribed rectangles."""
    height: dict[int, int] = {}  # half-width → half-height of the rectangle
    for row, width in enumerate(ellipse_half_widths(size)):
        height[width] = max(height.get(width, 0), abs(row - size // 2))
    both = torch.cat([x, -x], dim=1)
    pooled = [
        F.max_pool2d(F.max_pool2d(both, (2 * h + 1, 1), 1, (h, 0)), (1, 2 * w + 1), 1, (0, w))
        for w, h in height.items()
    ]
    dilated, eroded = functools.reduce(torch.maximum, pooled).chunk(2, dim=1)
    return dilated + eroded


def transition(logits: Tensor, stage: int) -> Tensor:
    """1 where σ(S) changes by more than a half within the element of this stage, else 0; same shape as `logits`."""
    p = logits.float().sigmoid() if logits.dtype != torch.float64 else logits.sigmoid()
    return (dilate_minus_erode(p, STAGE_SIZES[stage]) > 0.5).to(logits.dtype)


def transition_at(logits: Tensor, stage: int, size: Size) -> Tensor:
    """The transition of S_{j+1}, resized to the size of stage j; its edges become soft."""
    return resize(transition(logits, stage), size)
