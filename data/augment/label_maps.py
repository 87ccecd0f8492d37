"""Augmentation of pictures with label maps: the same steps with the same draws, but labels are never mixed.

A label map goes by nearest neighbor wherever its picture is interpolated. What lies outside of the picture is of the mean
color and carries the ignored label, as published for PSPNet.
"""

from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from ..images.preprocess import limit_threads, resize, resize_opencv
from .birefnet import RandomColor, SaltAndPepper
from .outside import AugmentationError, OutsideTransform
from .pspnet import FILL, RandomBlur
from .sample import Sample
from .transforms import (
    Compose,
    RandomFlip,
    RandomImageEnhance,
    RandomRotate,
    RandomScaleCrop,
    Resize,
    draw_parameters,
)
from .warp import Warp

WARPS = (RandomScaleCrop, RandomRotate)
COLORS = (RandomImageEnhance, RandomColor, SaltAndPepper, RandomBlur)  # labels stay as they are


class SceneCompose:
    """(sample, generator) → image float32 (3, H, W) and labels uint8 (1, H, W).

    compose: the steps. Raises ValueError for a step that label maps cannot follow.
    """

    def __init__(self, compose: Compose, ignore_label: int = 255):
        for step in compose.steps:
            if not isinstance(step, (*WARPS, *COLORS, RandomFlip, Resize, OutsideTransform)):
                raise ValueError(f"{type(step).__name__} mixes the values of masks: leave it out for label maps")
        self.compose, self.ignore_label = compose, ignore_label

    def __call__(self, sample: Sample, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        limit_threads()
        steps, crop = self.compose.steps, self.compose.crop
        for step, drawn in zip(steps, draw_parameters(steps, rng), strict=True):
            sample = self._apply(step, sample, drawn)
        if crop is not None:
            (image, labels), valid = crop.apply(sample, crop.draw(rng), hard=True)
            sample = Sample(image, np.where(valid, labels, np.uint8(self.ignore_label)))
        picture, _ = self.compose.convert(sample)
        return picture, torch.from_numpy(np.array(sample.mask))[None]

    def _apply(self, step: Any, sample: Sample, drawn: Any) -> Sample:
        if isinstance(step, Resize):
            return _resized(step, sample)
        if isinstance(step, WARPS):
            return sample if drawn is None else self._warped(step, sample, drawn)
        if isinstance(step, OutsideTransform):
            return self._by_others(step, sample, drawn)
        return step.apply(sample, drawn)

    def _by_others(self, step: OutsideTransform, sample: Sample, drawn: int) -> Sample:
        """Raises AugmentationError for a label that was not there before."""
        after = step.apply(sample, drawn)
        new = np.setdiff1d(after.mask, [*np.unique(sample.mask), self.ignore_label])
        if new.size:
            raise AugmentationError(
                f"{step.name} gives the label {new[0]}, which this label map does not have: move labels by nearest neighbor, "
                f"and mark what is new with {self.ignore_label}"
            )
        return after

    def _warped(self, step: RandomScaleCrop | RandomRotate, sample: Sample, drawn: float) -> Sample:
        warp = Warp(sample.mask.shape)
        warp.add(step, drawn)
        image, labels = (
            cv2.warpAffine(
                np.ascontiguousarray(array),
                warp.on_indices(),
                sample.mask.shape[::-1],
                flags=filter_ | cv2.WARP_INVERSE_MAP,
                borderMode=cv2.BORDER_CONSTANT,
                borderValue=outside,
            )
            for array, filter_, outside in (
                (sample.image, cv2.INTER_LINEAR, FILL),
                (sample.mask, cv2.INTER_NEAREST, self.ignore_label),
            )
        )
        return Sample(image, labels)


def _resized(step: Resize, sample: Sample) -> Sample:
    size = step.target(sample.mask.shape)
    image = resize_opencv(sample.image, size) if step.backend == "opencv" else resize(sample.image, size)
    return Sample(image, resize(sample.mask, size, smooth=False))
