"""Metrics of the mask's edge: mean boundary accuracy and boundary IoU."""

from functools import cache

import cv2
import numpy as np

from . import bits
from .prepare import THRESHOLDS, Pair, histogram, look_up

_BANDS = 5
_BAND_SHARE = 0.02  # width of the BIoU band as a share of the image's diagonal


def mean_boundary_accuracy(pair: Pair) -> float:
    """Share of right pixels (prediction > 128 of 255, not stretched) in a band around the mask's edge, mean of five widths.

    The bands are the morphological gradients of the mask with elliptical kernels whose radii grow from 1 to
    (height + width) / 300. NaN where the mask is empty or full: it has no edge.
    """
    mask = pair.mask
    if mask.all() or not mask.any():
        return float("nan")
    radii = band_radii(mask.shape)
    inside = bits.pack(mask)
    everything = bits.ones(mask.shape)
    found = bits.pack(pair.index >= int(np.searchsorted(pair.raw * 255, 128, side="right")))
    right = ~(inside ^ found)
    grown, grown_back = bits.dilate_rows(inside, radii[-1]), bits.dilate_rows(inside ^ everything, radii[-1])
    accuracy = {}
    for radius in set(radii):
        band = bits.dilate(grown, _disc(radius)) & bits.dilate(grown_back, _disc(radius)) & everything
        accuracy[radius] = bits.count(band & right) / bits.count(band)
    return sum(accuracy[radius] for radius in radii) / _BANDS


def band_radii(shape: tuple[int, int]) -> list[int]:
    """The five kernel radii; below height + width = 600 they are all 1."""
    largest = sum(shape) / 300
    return [1 + int((largest - 1) / _BANDS * i) for i in range(_BANDS)]


@cache
def _disc(radius: int) -> np.ndarray:
    """Half widths of the rows of OpenCV's elliptical kernel."""
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    return (kernel.sum(axis=1, dtype=np.int64) - 1) // 2


def band_positives(pair: Pair) -> np.ndarray:
    """(2, 256) int64: false and true positives of the boundary bands at thresholds 255, 254 … 0.

    A band is the map minus its erosion by a square of 2 d + 1 pixels, d = 2 % of the diagonal, with 0 outside the image;
    for the prediction the gray map is eroded, so that the band at a threshold is an approximation of the binary one's.
    """
    height, width = pair.mask.shape
    reach = max(1, round(_BAND_SHARE * float(np.hypot(height, width))))
    square = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
    gray = look_up(pair.index, (pair.levels.clip(0, 1) * 255).astype(np.uint8))
    mask = pair.mask.view(np.uint8)
    prediction_band, mask_band = (image - _erode(image, square) for image in (gray, mask))
    inside = histogram(prediction_band, THRESHOLDS, mask_band)
    outside = histogram(prediction_band, THRESHOLDS) - inside
    return np.cumsum(np.stack([outside, inside])[:, ::-1], axis=1)


def _erode(image: np.ndarray, square: np.ndarray) -> np.ndarray:
    return cv2.erode(image, square, borderType=cv2.BORDER_CONSTANT, borderValue=0)
