"""Training batches whose size is drawn anew for each of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..images.preprocess import MULTIPLE


@dataclass(frozen=True)
class RandomSize:
    """Items of any size → a batch of one size, drawn anew for every batch: how BiRefNet_dynamic was trained.

    height and width: ranges in pixels, both ends drawn, floored to multiples of 32. The size depends on the seed, the epoch
    and the batch (by the index of its first item) alone: the number of workers does not matter, and a resumed run draws the
    same sizes. The processes of a distributed run draw different ones. Image and mask are resized antialiased.
    """

    seed: int = 0
    height: tuple[int, int] = (256, 2304)
    width: tuple[int, int] = (256, 2304)

    def __post_init__(self):
        for low, high in (self.height, self.width):
            if not MULTIPLE <= low <= high:
                raise ValueError(f"a range of sizes goes upwards from {MULTIPLE} or more, not from {low} to {high}")

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
