"""Training transforms: the published recipe as Pillow operations, each driven by an explicit random generator.

Every transform draws its parameters first (`draw`) and then applies them (`apply`). `draw_parameters` draws for a whole
list, in order, a fixed number of times that does not depend on the image; the fused pipeline in `fast_transforms.py`
takes the same draws, so the choice of pipeline never changes which augmentation an image gets.
The augmentations of BiRefNet and PSPNet lie in files of their own; `TRANSFORMS` knows all of them by name.
"""

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageEnhance
from torch import Tensor

from ..images.preprocess import (
    MEAN,
    STD,
    Backend,
    Triple,
    check_backend,
    dynamic_size,
    normalized,
    resize,
    resize_opencv,
)
from .birefnet import TRANSFORMS_BIREFNET
from .pspnet import TRANSFORMS_PSPNET, RandomCrop
from .sample import RandomTransform, Sample, Transform, is_binary

__all__ = [
    "TRANSFORMS",
    "Compose",
    "DynamicResize",
    "Normalize",
    "RandomFlip",
    "RandomImageEnhance",
    "RandomRotate",
    "RandomScaleCrop",
    "Resize",
    "Sample",
    "StaticResize",
    "Transform",
    "build_transforms",
    "draw_parameters",
    "is_binary",
    "scaled_size",
]


class Resize(RandomTransform):
    """To the size that `target` says.

    backend "pillow": the image antialiased bilinear, a mask of 0 and 255 nearest, a soft mask bilinear. "opencv": image and
    mask alike by OpenCV's bilinear filter, without antialiasing, as published for BiRefNet.
    """

    backend: Backend

    def __post_init__(self):
        check_backend(self.backend)

    @abstractmethod
    def target(self, shape: tuple[int, int]) -> tuple[int, int]:
        """(height, width) for an image of `shape`."""

    def apply(self, sample: Sample, drawn: None) -> Sample:
        size = self.target(sample.image.shape[:2])
        if self.backend == "opencv":
            return Sample(*(resize_opencv(array, size) for array in sample))
        return Sample(resize(sample.image, size), resize(sample.mask, size, smooth=not is_binary(sample.mask)))


@dataclass(frozen=True)
class StaticResize(Resize):
    """To `size` (height, width)."""

    size: tuple[int, int]
    backend: Backend = "pillow"

    def target(self, shape: tuple[int, int]) -> tuple[int, int]:
        return self.size[0], self.size[1]


@dataclass(frozen=True)
class DynamicResize(Resize):
    """The shorter side bounded by `size`, both sides multiples of 32; sizes differ, so batches must be of one."""

    size: int = 1280
    backend: Backend = "pillow"

    def target(self, shape: tuple[int, int]) -> tuple[int, int]:
        return dynamic_size(shape, self.size)


@dataclass(frozen=True)
class RandomScaleCrop(RandomTransform):
    """With probability p: scaled by U(range), bicubic, then the center cropped or padded with zeros to the old size."""

    range: tuple[float, float] = (0.75, 1.25)
    p: float = 0.5

    def draw(self, rng: np.random.Generator) -> float | None:
        """The scale."""
        scale, chance = float(rng.uniform(*self.range)), rng.random()
        return scale if chance < self.p else None

    def apply(self, sample: Sample, drawn: float | None) -> Sample:
        if drawn is None:
            return sample
        shape = sample.mask.shape
        size = scaled_size(shape, drawn)[::-1]
        mask_filter = Image.Resampling.NEAREST if is_binary(sample.mask) else Image.Resampling.BILINEAR
        image = Image.fromarray(sample.image).resize(size, Image.Resampling.BICUBIC)
        mask = Image.fromarray(sample.mask).resize(size, mask_filter)
        return Sample(_center(image, shape), _center(mask, shape))


@dataclass(frozen=True)
class RandomFlip(RandomTransform):
    """Mirrored left-right and upside-down, each where switched on and with probability p."""

    lr: bool = True
    ud: bool = False
    p: float = 0.5

    def draw(self, rng: np.random.Generator) -> tuple[bool, bool]:
        """(left-right, upside-down)."""
        lr, ud = rng.random(2) < self.p
        return bool(lr and self.lr), bool(ud and self.ud)

    def apply(self, sample: Sample, drawn: tuple[bool, bool]) -> Sample:
        lr, ud = drawn
        rows, columns = slice(None, None, -1 if ud else 1), slice(None, None, -1 if lr else 1)
        return Sample(sample.image[rows, columns], sample.mask[rows, columns])


@dataclass(frozen=True)
class RandomRotate(RandomTransform):
    """With probability p: turned counter-clockwise by degrees from `range`, its upper end excluded; nearest, zeros outside.

    Whole-numbered ends draw whole degrees, as published; other ends draw uniformly.
    """

    range: tuple[float, float] = (-10, 10)
    p: float = 0.5

    def draw(self, rng: np.random.Generator) -> float | None:
        """The angle in degrees."""
        low, high = self.range
        whole = float(low).is_integer() and float(high).is_integer() and low < high
        angle = float(rng.integers(int(low), int(high))) if whole else float(rng.uniform(low, high))
        return angle if rng.random() < self.p else None

    def apply(self, sample: Sample, drawn: float | None) -> Sample:
        if drawn is None:
            return sample
        shape = sample.mask.shape
        turned = (Image.fromarray(array).rotate(drawn, expand=True) for array in sample)
        return Sample(*(_center(image, shape) for image in turned))


