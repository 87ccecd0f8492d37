"""The mean of several looks at an image: scaled and mirrored copies, as PSPNet is tested."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..modules.conv import resize
from ..sizes import size_rule
from ..types import SaliencyPyramid


@torch.no_grad()
def predict_averaged(model: nn.Module, image: Tensor, scales: Sequence[float] = (1.0,), flip: bool = True) -> Tensor:
    """Mean probability (B, 1, H, W) over scaled and mirrored copies of `image` (B, 3, H, W); of probabilities, not logits.

    Each scale shows the whole image at the size nearest to scale·(H, W) that the model takes. Call in eval mode. Raises
    ValueError without a scale.
    """
    if not scales:
        raise ValueError("give at least one scale")
    fit = size_rule(model).nearest
    size, total = image.shape[-2:], image.new_zeros(())
    for scale in scales:
        copy = resize(image, fit((scale * size[0], scale * size[1])), align_corners=True)
        p = model(copy).logits.float().sigmoid()
        if flip:
            p = (p + model(copy.flip(-1)).logits.float().sigmoid().flip(-1)) / 2
        total = total + resize(p, size, align_corners=True)
    return total / len(scales)


def flip_average(out: SaliencyPyramid, mirrored: SaliencyPyramid) -> SaliencyPyramid:
    """Outputs for images and for their mirror images → the mean at every level: of probabilities, as logits; of details as such."""
    saliency = tuple(
        ((a.float().sigmoid() + b.float().sigmoid().flip(-1)) / 2).logit(eps=1e-6)
        for a, b in zip(out.saliency, mirrored.saliency, strict=True)
    )
    details = tuple((a + b.flip(-1)) / 2 for a, b in zip(out.laplacian, mirrored.laplacian, strict=True))
    return SaliencyPyramid(saliency, details)
