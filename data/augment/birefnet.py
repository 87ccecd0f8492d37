"""The augmentations of BiRefNet, and background-color synthesis.

Published order: resize (OpenCV), mirror, turn, color, salt and pepper. With background-color synthesis: resize, background,
mirror. Draws come from the given generator alone, as everywhere in this package.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageEnhance

from .sample import RandomTransform, Sample

ENHANCERS = {  # in the order of application; factors in tenths, both ends drawn
    ImageEnhance.Brightness: (5, 15),
    ImageEnhance.Contrast: (5, 15),
    ImageEnhance.Color: (0, 20),
    ImageEnhance.Sharpness: (0, 30),
}
NOISE_SHARE = 0.0015


@dataclass(frozen=True)
class RandomTurn(RandomTransform):
    """With probability p: image and mask turned by whole degrees from `range` (its upper end excluded), bicubic, black outside.

    The size stays, corners are cut off.
    """

    range: tuple[int, int] = (-15, 15)
    p: float = 0.2

    def draw(self, rng: np.random.Generator) -> int | None:
        """The angle in degrees, counter-clockwise."""
        angle, chance = int(rng.integers(*self.range)), rng.random()
        return angle if chance < self.p else None

    def apply(self, sample: Sample, drawn: int | None) -> Sample:
        if drawn is None:
            return sample
        turned = (
            Image.fromarray(np.ascontiguousarray(array)).rotate(drawn, Image.Resampling.BICUBIC) for array in sample
        )
        return Sample(*(np.asarray(image) for image in turned))


@dataclass(frozen=True)
class RandomColor(RandomTransform):
    """Always: brightness and contrast by 0.5 … 1.5, then saturation by 0 … 2, then sharpness by 0 … 3, in steps of 0.1."""

    def draw(self, rng: np.random.Generator) -> tuple[float, ...]:
        """The four factors."""
        return tuple(int(rng.integers(low, high + 1)) / 10 for low, high in ENHANCERS.values())

    def apply(self, sample: Sample, drawn: tuple[float, ...]) -> Sample:
        image = Image.fromarray(np.ascontiguousarray(sample.image))
        for enhancer, factor in zip(ENHANCERS, drawn, strict=True):
            image = enhancer(image).enhance(factor)
        return Sample(np.asarray(image), sample.mask)


@dataclass(frozen=True)
class SaltAndPepper(RandomTransform):
    """Always: a share of the pixels of the image black or white, each with the same chance."""

    share: float = NOISE_SHARE

    def draw(self, rng: np.random.Generator) -> int:
        """Seed of the pixels, whose number depends on the image."""
        return int(rng.integers(2**63))

    def apply(self, sample: Sample, drawn: int) -> Sample:
        rng = np.random.default_rng(drawn)
        height, width = sample.mask.shape
        count = int(self.share * height * width)
        image = sample.image.copy()
        rows, columns = rng.integers(height, size=count), rng.integers(width, size=count)
        image[rows, columns] = np.where(rng.random(count) < 0.5, 0, 255).astype(np.uint8)[:, None]
        return Sample(image, sample.mask)


class Background(NamedTuple):
    """What background-color synthesis draws: which kind, and the numbers of all kinds."""

    kind: str  # gray, foreground or random
    gray: int
    factors: tuple[float, ...]  # red, green, blue, as the color
    color: tuple[int, ...]


@dataclass(frozen=True)
class BackgroundColor(RandomTransform):
    """The background replaced by one color, with the mask as its alpha.

    40 % a gray level, 40 % the mean color of the object times 0.8 … 1.2 per channel, 20 % any color. p: how often.
    """

    p: float = 1.0

    def draw(self, rng: np.random.Generator) -> Background | None:
        """The kind and its numbers; the same number of draws for all kinds."""
        chance, choice = rng.random(2)
        kind = "gray" if choice < 0.4 else "foreground" if choice < 0.8 else "random"
        gray, color = int(rng.integers(256)), tuple(int(c) for c in rng.integers(256, size=3))
        factors = tuple(float(f) for f in rng.uniform(0.8, 1.2, 3))
        return Background(kind, gray, factors, color) if chance < self.p else None

    def apply(self, sample: Sample, drawn: Background | None) -> Sample:
        if drawn is None:
            return sample
        alpha = sample.mask[..., None] / 255.0
        image = alpha * sample.image + (1 - alpha) * background_color(sample, drawn)
        return Sample(np.rint(image).astype(np.uint8), sample.mask)


def background_color(sample: Sample, drawn: Background) -> np.ndarray:
    """The color (3,), 0 … 255; an empty mask has the mean of the whole image for its object's."""
    if drawn.kind == "gray":
        return np.full(3, drawn.gray, float)
    if drawn.kind == "random":
        return np.array(drawn.color, float)
    weight = sample.mask.astype(float)
    weight = weight if weight.any() else np.ones_like(weight)
    mean = np.average(sample.image.reshape(-1, 3), axis=0, weights=weight.reshape(-1))
    return np.clip(mean * np.array(drawn.factors), 0, 255)


TRANSFORMS_BIREFNET = {
    "random_turn": RandomTurn,
    "random_color": RandomColor,
    "salt_and_pepper": SaltAndPepper,
    "background_color": BackgroundColor,
}
