"""Corrupted masks at the size of the network's first map, from which training starts the pyramid now and then."""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

STRIDE = 8  # of S3


@dataclass(frozen=True)
class CoarseMap:
    """With probability p an item brings its own mask, damaged, for the network to start from in place of its S3.

    The finer stages so learn to follow a coarse map that a person gives, and to mend its edge instead of trusting it.
    shift: at most this share of the sides. blur: at most this standard deviation, in cells of the map. spots: at most so many
    ellipses are cut out of the object, and as many are laid over the background. confidence: the map is kept within
    1 - confidence and confidence, so that its logits stay finite.
    """

    p: float = 0.25
    shift: float = 0.04
    blur: float = 1.5
    spots: int = 2
    confidence: float = 0.98

    def __call__(self, mask: Tensor, rng: np.random.Generator) -> Tensor:
        """(1, H, W) in 0..1 → logits (1, H/8, W/8), NaN everywhere where nothing was drawn."""
        size = (mask.shape[-2] // STRIDE, mask.shape[-1] // STRIDE)
        if rng.random() >= self.p:
            return torch.full((1, *size), torch.nan)
        small = cv2.resize(mask[0].numpy(), size[::-1], interpolation=cv2.INTER_AREA)
        damaged = self._blurred(self._spotted(self._shifted(self._grown(small, rng), rng), rng), rng)
        bounded = np.clip(damaged, 1 - self.confidence, self.confidence)
        return torch.from_numpy(np.log(bounded / (1 - bounded)))[None]

    @staticmethod
    def _grown(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """One cell more or less all around, or as it is."""
        change = rng.integers(3)
        kernel = np.ones((3, 3), np.uint8)
        return (x, cv2.dilate(x, kernel), cv2.erode(x, kernel))[change]

    def _shifted(self, x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        offset = rng.uniform(-self.shift, self.shift, 2) * x.shape[::-1]
        matrix = np.array([[1, 0, offset[0]], [0, 1, offset[1]]], np.float32)
        return cv2.warpAffine(x, matrix, x.shape[::-1], borderMode=cv2.BORDER_REPLICATE)

    def _spotted(self, x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        inside = x > 0.5
        x = x.copy()
        for region, value in ((inside, 0.0), (~inside, 1.0)):
            for _ in range(rng.integers(self.spots + 1)):
                rows, columns = np.nonzero(region)
                chosen, axes, angle = rng.random(), rng.uniform(0.02, 0.12, 2) * x.shape, rng.uniform(0, 180)
                if rows.size:
                    at = int(chosen * rows.size)
                    center = (int(columns[at]), int(rows[at]))
                    cv2.ellipse(x, center, [max(1, round(axis)) for axis in axes[::-1]], angle, 0, 360, value, -1)
        return x

    def _blurred(self, x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        sigma = rng.uniform(0, self.blur)
        return cv2.GaussianBlur(x, (0, 0), sigma) if sigma > 0.1 else x
