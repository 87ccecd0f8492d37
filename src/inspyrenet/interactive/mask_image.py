"""An image as a mask: what of it marks the object."""

from pathlib import Path

import numpy as np

from ..data.images.decoded import DecodedImage, read_decoded

COLORED = 16  # levels between the channels of a pixel; compression makes fewer of gray ones
SHADED = 0.2  # of what is seen: with more pixels between black and white, it is a picture and no drawn mask


def read_mask(path: Path) -> np.ndarray:
    """A mask's file as `gray_of` has it. Raises ImageError, OSError."""
    return gray_of(read_decoded(path))


def gray_of(image: DecodedImage) -> np.ndarray:
    """A mask that was read → uint8 (H, W): its gray, on black where it is transparent. Of a picture with transparency that is in
    color, of many grays, or nowhere bright, as a cut-out is: how opaque it is."""
    gray, alpha = image.array.max(axis=2), image.alpha
    if alpha is None:
        return gray
    seen = alpha > 0
    colored = (gray - image.array.min(axis=2))[seen] > COLORED
    gray = gray * (255 if gray.max() == 1 else 1)  # of labels 0 and 1
    shaded = (gray[seen] > COLORED) & (gray[seen] < 255 - COLORED)
    if alpha.min() < 255 and (colored.any() or not (gray[seen] >= 128).any() or shaded.mean() > SHADED):
        return alpha
    return np.minimum(gray, alpha)
