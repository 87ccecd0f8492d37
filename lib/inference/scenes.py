"""Class probabilities of a scene as PSPNet is tested: scaled copies, windows that overlap, mirror images."""

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..modules.conv import resize
from ..sizes import size_rule
from ..types import Size

STEP = (2, 3)  # of a window, rounded up: the next one overlaps it by a third


@torch.no_grad()
def scene_probabilities(
    model: nn.Module,
    image: Tensor,
    scales: Sequence[float] = (1.0,),
    flip: bool = False,
    crop: Size | None = None,
) -> Tensor:
    """Mean class probabilities (B, classes, H, W) over scaled and mirrored copies of `image` (B, 3, H, W), in float32.

    Probabilities are averaged, not scores. With `crop` (height, width), each copy is seen through windows of that size, which
    overlap by a third; else as a whole, at the nearest size that the model takes. Call in eval mode. Raises ValueError
    without a scale.
    """
    if not scales:
        raise ValueError("give at least one scale")
    fit = size_rule(model).nearest
    size, total = image.shape[-2:], image.new_zeros((), dtype=torch.float32)
    for scale in scales:
        wanted = (scale * size[0], scale * size[1])
        if crop is None:
            p = _softmax(model, resize(image, fit(wanted), align_corners=True), flip)
        else:
            sides = (max(1, round(wanted[0])), max(1, round(wanted[1])))
            p = _through_windows(model, resize(image, sides, align_corners=True), flip, crop)
        total = total + resize(p, size, align_corners=True)
    return total / len(scales)


def _softmax(model: nn.Module, image: Tensor, flip: bool) -> Tensor:
    p = model(image).logits.float().softmax(dim=1)
    return (p + model(image.flip(-1)).logits.float().softmax(dim=1).flip(-1)) / 2 if flip else p


def _through_windows(model: nn.Module, image: Tensor, flip: bool, crop: Size) -> Tensor:
    """Probabilities (B, classes, h, w): the mean of all windows that see a pixel. Small images are padded with the mean color."""
    height, width = image.shape[-2:]
    below, beside = max(0, crop[0] - height), max(0, crop[1] - width)
    top, left = below // 2, beside // 2
    image = F.pad(image, (left, beside - left, top, below - top))  # 0 is the mean color of a normalized image
    total, count = None, image.new_zeros(image.shape[-2:], dtype=torch.float32)
    for rows, columns in windows(image.shape[-2:], crop):
        p = _softmax(model, image[..., rows, columns], flip)
        if total is None:
            total = p.new_zeros(*p.shape[:2], *image.shape[-2:])
        total[..., rows, columns] += p
        count[rows, columns] += 1
    assert total is not None  # there is one window at least
    return (total / count)[..., top : top + height, left : left + width]


def windows(size: Size, crop: Size) -> Iterator[tuple[slice, slice]]:
    """(rows, columns) of windows over a (height, width) that is no smaller than `crop`; the last ones end at its border."""
    for top in _starts(size[0], crop[0]):
        for left in _starts(size[1], crop[1]):
            yield slice(top, top + crop[0]), slice(left, left + crop[1])


def _starts(length: int, window: int) -> list[int]:
    stride = math.ceil(window * STEP[0] / STEP[1])
    count = math.ceil((length - window) / stride) + 1
    return [min(i * stride, length - window) for i in range(count)]
