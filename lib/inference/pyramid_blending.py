"""Pyramid blending: high-resolution detail where the low-resolution prediction is in transition (InSPyReNet §3.4)."""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from ..fast.inspyrenet import coarse_pyramid, finest_detail
from ..modules.conv import resize
from ..types import Pyramid, PyramidNetwork, SaliencyPyramid, Size
from .transition import transition_at


def predict(
    model: nn.Module,
    image: Tensor,
    resized: Tensor | None = None,
    threshold: int | None = None,
    alignment: str = "as_trained",
    coarse: Tensor | None = None,
) -> SaliencyPyramid:
    """One image (or a batch of one size) → its saliency pyramid, blended where the rule says so.

    image: (B, 3, H, W). resized: the same image at the model's base size (B, 3, *base_size); made from `image` if absent.
    threshold: None → one pass on `image`. Else, if H ≤ threshold or W ≤ threshold, one pass on `resized`; larger images
    get both passes, blended. alignment: "as_trained" puts the low-resolution map where published results have it, up to
    3.5 px up and left of the image; "corrected" puts it where the image is. coarse: logits in place of the S3 of an InSPyReNet,
    (B, 1, ·/8, ·/8) of the image, or of `resized` where there is a threshold; NaN where its own is kept.
    """
    if alignment not in ALIGNMENTS:
        raise ValueError(f"alignment is {' or '.join(ALIGNMENTS)}, not {alignment!r}")
    words = {} if coarse is None else {"coarse": coarse}  # other families take the image alone
    if threshold is None:
        return model(image, **words)
    network = cast(PyramidNetwork, model)
    if resized is None:
        resized = base_copy(network, image)
    if min(image.shape[-2:]) <= threshold:
        return model(resized, **words)
    low = model(resized, **words)
    return blend(network, low, image, alignment)


def base_copy(model: PyramidNetwork, image: Tensor) -> Tensor:
    """The image at the model's base size, (B, 3, *base_size), antialiased like the resize of the data pipeline."""
    return torch.nn.functional.interpolate(
        image, size=model.base_size, mode="bilinear", align_corners=False, antialias=True
    )


def blend(model: PyramidNetwork, low: SaliencyPyramid, image: Tensor, alignment: str) -> SaliencyPyramid:
    """Blend the pyramid of the base-size copy with a pass on the full image."""
    if getattr(model, "finest_stage", 0):
        raise ValueError(f"blending needs all stages, and finest_stage is {model.finest_stage}: set threshold to null")
    if model.uses_tiles(image.shape[-2:]):
        return blend_tiled(model, low, image, alignment)
    high = model(image)
    s3 = ALIGNMENTS[alignment](low.logits, high.saliency[0].shape[-2:])
    return add_details(model.pyramid, s3, high.laplacian)


def blend_tiled(model: PyramidNetwork, low: SaliencyPyramid, image: Tensor, alignment: str) -> SaliencyPyramid:
    """The same pyramid, with the finest stage computed only where the blended map is in transition.

    U0 is multiplied by the transition of the blended S1, so the blend is finished down to S1 first. What stage 0 attends
    to still comes from the high-resolution pass's own S1 and U1.
    """
    size = image.shape[-2:]
    high_s3, _, high_u2, high_s1, high_u1, f1 = coarse_pyramid(model, image)
    s3 = ALIGNMENTS[alignment](low.logits, high_s3.shape[-2:])
    s2, u2 = add_detail(model.pyramid, s3, high_u2, 2)
    s1, u1 = add_detail(model.pyramid, s2, high_u1, 1)
    mask = transition_at(s1, 0, size)
    u0 = finest_detail(model, size, f1, high_s1, high_u1, mask).mul_(mask)
    return SaliencyPyramid((s3, s2, s1, model.pyramid.reconstruct(s1, u0)), (u2, u1, u0))


def add_details(pyramid: Pyramid, s3: Tensor, details: Sequence[Tensor]) -> SaliencyPyramid:
    """S3 and the U2, U1, U0 of a high-resolution pass → the blended pyramid."""
    saliency, laplacian = [s3], []
    for stage, detail in zip((2, 1, 0), details, strict=True):
        s, u = add_detail(pyramid, saliency[-1], detail, stage)
        saliency.append(s)
        laplacian.append(u)
    return SaliencyPyramid(tuple(saliency), tuple(laplacian))


def add_detail(pyramid: Pyramid, coarse: Tensor, detail: Tensor, stage: int) -> tuple[Tensor, Tensor]:
    """S_{j+1} and the detail U_j of a high-resolution pass → S_j and the part of U_j that counts."""
    detail = transition_at(coarse, stage, detail.shape[-2:]) * detail
    return pyramid.reconstruct(coarse, detail), detail


def shrink_as_trained(logits: Tensor, size: Size) -> Tensor:
    """Half-pixel-centered resize of S0 (low resolution) to the size of S3 (high resolution)."""
    return resize(logits, size)


def shrink_corrected(logits: Tensor, size: Size) -> Tensor:
    """Sample where REDUCE would have left sample (i, j): pixel (8i, 8j) of the image; (B, 1, h, w) → (B, 1, *size).

    Equals resize(logits, (8·size))[..., ::8, ::8] without making the large map.
    """
    for dim, length in ((-2, size[0]), (-1, size[1])):
        logits = _sample_line(logits, length, dim)
    return logits


def _sample_line(x: Tensor, length: int, dim: int) -> Tensor:
    """Linear samples at (8i + 0.5)·n / (8·length) − 0.5, clamped at the border, along one dimension."""
    n = x.shape[dim]
    i = torch.arange(length, device=x.device, dtype=torch.float64)
    position = ((8 * i + 0.5) * n / (8 * length) - 0.5).clamp(0, n - 1)
    low = position.floor().long()
    high = (low + 1).clamp(max=n - 1)
    fraction = (position - low).to(x.dtype)
    if dim == -2:
        fraction = fraction[:, None]
    return x.index_select(dim, low) * (1 - fraction) + x.index_select(dim, high) * fraction


ALIGNMENTS = {"as_trained": shrink_as_trained, "corrected": shrink_corrected}