@dataclass(frozen=True)
class RandomImageEnhance(RandomTransform):
    """In random order, each with probability p: contrast, sharpness, brightness by the factor 1 + U(range)."""

    methods: tuple[str, ...] = ("contrast", "sharpness", "brightness")
    range: tuple[float, float] = (0.0, 0.1)
    p: float = 0.5

    def __post_init__(self):
        unknown = [method for method in self.methods if method not in _ENHANCERS]
        if unknown:
            raise ValueError(f"unknown enhancement {unknown[0]!r}; known: {', '.join(_ENHANCERS)}")

    def draw(self, rng: np.random.Generator) -> list[tuple[str, float]]:
        """(method, factor) in the order of application."""
        order = rng.permutation(len(self.methods))
        factors, chances = 1 + rng.uniform(*self.range, len(order)), rng.random(len(order))
        return [(self.methods[i], float(factors[i])) for i in order if chances[i] < self.p]

    def apply(self, sample: Sample, drawn: list[tuple[str, float]]) -> Sample:
        if not drawn:
            return sample
        image = Image.fromarray(np.ascontiguousarray(sample.image))
        for method, factor in drawn:
            image = _ENHANCERS[method](image).enhance(factor)
        return Sample(np.asarray(image), sample.mask)


@dataclass(frozen=True)
class Normalize:
    """(value / 255 − mean) / std, per channel."""

    mean: Triple = MEAN
    std: Triple = STD


class Compose:
    """The list of transforms, then conversion: (sample, generator) → (image (3, H, W), mask (1, H, W)), float32.

    `steps` are the transforms, `normalize` the final scaling (None: image values 0..1). The mask is 0..1.
    With `crop`, the last step, a third tensor (1, H, W) is 1 where the image is and 0 where it was padded.
    """

    def __init__(self, steps: Sequence[Transform], normalize: Normalize | None, crop: RandomCrop | None = None):
        self.steps, self.normalize, self.crop = tuple(steps), normalize, crop

    def __call__(self, sample: Sample, rng: np.random.Generator) -> tuple[Tensor, ...]:
        for step, drawn in zip(self.steps, draw_parameters(self.steps, rng), strict=True):
            sample = step.apply(sample, drawn)
        if self.crop is None:
            return self.convert(sample)
        sample, valid = self.crop.apply(sample, self.crop.draw(rng))
        return *self.convert(sample), torch.from_numpy(valid).float()[None]

    def convert(self, sample: Sample) -> tuple[Tensor, Tensor]:
        """uint8 sample → float32 tensors."""
        mean, std = (None, None) if self.normalize is None else (self.normalize.mean, self.normalize.std)
        image = torch.from_numpy(normalized(sample.image, mean, std))
        return image, torch.from_numpy(np.array(sample.mask)).float().div_(255)[None]

    @property
    def resize(self) -> Resize | None:
        """The first step where it is the deterministic resize: the part that a cache may keep."""
        return self.steps[0] if self.steps and isinstance(self.steps[0], Resize) else None

    def without_resize(self) -> "Compose":
        """The same without `resize`, for samples that are resized already; the draws of the others do not change."""
        return Compose(self.steps[self.resize is not None :], self.normalize, self.crop)


TRANSFORMS = {
    "static_resize": StaticResize,
    "dynamic_resize": DynamicResize,
    "random_scale_crop": RandomScaleCrop,
    "random_flip": RandomFlip,
    "random_rotate": RandomRotate,
    "random_image_enhance": RandomImageEnhance,
    **TRANSFORMS_BIREFNET,
    **TRANSFORMS_PSPNET,
    "normalize": Normalize,
}
_CONVERSIONS = ("tonumpy", "totensor")  # named in older configs; conversion always happens, at the end
_ENHANCERS = {
    "contrast": ImageEnhance.Contrast,
    "sharpness": ImageEnhance.Sharpness,
    "brightness": ImageEnhance.Brightness,
}


def build_transforms(steps: Iterable[tuple[str, Mapping[str, Any] | None]]) -> Compose:
    """Transforms by name with their parameters, in the given order (random_crop is always last); see TRANSFORMS for the names.

    Raises ValueError for an unknown name or parameter.
    """
    built, normalize, crop = [], None, None
    for name, parameters in steps:
        if name in _CONVERSIONS:
            continue
        if name not in TRANSFORMS:
            raise ValueError(f"unknown transform {name!r}; known: {', '.join([*TRANSFORMS, *_CONVERSIONS])}")
        try:
            step = TRANSFORMS[name](**{key: _frozen(value) for key, value in (parameters or {}).items()})
        except TypeError as error:
            raise ValueError(f"transform {name}: {error}") from error
        if isinstance(step, Normalize):
            normalize = step
        elif isinstance(step, RandomCrop):
            crop = step
        else:
            built.append(step)
    return Compose(built, normalize, crop)


def draw_parameters(steps: Iterable[Transform], rng: np.random.Generator) -> list[Any]:
    """What each step will do, drawn in order; always the same number of draws."""
    return [step.draw(rng) for step in steps]


def scaled_size(shape: tuple[int, int], scale: float) -> tuple[int, int]:
    """(height, width) times `scale`, rounded, at least 1."""
    height, width = (max(1, round(side * scale)) for side in shape)
    return height, width


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _center(image: Image.Image, shape: tuple[int, int]) -> np.ndarray:
    """The center (height, width) of an image; zeros where it is smaller."""
    (width, height), (base_height, base_width) = image.size, shape
    left, top = (width - base_width) // 2, (height - base_height) // 2
    box = (left, top, left + base_width, top + base_height)
    return np.asarray(image.crop(box))
