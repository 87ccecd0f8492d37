"""Copy-paste: the object of another picture laid over this one (Ghiasi et al., CVPR 2021, §3)."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class CopyPaste:
    """With probability p an image gets the salient object of another one, drawn from all; then both objects are salient."""

    p: float = 0.5

    def draw(self, rng: np.random.Generator, count: int) -> int | None:
        """Which of `count` pairs gives its object; None: none does."""
        index, chance = int(rng.integers(count)), rng.random()
        return index if chance < self.p else None

    @staticmethod
    def apply(image: Tensor, mask: Tensor, other: Tensor, other_mask: Tensor) -> tuple[Tensor, Tensor]:
        """Images (3, H, W), masks (1, H, W) in 0..1, of one size → image and mask; the other's mask is its opacity."""
        return torch.lerp(image, other, other_mask), torch.maximum(mask, other_mask)
