"""The object's own colors in soft edges, coarse to fine (Germer et al., "Fast Multi-Level Foreground Estimation", ICPR 2020).

Every pixel is I = αF + (1 − α)B. On each level, from one pixel to the image's own size, F and B start from the level below
and are drawn, some times over, towards the mean of their four neighbors and towards the equation. A level has every second row
and column of the next. It goes through in tiles, so that arrays fit the processor's cache and what is computed in float32 does not
grow with the image; on fine levels a tile without soft pixels keeps what it starts from.

Memory beside image and alpha: 4.6 MB for each megapixel, of which 3 are the result, and 5 MB for the tiles (measured: 9 MB at 1,
116 MB at 24 megapixels).
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeAlias

import numpy as np

REGULARIZATION = np.float32(1e-5)  # of neighbors with the same alpha; a difference of alpha adds itself
STEPS = ((32, 10), (640, 6))  # up to this longer side of a level that many steps
FINE, FINEST = 2, 1  # steps of larger levels, and of the image's own size; quick, and less exact by 2 % than two more
WHOLE = 128  # up to this longer side every tile is computed, so that colors spread into what is plainly background
NEARLY = 2  # so close to 0 or 255 alpha counts as 0 or 255: an error of at most two gray levels
TILE = 64, 256  # rows and columns, even
THREADS = 2
SAMPLES = 64  # of each side, for the mean color

Tile: TypeAlias = tuple[slice, slice]


def multilevel(image: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Image and alpha, uint8 (H, W, 3) and (H, W) → the object's colors, uint8 (H, W, 3); the image's own where α is 0 or 1."""
    height, width = alpha.shape
    planes = image.transpose(2, 0, 1)
    mean = planes[:, :: max(1, height // SAMPLES), :: max(1, width // SAMPLES)].mean((1, 2)).round()
    colors = np.empty((2, 3, 1, 1), np.uint8)  # of object and background
    colors[:] = mean[:, None, None]
    for level in range(int(np.ceil(np.log2(max(height, width)))), 0, -1):
        every = 1 << level
        colors = _solve_level(planes[:, ::every, ::every], alpha[::every, ::every], colors)
    result = image.copy()

    def solve(tile: Tile) -> None:
        soft = (alpha[tile] > 0) & (alpha[tile] < 255)
        if soft.any():
            found = _solve_tile(planes, alpha, colors, tile, FINEST)[0]
            result[tile] = np.where(soft, found, planes[:, *tile]).transpose(1, 2, 0)

    _for_tiles(height, width, solve)
    return result


def _for_tiles(height: int, width: int, solve: Callable[[Tile], None]) -> None:
    tiles = [
        (slice(top, min(height, top + TILE[0])), slice(left, min(width, left + TILE[1])))
        for top in range(0, height, TILE[0])
        for left in range(0, width, TILE[1])
    ]
    if len(tiles) == 1:
        solve(tiles[0])
        return
    with ThreadPoolExecutor(THREADS) as pool:
        for _ in pool.map(solve, tiles):
            pass  # an error is raised here


def _solve_level(planes: np.ndarray, alpha: np.ndarray, below: np.ndarray) -> np.ndarray:
    """Image (3, H, W), alpha (H, W) and both colors of the level below → both colors of this one, uint8 (2, 3, H, W)."""
    height, width = alpha.shape
    longer = max(height, width)
    steps = next((steps for side, steps in STEPS if longer <= side), FINE)
    colors = np.empty((2, 3, height, width), np.uint8)

    def solve(tile: Tile) -> None:
        colors[:, :, *tile] = _solve_tile(planes, alpha, below, tile, steps, longer <= WHOLE)

    _for_tiles(height, width, solve)
    return colors


def _solve_tile(
    planes: np.ndarray, alpha: np.ndarray, below: np.ndarray, tile: Tile, steps: int, always: bool = False
) -> np.ndarray:
    """Both colors of a tile, uint8 (2, 3, h, w), computed with a margin as wide as the steps can see."""
    margin = steps + steps % 2
    pixels, share = _window(planes, tile, margin), _window(alpha, tile, margin)
    height, width = share.shape
    half = [slice(side.start // 2, (side.stop + 1) // 2) for side in tile]
    colors = _doubled(_window(below, (half[0], half[1]), margin // 2))[..., :height, :width]
    opaque, clear = share >= 255 - NEARLY, share <= NEARLY
    solvable = always or not (opaque | clear).all()
    kind = np.float32 if solvable else np.uint8
    pixels, colors = pixels.astype(kind, order="C"), colors.astype(kind, order="C")
    np.copyto(colors[0], pixels, where=opaque)
    np.copyto(colors[1], pixels, where=clear)
    if solvable:
        lines = colors.reshape(2, 3, -1), pixels.reshape(3, -1), share.ravel() / np.float32(255)
        _relax(*lines, width, steps)
    own = colors[:, :, margin : height - margin, margin : width - margin]
    return np.rint(own).astype(np.uint8) if solvable else own


def _window(array: np.ndarray, tile: Tile, margin: int) -> np.ndarray:
    """A tile of (…, H, W) with a margin; beyond the border the nearest pixel is repeated."""
    cut, missing = [], []
    for side, length in zip(tile, array.shape[-2:], strict=True):
        first, last = side.start - margin, side.stop + margin
        cut.append(slice(max(first, 0), last))
        missing.append((max(-first, 0), max(last - length, 0)))
    inside = array[..., cut[0], cut[1]]
    return np.pad(inside, [(0, 0)] * (array.ndim - 2) + missing, "edge") if any(map(any, missing)) else inside


def _doubled(array: np.ndarray) -> np.ndarray:
    """uint8 (…, h, w) → (…, 2h, 2w), every pixel four times. A byte times 257 is that byte twice."""
    return (array.astype(np.uint16) * np.uint16(257)).view(np.uint8).repeat(2, -2)


def _relax(colors: np.ndarray, pixels: np.ndarray, share: np.ndarray, width: int, steps: int) -> None:
    """Some steps, in place. Rows follow each other: colors (2, 3, n), pixels (3, n), share of the object (n).

    Each step spoils one more pixel at the sides of the rows, whose neighbors lie in other rows, and leaves one more as it was
    at the first and last row.
    """
    inner = slice(width, share.size - width)
    places = [slice(inner.start + away, inner.stop + away) for away in (-width, width, -1, 1)]
    own = share[inner]
    weights = np.stack([share[place] for place in places])
    weights -= own
    np.abs(weights, out=weights)
    weights += REGULARIZATION
    total = weights.sum(0)
    weights /= total
    shares = np.stack([own, 1 - own])
    gains = (shares / ((shares**2).sum(0) + total))[:, None]
    shares, pixels = shares[:, None], pixels[:, inner]
    product = np.empty((2, 3, own.size), np.float32)
    for _ in range(steps):
        mean = weights[0] * colors[..., places[0]]
        for weight, place in zip(weights[1:], places[1:], strict=True):
            mean += np.multiply(weight, colors[..., place], out=product)
        parts = np.multiply(shares, mean, out=product)
        residual = pixels - parts[0]
        residual -= parts[1]
        mean += np.multiply(gains, residual, out=product)
        np.clip(mean, 0, 255, out=colors[..., inner])
