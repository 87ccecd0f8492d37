"""Pairs on which the metrics are compared with other formulations."""

import cv2
import numpy as np
from hypothesis import strategies as st


@st.composite
def pairs(draw, smallest: int = 1, largest: int = 70) -> tuple[np.ndarray, np.ndarray]:
    """A map and a mask, uint8: of noise, or of smooth blobs; empty, full and soft masks, constant maps."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = draw(st.integers(smallest, largest)), draw(st.integers(smallest, largest))
    levels = np.array(draw(st.lists(st.integers(0, 255), min_size=1, max_size=6)), np.uint8)
    prediction = levels[rng.integers(0, len(levels), shape)]
    mask = (rng.random(shape) < draw(st.sampled_from([0, 0.02, 0.3, 0.9, 1]))).astype(np.uint8) * 255
    if draw(st.booleans()):
        smooth = cv2.GaussianBlur(rng.random(shape), (0, 0), rng.uniform(0.5, 6)).reshape(shape)
        mask = (smooth > draw(st.sampled_from([0.45, 0.5, 0.55]))).astype(np.uint8) * 255
        prediction = cv2.GaussianBlur(np.roll(mask, rng.integers(-5, 6), 0), (0, 0), 2).reshape(shape)
    if draw(st.booleans()):
        mask = cv2.blur(mask, (3, 3)).reshape(shape)
    return prediction, mask


def objects(shape: tuple[int, int], seed: int, noise: float = 0) -> tuple[np.ndarray, np.ndarray]:
    """Several smooth objects, and a soft, displaced map of them."""
    rng = np.random.default_rng(seed)
    mask = (cv2.GaussianBlur(rng.random(shape), (0, 0), min(shape) / 14) > 0.51).astype(np.uint8) * 255
    soft = cv2.GaussianBlur(np.roll(mask, 4, axis=1), (0, 0), 3) + rng.normal(0, noise, shape)
    return soft.clip(0, 255).astype(np.uint8), mask
