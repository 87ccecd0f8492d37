"""Patch merging: a large image as overlapping patches of the training size, merged level by level.

Every level of the pyramid is averaged over the patches with a smooth window and the image is reconstructed once, so that
no seam can show and memory is bounded by a batch of patches and one pyramid, whatever the size of the image.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from ..modules.conv import wide
from ..types import SaliencyPyramid, check_size
from .blending import ALIGNMENTS, add_detail, base_copy


def predict_patches(
    model: nn.Module,
    image: Tensor,
    resized: Tensor | None = None,
    overlap: int = 2,
    batch: int = 1,
    alignment: str = "as_trained",
) -> SaliencyPyramid:
    """One image (1, 3, H, W), sides multiples of 32 → its pyramid, merged from patches of model.base_size.

    resized: the image at the base size, which gives S3; made from `image` if absent. overlap: patches lie base_size / overlap
    apart. batch: patches per forward pass. An image that is not larger than a patch in either direction is one pass on `resized`.
    Details of a patch count where the coarser merged map is in transition, as in pyramid blending.
    """
    check_size(*image.shape[-2:])
    if image.shape[0] != 1:
        raise ValueError(f"patch merging takes one image at a time, not a batch of {image.shape[0]}")
    if overlap not in (2, 4):
        raise ValueError(f"overlap is 2 (half a patch apart) or 4 (a quarter), not {overlap}")
    resized = base_copy(model, image) if resized is None else resized
    low = model(resized)
    size, patch = tuple(image.shape[-2:]), model.base_size
    if size[0] < patch[0] or size[1] < patch[1] or size == patch:
        return low
    details = merge_details(model, image, patch, overlap, batch)
    saliency = [ALIGNMENTS[alignment](low.logits, (size[0] // 8, size[1] // 8))]
    laplacian = []
    for stage, detail in zip((2, 1, 0), details, strict=True):
        s, u = add_detail(model.pyramid, saliency[-1], detail, stage)
        saliency.append(s)
        laplacian.append(u)
    return SaliencyPyramid(tuple(saliency), tuple(laplacian))


def merge_details(model: nn.Module, image: Tensor, patch: tuple[int, int], overlap: int, batch: int) -> list[Tensor]:
    """U2, U1 and U0 of the whole image, (1, 1, H/4, W/4) … (1, 1, H, W): window-weighted means over the patches."""
    height, width = image.shape[-2:]
    rows, columns = starts(height, patch[0], overlap), starts(width, patch[1], overlap)
    merged = [Merged((height // k, width // k), image) for k in (4, 2, 1)]
    for corners in _batches([(row, column) for row in rows for column in columns], batch):
        cut = torch.cat([image[..., r : r + patch[0], c : c + patch[1]] for r, c in corners])
        for level, detail in zip(merged, model(cut).laplacian, strict=True):
            level.add(detail, corners, patch)
    return [level.mean(rows, columns, patch) for level in merged]


def starts(length: int, patch: int, overlap: int) -> list[int]:
    """First lines of the patches along one axis: patch / overlap apart, the last one flush with the border."""
    step = max(8, patch // overlap // 8 * 8)  # so that every level's patches lie on whole positions
    return [*range(0, length - patch, step), length - patch]


def window(length: int, like: Tensor) -> Tensor:
    """(length,) sin² window, sampled at pixel centres: falls to zero at the patch's border without ever being zero."""
    centre = torch.arange(length, device=like.device, dtype=torch.float64) + 0.5
    return torch.sin(torch.pi * centre / length).square().to(wide(like).dtype)


class Merged:
    """The weighted sum of one level's patches, in the place of the image; like: tells device and precision."""

    def __init__(self, size: tuple[int, int], like: Tensor):
        self.sum = torch.zeros((1, 1, *size), device=like.device, dtype=wide(like).dtype)

    def add(self, detail: Tensor, corners: list[tuple[int, int]], patch: tuple[int, int]) -> None:
        """Patches (n, 1, h, w) of the image's corners (row, column); patch: their size in the image."""
        height, width = detail.shape[-2:]
        stride = patch[0] // height
        weighted = detail * window(height, detail)[:, None] * window(width, detail)
        for one, (row, column) in zip(weighted, corners, strict=True):
            row, column = row // stride, column // stride
            self.sum[0, :, row : row + height, column : column + width] += one

    def mean(self, rows: list[int], columns: list[int], patch: tuple[int, int]) -> Tensor:
        """The sum over the total weight, which is a product of one line per axis. The sum is used up."""
        for dim, first, length in ((-2, rows, patch[0]), (-1, columns, patch[1])):
            stride = (first[-1] + length) // self.sum.shape[dim]
            total = torch.zeros(self.sum.shape[dim], device=self.sum.device, dtype=self.sum.dtype)
            for start in first:
                total[start // stride : (start + length) // stride] += window(length // stride, self.sum)
            self.sum /= total[:, None] if dim == -2 else total
        return self.sum


def _batches(items: list, size: int) -> Iterator[list]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
