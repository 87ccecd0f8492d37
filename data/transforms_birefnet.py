"""The augmentations of BiRefNet, background-colour synthesis, and batches whose size is drawn anew.

Published order: resize (OpenCV), mirror, turn, colour, salt and pepper. With background-colour synthesis: resize, background,
mirror. Draws come from the given generator alone, as everywhere in this package.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from PIL import Image, ImageEnhance
from torch import Tensor
from torch.nn import functional

from .datasets import TrainDataset
from .preprocess import MULTIPLE
from .transforms import Sample, StaticResize, _Drawn

ENHANCERS = {  # in the order of application; factors in tenths, both ends drawn
    ImageEnhance.Brightness: (5, 15),
    ImageEnhance.Contrast: (5, 15),
    ImageEnhance.Color: (0, 20),
    ImageEnhance.Sharpness: (0, 30),
}
NOISE_SHARE = 0.0015


@dataclass(frozen=True)
class OpenCVResize(StaticResize):
    """To `size` (height, width), image and mask alike, by OpenCV's bilinear filter: without antialiasing, as published."""

    def apply(self, sample: Sample, drawn: None) -> Sample:
        size = self.target(sample.image.shape[:2])
        return Sample(resize_opencv(sample.image, size), resize_opencv(sample.mask, size))


def resize_opencv(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """uint8 (H, W[, 3]) at another (height, width), bilinear without antialiasing."""
    if image.shape[:2] == tuple(size):
        return image
    return cv2.resize(image, (size[1], size[0]), interpolation=cv2.INTER_LINEAR)


@dataclass(frozen=True)
class RandomTurn(_Drawn):
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
class RandomColour(_Drawn):
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
class SaltAndPepper(_Drawn):
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
    """What background-colour synthesis draws: which kind, and the numbers of all kinds."""

    kind: str  # grey, foreground or random
    grey: int
    factors: tuple[float, float, float]
    colour: tuple[int, int, int]


@dataclass(frozen=True)
class BackgroundColour(_Drawn):
    """The background replaced by one colour, with the mask as its alpha.

    40 % a grey level, 40 % the mean colour of the object times 0.8 … 1.2 per channel, 20 % any colour. p: how often.
    """

    p: float = 1.0

    def draw(self, rng: np.random.Generator) -> Background | None:
        """The kind and its numbers; the same number of draws for all kinds."""
        chance, choice = rng.random(2)
        kind = "grey" if choice < 0.4 else "foreground" if choice < 0.8 else "random"
        grey, colour = int(rng.integers(256)), tuple(int(c) for c in rng.integers(256, size=3))
        factors = tuple(float(f) for f in rng.uniform(0.8, 1.2, 3))
        return Background(kind, grey, factors, colour) if chance < self.p else None

    def apply(self, sample: Sample, drawn: Background | None) -> Sample:
        if drawn is None:
            return sample
        alpha = sample.mask[..., None] / 255.0
        image = alpha * sample.image + (1 - alpha) * background_colour(sample, drawn)
        return Sample(np.rint(image).astype(np.uint8), sample.mask)


def background_colour(sample: Sample, drawn: Background) -> np.ndarray:
    """The colour (3,), 0 … 255; an empty mask has the mean of the whole image for its object's."""
    if drawn.kind == "grey":
        return np.full(3, drawn.grey, float)
    if drawn.kind == "random":
        return np.array(drawn.colour, float)
    weight = sample.mask.astype(float)
    weight = weight if weight.any() else np.ones_like(weight)
    mean = np.average(sample.image.reshape(-1, 3), axis=0, weights=weight.reshape(-1))
    return np.clip(mean * np.array(drawn.factors), 0, 255)


TRANSFORMS_BIREFNET = {
    "opencv_resize": OpenCVResize,
    "random_turn": RandomTurn,
    "random_colour": RandomColour,
    "salt_and_pepper": SaltAndPepper,
    "background_colour": BackgroundColour,
}


# -- dynamic size -------------------------------------------------------------------------------------------------


class DynamicTrainDataset(TrainDataset):
    """Training pairs at their own sizes, for `DynamicCollate`; items also say their epoch."""

    def __getitem__(self, index: int) -> dict[str, Tensor | int]:
        return {**super().__getitem__(index), "epoch": self.epoch}


@dataclass(frozen=True)
class DynamicCollate:
    """Items of any size → a batch of one size, drawn anew for every batch.

    height and width: ranges in pixels, both ends drawn, floored to multiples of 32. The size depends on the seed and on
    the epoch and index of the batch's first item alone, so it does not depend on the number of workers; the processes of
    a distributed run draw different sizes. Image and mask are resized antialiased.
    """

    seed: int = 0
    height: tuple[int, int] = (256, 2304)
    width: tuple[int, int] = (256, 2304)

    def __post_init__(self):
        for low, high in (self.height, self.width):
            if not MULTIPLE <= low <= high:
                raise ValueError(f"a range of sizes goes from {MULTIPLE} or more upwards, not {low} to {high}")

    def size(self, epoch: int, index: int) -> tuple[int, int]:
        """(height, width) of the batch that begins with this item."""
        rng = np.random.default_rng((self.seed, 0xD1, epoch, index))
        sides = (int(rng.integers(low, high + 1)) for low, high in (self.height, self.width))
        height, width = (side // MULTIPLE * MULTIPLE for side in sides)
        return height, width

    def __call__(self, items: Sequence[Mapping[str, Any]]) -> dict[str, Tensor]:
        """{"image": (3, h, w), "mask": (1, h, w), "index", "epoch"} of each item → the same keys, stacked at one size."""
        size = self.size(int(items[0].get("epoch", 0)), int(items[0]["index"]))
        batch: dict[str, Tensor] = {
            key: torch.tensor([int(item[key]) for item in items]) for key in items[0] if key not in ("image", "mask")
        }
        batch["image"] = torch.cat([resize_tensor(item["image"], size) for item in items])
        batch["mask"] = torch.cat([resize_tensor(item["mask"], size).clamp_(0, 1) for item in items])
        return batch


def resize_tensor(x: Tensor, size: tuple[int, int]) -> Tensor:
    """(C, H, W) → (1, C, *size), antialiased bilinear."""
    return functional.interpolate(x[None], size=size, mode="bilinear", align_corners=False, antialias=True)


# -- classes of DIS5K ---------------------------------------------------------------------------------------------


def dis5k_class(name: str) -> str:
    """Class of a DIS5K image by its name, group#subgroup#number#class#…: the fourth part. Raises ValueError for other names."""
    parts = name.rsplit("/", 1)[-1].split("#")
    if len(parts) < 4 or not parts[3]:
        raise ValueError(f"{name!r} is not named as DIS5K images are: no fourth part between # signs")
    return parts[3]


def dis5k_labels(names: Sequence[str]) -> tuple[list[int], list[str]]:
    """(class number of every name, classes in alphabetical order): labels of the auxiliary classification."""
    found = [dis5k_class(name) for name in names]
    classes = sorted(set(found))
    number = {name: i for i, name in enumerate(classes)}
    return [number[name] for name in found], classes
