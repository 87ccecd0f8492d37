"""An augmentation that somebody else wrote: (image, mask, generator) → (image, mask)."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .sample import RandomTransform, Sample

Augmentation = Callable[[np.ndarray, np.ndarray, np.random.Generator], tuple[np.ndarray, np.ndarray]]


class AugmentationError(ValueError):
    """An augmentation that gives something else than an image and its mask."""


@dataclass(frozen=True)
class OutsideTransform(RandomTransform):
    """Calls `function` with uint8 (H, W, 3), uint8 (H, W) and a generator of its own, so that it may draw as often as it likes.

    Raises AugmentationError, which names the augmentation, where image and mask do not come back as such arrays of one size.
    """

    function: Augmentation
    name: str

    def draw(self, rng: np.random.Generator) -> int:
        """The seed of the generator: one draw, whatever the function does with it."""
        return int(rng.integers(2**63))

    def apply(self, sample: Sample, drawn: int) -> Sample:
        found = self.function(np.array(sample.image), np.array(sample.mask), np.random.default_rng(drawn))
        if not _is_pair(found):
            shapes = [
                f"{one.dtype} {one.shape}" if isinstance(one, np.ndarray) else repr(one)[:60] for one in found or ()
            ]
            raise AugmentationError(
                f"{self.name} must give (image, mask), uint8 (H, W, 3) and (H, W) of one size, not ({', '.join(shapes)})"
            )
        return Sample(*map(np.ascontiguousarray, found))


def _is_pair(found: object) -> bool:
    if not isinstance(found, tuple) or len(found) != 2 or not all(isinstance(one, np.ndarray) for one in found):
        return False
    image, mask = found
    return image.dtype == mask.dtype == np.uint8 and image.shape == (*mask.shape, 3)
