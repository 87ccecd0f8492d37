"""The object's own colors in soft edges, coarse to fine (Germer et al., "Fast Multi-Level Foreground Estimation", ICPR 2020).

Every pixel is I = αF + (1 − α)B. On each level, from one pixel to the image's own size, F and B start from the level below
and are drawn, some times over, towards the mean of their four neighbors and towards the equation. Where α is 0 or 1 there is
nothing to solve, so that the fine levels compute their soft pixels alone; and they go through in bands of rows, so that memory
does not grow with the image.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

REGULARIZATION = 1e-5  # of neighbors with the same alpha; a difference of alpha adds itself
COARSE, COARSE_STEPS, STEPS = 32, 10, 2  # up to this longer side that many steps, then these
WHOLE = 128  # up to this longer side every pixel is computed, so that colors spread into what is plainly background
NEARLY = 2  # so close to 0 or 255 alpha counts as 0 or 255 on fine levels: an error of at most two gray levels
BAND = 1 << 19  # pixels that are computed at a time


def multilevel(image: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Image and alpha, uint8 (H, W, 3) and (H, W) → the object's colors, uint8 (H, W, 3); the image's own where α is 0 or 1."""
    height, width = alpha.shape
    count = max(1, int(np.ceil(np.log2(max(height, width)))))
    foreground = background = image.reshape(-1, 3).mean(0).round().astype(np.uint8)[None, None]
    for level in range(count):
        size = round(height ** (level / count)), round(width ** (level / count))
        down, across = _nearest(size[0], height)[:, None], _nearest(size[1], width)
        foreground, background = _solve_level(image[down, across], alpha[down, across], foreground, background)
    colors = image.copy()
    for band in _bands(height, width, STEPS):
        found, _ = _solve_band(image, alpha, foreground, background, band)
        rows = slice(band.first, band.last)
        np.copyto(colors[rows], found, where=_soft(alpha[rows])[..., None])
    return colors


@dataclass(frozen=True)
class _Band:
    """Rows `first` to `last` of a level, computed with rows `top` to `bottom`, which reach as far as a step can see."""

    first: int
    last: int
    top: int
    bottom: int


def _bands(height: int, width: int, steps: int) -> Iterator[_Band]:
    rows = max(1, BAND // width)
    for first in range(0, height, rows):
        last = min(height, first + rows)
        yield _Band(first, last, max(0, first - steps), min(height, last + steps))


def _nearest(count: int, old: int) -> np.ndarray:
    """For each of `count` places on a line the one of `old` that it lies in."""
    return np.arange(count) * old // count


def _soft(alpha: np.ndarray) -> np.ndarray:
    return (alpha > 0) & (alpha < 255)


def _solve_level(
    image: np.ndarray, alpha: np.ndarray, foreground: np.ndarray, background: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Colors of the level below → colors of this one, both uint8."""
    height, width = alpha.shape
    steps = COARSE_STEPS if max(height, width) <= COARSE else STEPS
    results = np.empty((2, height, width, 3), np.uint8)
    for band in _bands(height, width, steps):
        results[:, band.first : band.last] = _solve_band(image, alpha, foreground, background, band, steps)
    return results[0], results[1]


def _solve_band(
    image: np.ndarray,
    alpha: np.ndarray,
    foreground: np.ndarray,
    background: np.ndarray,
    band: _Band,
    steps: int = STEPS,
) -> tuple[np.ndarray, np.ndarray]:
    """Both colors, uint8, of the rows `first` to `last`."""
    height, width = alpha.shape
    rows = slice(band.top, band.bottom)
    down, across = _nearest(height, foreground.shape[0])[rows], _nearest(width, foreground.shape[1])
    colors = [one[down[:, None], across] for one in (foreground, background)]
    image, alpha = image[rows], alpha[rows]
    np.copyto(colors[0], image, where=(alpha >= 255 - NEARLY)[..., None])
    np.copyto(colors[1], image, where=(alpha <= NEARLY)[..., None])
    whole = max(height, width) <= WHOLE
    active = np.ones_like(alpha, bool) if whole else (alpha > NEARLY) & (alpha < 255 - NEARLY)
    if active.any():
        _relax(image, alpha, colors, active, steps)
    own = slice(band.first - band.top, band.last - band.top)
    return colors[0][own], colors[1][own]


def _relax(image: np.ndarray, alpha: np.ndarray, colors: list[np.ndarray], active: np.ndarray, steps: int) -> None:
    """Some steps at the active pixels, in place; the others are given."""
    places, neighbors = _neighborhood(active)
    count = neighbors.shape[1]
    share = alpha.ravel()[places].astype(np.float32) / 255
    pixels = image.reshape(-1, 3)[places[:count]].astype(np.float32)
    front, behind = (one.reshape(-1, 3)[places].astype(np.float32) for one in colors)
    own = share[:count]
    weights = np.abs(share[neighbors] - own) + np.float32(REGULARIZATION)
    total = weights.sum(0)
    weights /= total
    forward = (own / (own**2 + (1 - own) ** 2 + total))[:, None]
    backward = ((1 - own) / (own**2 + (1 - own) ** 2 + total))[:, None]
    own = own[:, None]
    for _ in range(steps):
        near, far = (_mean(one, neighbors, weights) for one in (front, behind))
        residual = pixels - own * near - (1 - own) * far
        np.clip(near + forward * residual, 0, 255, out=front[:count])
        np.clip(far + backward * residual, 0, 255, out=behind[:count])
    for one, values in zip(colors, (front, behind), strict=True):
        one.reshape(-1, 3)[places[:count]] = np.rint(values[:count]).astype(np.uint8)


def _mean(values: np.ndarray, neighbors: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted mean of the four neighbors, (count, 3)."""
    mean = weights[0, :, None] * values.take(neighbors[0], axis=0)
    for weight, places in zip(weights[1:], neighbors[1:], strict=True):
        mean += weight[:, None] * values.take(places, axis=0)
    return mean


def _neighborhood(active: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(flat places of the active pixels and then of those beside them, (4, active) positions of neighbors in that list).

    At a border a pixel is its own neighbor.
    """
    height, width = active.shape
    row, column = np.nonzero(active)
    flat = row * width + column
    beside = np.stack(
        [
            flat - width * (row > 0),
            flat + width * (row < height - 1),
            flat - (column > 0),
            flat + (column < width - 1),
        ]
    )
    ring = np.zeros(active.size, bool)
    ring[beside.ravel()] = True
    ring[flat] = False
    places = np.concatenate([flat, np.flatnonzero(ring)])
    position = np.empty(active.size, np.int32)
    position[places] = np.arange(len(places), dtype=np.int32)
    return places, position[beside]
