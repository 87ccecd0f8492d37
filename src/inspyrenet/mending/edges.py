"""Edges moved and softened: alpha uint8 (H, W) → uint8 (H, W). What lies outside the image is as its nearest pixel is."""

import math

import numpy as np
from PIL import Image, ImageFilter


def grown(alpha: np.ndarray, reach: float) -> np.ndarray:
    """At each pixel the largest alpha within `reach` pixels: the object grows, and its soft edge stays as soft.

    A disc's rows are running maxima of one width after the other, so the cost grows with the radius and not with its square.
    """
    result, rows = alpha.copy(), alpha.copy()
    height, width = alpha.shape
    farthest = min(math.floor(reach), height - 1)
    lines = [(min(math.isqrt(math.floor(reach**2 - away**2)), width - 1), away) for away in range(farthest + 1)]
    done = 0  # pixels to each side that `rows` has seen
    for across, away in reversed(lines):
        for far in range(done + 1, across + 1):
            np.maximum(rows[:, far:], alpha[:, :-far], out=rows[:, far:])
            np.maximum(rows[:, :-far], alpha[:, far:], out=rows[:, :-far])
        done = max(done, across)
        np.maximum(result[away:], rows[: height - away], out=result[away:])
        np.maximum(result[: height - away], rows[away:], out=result[: height - away])
    return result


def shrunk(alpha: np.ndarray, reach: float) -> np.ndarray:
    """At each pixel the smallest alpha within `reach` pixels."""
    return 255 - grown(255 - alpha, reach)


def feathered(alpha: np.ndarray, reach: float) -> np.ndarray:
    """Blurred by a Gaussian with a standard deviation of half of `reach`: a hard edge becomes soft over `reach` to both sides."""
    return np.asarray(Image.fromarray(alpha).filter(ImageFilter.GaussianBlur(reach / 2)))
