"""The published augmentation in a third of the time: one warp, one sharpening and one table per image.

The same steps with the same draws as in `transforms.py`, so the choice of pipeline never changes which augmentation an
image gets; pixels differ a little (a test bounds it): scaling is bilinear instead of bicubic, scaling and rotation are
one interpolation instead of two, and color values are rounded once instead of after every operation.
"""

import cv2
import numpy as np
import torch
from torch import Tensor

from ..images.preprocess import limit_threads
from .transforms import Compose, Normalize, RandomImageEnhance, Sample, draw_parameters
from .warp import Warp, scratch

Colors = list[tuple[str, float]]  # what RandomImageEnhance draws: (method, factor) in order


class FastCompose:
    """`Compose` with the same draws and fused work: (sample, generator) → image (3, H, W), mask (1, H, W), float32."""

    def __init__(self, compose: Compose):
        self.steps, self.normalize = compose.steps, compose.normalize

    def __call__(self, sample: Sample, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        limit_threads()
        planes, colors = self._planes(sample, rng)
        return _image_tensor(planes[:3], colors, self.normalize), _mask_tensor(planes[3])

    def _planes(self, sample: Sample, rng: np.random.Generator) -> tuple[list[np.ndarray], Colors]:
        """(red, green, blue and mask planes, color operations that are still to be done)."""
        warp, colors = Warp(sample.mask.shape), []
        for step, drawn in zip(self.steps, draw_parameters(self.steps, rng), strict=True):
            if isinstance(step, RandomImageEnhance):
                colors += drawn
                continue
            if colors or (warp.kinds and not warp.accepts(step)):  # finish what came before
                sample, colors = _finish(warp.planes(sample), colors), []
                warp = Warp(sample.mask.shape)
            if warp.accepts(step):
                warp.add(step, drawn)
            else:
                sample = step.apply(sample, drawn)
                warp = Warp(sample.mask.shape)
        return warp.planes(sample), colors


# -- color ---------------------------------------------------------------------------------------------------------


def _image_tensor(planes: list[np.ndarray], colors: Colors, normalize: Normalize | None) -> Tensor:
    """Three uint8 planes → float32 (3, H, W), the color table and the normalization being one table per channel."""
    table = _sharpen(planes, colors)
    mean, std = ((0, 0, 0), (1, 1, 1)) if normalize is None else (normalize.mean, normalize.std)
    result = np.empty((3, *planes[0].shape), np.float32)
    for channel, plane in enumerate(planes):
        values = (table - 255 * mean[channel]) * (1 / 255 / std[channel])
        cv2.LUT(plane, values.astype(np.float32), dst=result[channel])
    return torch.from_numpy(result)


def _mask_tensor(mask: np.ndarray) -> Tensor:
    return torch.from_numpy(np.multiply(mask, np.float32(1 / 255), dtype=np.float32)[None])


def _finish(planes: list[np.ndarray], colors: Colors) -> Sample:
    """Planes → Sample with the color operations done."""
    color = planes[:3]
    table = _sharpen(color, colors).astype(np.uint8)
    return Sample(cv2.LUT(cv2.merge(color), table), planes[3].copy())


def _sharpen(planes: list[np.ndarray], colors: Colors) -> np.ndarray:
    """Sharpens the planes in place; returns a table (256,) of all contrast and brightness, rounded as Pillow does.

    Sharpening is linear with weights that sum to one, so it may go first but for values that are cut off.
    """
    table = np.arange(256, dtype=np.float64)
    for method, factor in colors:
        if method == "sharpness":
            # Pillow extrapolates from its SMOOTH filter, 9/13 of a 3x3 box and 4/13 of the pixel itself, and cuts
            # fractions off, hence half a level less.
            weight = 9 / 13 * (1 - factor)
            for plane in planes:
                box = cv2.boxFilter(plane, -1, (3, 3), dst=scratch("box", plane.shape))
                cv2.addWeighted(plane, 1 - weight, box, weight, -0.5, dst=plane)
        elif method == "brightness":
            table = np.floor(np.clip(table * factor, 0, 255))
        else:
            gray = _mean_gray(planes, table)
            table = np.floor(np.clip(gray + factor * (table - gray), 0, 255))
    return table


def _mean_gray(planes: list[np.ndarray], table: np.ndarray) -> int:
    """Mean luminance seen through the table, rounded; from every fourth pixel of every fourth row."""
    few = (cv2.resize(plane, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_NEAREST) for plane in planes)
    means = [cv2.mean(cv2.LUT(plane, table.astype(np.uint8)))[0] for plane in few]
    return int(0.299 * means[0] + 0.587 * means[1] + 0.114 * means[2] + 0.5)
