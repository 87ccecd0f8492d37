"""What colors alone tell of a picture: which of them were object, and which were not, near the same place one picture before.

Counts on a coarse grid of place and color, smoothed, as in Märki et al., Bilateral Space Video Segmentation, CVPR 2016. How far
the counts may be believed is told by how well they give back the map that they were made of, around each place, as in Bai et al.,
Video SnapCut, SIGGRAPH 2009.
"""

from typing import NamedTuple

import numpy as np

from .errors import load_cv2

PLACES, BITS = 8, 3  # cells along each side of the picture; bits of each channel
PRIOR = 32.0  # smoothed counts that what was known before stands for
AROUND = 31  # pixels of the square in which the counts are judged
WRONG = 0.1  # mean error at which they count 1/e


class Colors(NamedTuple):
    """A picture's pixels in cells of place and color: number of the cell, (h, w); shape of the grid."""

    cell: np.ndarray
    shape: tuple[int, ...]


class Guess(NamedTuple):
    """What colors tell of the picture now, float32 (h, w). objects, all_pixels: smoothed counts of its pixels' colors near their
    places. believed: 0..1, how right the counts are, for the pixels of the picture before."""

    objects: np.ndarray
    all_pixels: np.ndarray
    believed: np.ndarray

    def known(self) -> np.ndarray:
        """0..1, near 0 where the colors are new."""
        return self.all_pixels / (self.all_pixels + PRIOR)

    def after(self, probability: np.ndarray) -> np.ndarray:
        """What a map in 0..1 becomes where nothing but the colors counts; itself where they are new."""
        return (self.objects + PRIOR * probability) / (self.all_pixels + PRIOR)


def colors_of(image: np.ndarray) -> Colors:
    """Of uint8 RGB (h, w, 3)."""
    levels = load_cv2().GaussianBlur(image, (0, 0), 1) >> (8 - BITS)
    rows, columns = (np.arange(side) * PLACES // side for side in image.shape[:2])
    cell = (rows[:, None] * PLACES + columns).astype(np.int32)
    for channel in np.moveaxis(levels, -1, 0):
        cell = (cell << BITS) | channel
    return Colors(cell, (PLACES, PLACES, *[1 << BITS] * 3))


def guess(before: Colors, probability: np.ndarray, now: Colors) -> Guess:
    """What the colors of `before` with its map (h, w) in 0..1 say of the picture `now`, which is of the same size."""
    count = int(np.prod(before.shape))
    flat = before.cell.ravel()
    objects, all_pixels = (
        _smoothed(np.bincount(flat, weights, count).astype(np.float32).reshape(before.shape)).ravel()
        for weights in (probability.ravel(), None)
    )
    table = (objects + PRIOR / 2) / (all_pixels + PRIOR)
    wrong = load_cv2().blur(np.abs(table[before.cell] - probability), (AROUND, AROUND))
    return Guess(objects[now.cell], all_pixels[now.cell], np.exp(-((wrong / WRONG) ** 2)))


def _smoothed(grid: np.ndarray) -> np.ndarray:
    """With 1, 2, 1 along each axis; nothing lies beyond the ends."""
    for axis in range(grid.ndim):
        lines = np.moveaxis(grid, axis, 0)
        sums = 2 * lines
        sums[1:] += lines[:-1]
        sums[:-1] += lines[1:]
        grid = np.moveaxis(sums, 0, axis)
    return grid
