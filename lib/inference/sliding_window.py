"""Patch merging: a large image as overlapping patches of the training size, merged level by level.

Every level of the pyramid is averaged over the patches with a smooth window and reconstructed as soon as its lines are complete,
so that no seam can show and memory is bounded by a batch of patches, the lines in work and the map, whatever the size of the
image.
"""

from collections.abc import Iterator
from typing import cast

import torch
from torch import Tensor, nn

from ..fast.tiled_inference import tile_span
from ..modules.conv import at_least_float32
from ..sizes import size_rule
from ..types import PyramidNetwork, SaliencyPyramid
from .pyramid_blending import ALIGNMENTS, add_details, base_copy

STRIDES = (4, 2, 1)  # of U2, U1, U0
HALO = 96  # pixels of S3, U2, U1, U0 around a part of S0 that it depends on
TILE = 1024  # columns reconstructed at a time


def predict_patches(
    model: nn.Module,
    image: Tensor,
    resized: Tensor | None = None,
    overlap: int = 2,
    batch: int = 1,
    alignment: str = "as_trained",
    levels: bool = True,
) -> SaliencyPyramid:
    """One image (1, 3, H, W) → its pyramid, merged from patches of model.base_size.

    resized: the image at the base size, which gives S3; made from `image` if absent. overlap: patches lie base_size / overlap
    apart. batch: patches per forward pass. levels: false keeps S0 alone of a merged pyramid, in well under half the memory.
    An image that is not larger than a patch in either direction is one pass on `resized`.
    Details of a patch count where the coarser merged map is in transition, as in pyramid blending.
    """
    size_rule(model).check(image.shape[-2:])
    if image.shape[0] != 1:
        raise ValueError(f"patch merging takes one image at a time, not a batch of {image.shape[0]}")
    if overlap not in (2, 4):
        raise ValueError(f"overlap is 2 (half a patch apart) or 4 (a quarter), not {overlap}")
    network = cast(PyramidNetwork, model)
    resized = base_copy(network, image) if resized is None else resized
    low = model(resized)
    size, patch = tuple(image.shape[-2:]), network.base_size
    if size[0] < patch[0] or size[1] < patch[1] or size == patch:
        return low
    s3 = ALIGNMENTS[alignment](low.logits, (size[0] // 8, size[1] // 8))
    return reconstruct(network, s3, Patches(network, image, overlap, batch), levels)


def reconstruct(model: PyramidNetwork, s3: Tensor, patches: "Patches", levels: bool) -> SaliencyPyramid:
    """The pyramid of the whole image, a few lines at a time, each with the surroundings that it depends on."""
    height, width = patches.size
    full = [(s3.new_empty((1, 1, height // k, width // k), dtype=at_least_float32(s3).dtype), k) for k in STRIDES]
    details = [(torch.empty_like(level), k) for level, k in full] if levels else []
    full = full if levels else full[-1:]
    for first, stop in patches.complete_rows():
        for left in range(0, width, TILE):
            (rows, inner_rows, to_rows) = tile_span(first, stop - first, height, HALO)
            (columns, inner_columns, to_columns) = tile_span(left, TILE, width, HALO)
            coarse = s3[..., _scaled(rows, 8), _scaled(columns, 8)]
            part = add_details(model.pyramid, coarse, [level.mean(rows, columns) for level in patches.levels])
            kept = [*zip(full, part.saliency[-len(full) :], strict=True), *zip(details, part.laplacian, strict=False)]
            for (level, k), values in kept:
                inner = values[..., _scaled(inner_rows, k), _scaled(inner_columns, k)]
                level[..., _scaled(to_rows, k), _scaled(to_columns, k)] = inner
    saliency = ([s3] if levels else []) + [level for level, _ in full]
    return SaliencyPyramid(tuple(saliency), tuple(level for level, _ in details))


def starts(length: int, patch: int, overlap: int) -> list[int]:
    """First lines of the patches along one axis: patch / overlap apart, the last one flush with the border."""
    step = max(8, patch // overlap // 8 * 8)  # so that every level's patches lie on whole positions
    return [*range(0, length - patch, step), length - patch]


def window(length: int, like: Tensor) -> Tensor:
    """(length,) sin² window, sampled at pixel centers: falls to zero at the patch's border without ever being zero."""
    center = torch.arange(length, device=like.device, dtype=torch.float64) + 0.5
    return torch.sin(torch.pi * center / length).square().to(at_least_float32(like).dtype)


def total_weight(first: list[int], patch: int, stride: int, like: Tensor) -> Tensor:
    """The windows of all patches along one axis, summed at every stride-th line of the image."""
    total = torch.zeros((first[-1] + patch) // stride, device=like.device, dtype=at_least_float32(like).dtype)
    for start in first:
        total[start // stride : (start + patch) // stride] += window(patch // stride, like)
    return total


class Patches:
    """The merged details of an image's patches, one row of patches after the other.

    `levels` are U2, U1 and U0. complete_rows() runs the network and yields ranges of image lines (first, stop) that cover the
    image; meanwhile the levels can be read from HALO before `first` to HALO after `stop`.
    """

    def __init__(self, model: PyramidNetwork, image: Tensor, overlap: int, batch: int):
        self.model, self.image, self.batch = model, image, batch
        self.size, self.patch = tuple(image.shape[-2:]), model.base_size
        self.rows, self.columns = (starts(n, p, overlap) for n, p in zip(self.size, self.patch, strict=True))
        held = min(self.size[0], self.patch[0] + 2 * HALO)
        self.levels = [Merged(held, k, self.rows, self.columns, self.patch, image) for k in STRIDES]

    def complete_rows(self) -> Iterator[tuple[int, int]]:
        """Ranges of lines whose surroundings need no further patch; lines that are no longer needed are forgotten."""
        done = 0
        for row, following in zip(self.rows, [*self.rows[1:], None], strict=True):
            self._add_row(row)
            stop = self.size[0] if following is None else following - HALO
            if stop <= done:
                continue
            yield done, stop
            done = stop
            for level in self.levels:
                level.forget(done - HALO)

    def _add_row(self, row: int) -> None:
        height, width = self.patch
        for first in range(0, len(self.columns), self.batch):
            columns = self.columns[first : first + self.batch]
            cut = torch.cat([self.image[..., row : row + height, c : c + width] for c in columns])
            for level, detail in zip(self.levels, self.model(cut).laplacian, strict=True):
                level.add(detail, row, columns)


class Merged:
    """Window-weighted mean of one level's patches; holds only the lines that are still added to or looked at.

    held: how many lines of the image. stride: pixels of the image per pixel of the level. rows, columns: the patches' first
    lines. like: tells device and precision. Every position is one in the image.
    """

    def __init__(
        self, held: int, stride: int, rows: list[int], columns: list[int], patch: tuple[int, int], like: Tensor
    ):
        self.stride, self.top = stride, 0
        self.row_weight = total_weight(rows, patch[0], stride, like)
        self.column_weight = total_weight(columns, patch[1], stride, like)
        self.sum = self.row_weight.new_zeros((1, 1, held // stride, len(self.column_weight)))

    def add(self, detail: Tensor, row: int, columns: list[int]) -> None:
        """Patches (n, 1, h, w) of one row of patches, at these columns."""
        height, width = detail.shape[-2:]
        top = row // self.stride - self.top
        weighted = detail * window(height, detail)[:, None] * window(width, detail)
        for one, column in zip(weighted, columns, strict=True):
            left = column // self.stride
            self.sum[0, :, top : top + height, left : left + width] += one

    def mean(self, rows: slice, columns: slice) -> Tensor:
        """(1, 1, h, w) of these lines and columns: the sum over the total weight, a product of one line per axis."""
        rows, columns = _scaled(rows, self.stride), _scaled(columns, self.stride)
        found = self.sum[..., rows.start - self.top : rows.stop - self.top, columns]
        return found / self.row_weight[rows, None] / self.column_weight[columns]

    def forget(self, before: int) -> None:
        """Lines above this one are not needed any more; as many empty ones follow."""
        lines = before // self.stride - self.top
        if lines > 0:
            self.sum = torch.cat([self.sum[..., lines:, :], torch.zeros_like(self.sum[..., :lines, :])], dim=-2)
            self.top += lines


def _scaled(where: slice, stride: int) -> slice:
    return slice(where.start // stride, where.stop // stride)
