"""What a transform works on, and what every transform is."""

from abc import ABC, abstractmethod
from typing import Any, NamedTuple, Protocol

import numpy as np


class Sample(NamedTuple):
    """uint8 RGB image (H, W, 3) and uint8 mask (H, W), 0..255, of the same height and width."""

    image: np.ndarray
    mask: np.ndarray


class Transform(Protocol):
    """Draws from the generator, then changes image and mask alike."""

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample: ...

    def draw(self, rng: np.random.Generator) -> Any: ...

    def apply(self, sample: Sample, drawn: Any) -> Sample: ...


class RandomTransform(ABC):
    """A transform as its two halves; `draw` gives None where nothing is to be done."""

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        return self.apply(sample, self.draw(rng))

    def draw(self, rng: np.random.Generator) -> Any:
        return None

    @abstractmethod
    def apply(self, sample: Sample, drawn: Any) -> Sample:
        """The sample changed as it was drawn."""


def is_binary(mask: np.ndarray) -> bool:
    """True where a uint8 mask has only 0 and 255."""
    return not (mask + np.uint8(1) > 1).any()  # 255 + 1 is 0
