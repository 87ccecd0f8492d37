"""The augmentations of PSPNet that the other recipes do not have: blur, and crops of scaled images.

Published order: scale, turn, blur, mirror, crop. Here whole images are the default (a crop can cut the object away and keep
its label), and `RandomCrop` is the published alternative.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from ..images.preprocess import MEAN, limit_threads
from .sample import RandomTransform, Sample, is_binary

FILL = tuple(round(255 * value) for value in MEAN)  # the mean color: 0 once it is normalized


@dataclass(frozen=True)
class RandomBlur(RandomTransform):
    """With probability p: the image through a Gaussian of `size` × `size` pixels."""

    p: float = 0.5
    size: int = 5

    def __post_init__(self):
        if self.size < 1 or self.size % 2 == 0:
            raise ValueError(f"the size of a blur is odd, not {self.size}")

    def draw(self, rng: np.random.Generator) -> bool | None:
        """Whether to blur."""
        return True if rng.random() < self.p else None

    def apply(self, sample: Sample, drawn: bool | None) -> Sample:
        if not drawn:
            return sample
        limit_threads()
        image = cv2.GaussianBlur(np.ascontiguousarray(sample.image), (self.size, self.size), 0)
        return Sample(image, sample.mask)


@dataclass(frozen=True)
class RandomCrop:
    """The image scaled by U(scale), and a window of `size` (height, width) anywhere in it.

    A scaled image that is smaller than the window is padded on both sides with the mean color; padding is no background:
    `apply` also tells where the image is, so that losses can leave the rest out.
    """

    size: tuple[int, int]
    scale: tuple[float, float] = (0.5, 2.0)

    def draw(self, rng: np.random.Generator) -> tuple[float, float, float]:
        """The scale, and the window's place as shares of the room that it has, top and left."""
        top, left = rng.random(2)
        return float(rng.uniform(*self.scale)), float(top), float(left)

    def apply(self, sample: Sample, drawn: tuple[float, float, float], hard: bool = False) -> tuple[Sample, np.ndarray]:
        """The window, and bool (height, width): True where the image is. hard: the mask's values cannot be mixed."""
        limit_threads()
        scale, *place = drawn
        shape = tuple(max(1, round(side * scale)) for side in sample.mask.shape)
        mask_filter = cv2.INTER_NEAREST_EXACT if hard or is_binary(sample.mask) else cv2.INTER_LINEAR
        image = cv2.resize(np.ascontiguousarray(sample.image), shape[::-1], interpolation=cv2.INTER_LINEAR)
        mask = cv2.resize(np.ascontiguousarray(sample.mask), shape[::-1], interpolation=mask_filter)
        out = np.empty((*self.size, 3), np.uint8)
        out[:] = FILL
        target, valid = np.zeros(self.size, np.uint8), np.zeros(self.size, bool)
        source, window = zip(*(_overlap(*sides) for sides in zip(shape, self.size, place, strict=True)), strict=True)
        out[window], target[window], valid[window] = image[source], mask[source], True
        return Sample(out, target), valid


def _overlap(side: int, wanted: int, place: float) -> tuple[slice, slice]:
    """(part of the image, part of the window) along one axis."""
    if side >= wanted:
        start = min(int(place * (side - wanted + 1)), side - wanted)
        return slice(start, start + wanted), slice(0, wanted)
    start = (wanted - side) // 2
    return slice(0, side), slice(start, start + side)


TRANSFORMS_PSPNET = {"random_blur": RandomBlur, "random_crop": RandomCrop}
