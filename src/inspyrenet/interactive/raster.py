"""Strokes and boxes on a grid of cells that lies over the image, such as that of the coarse map."""

from collections.abc import Iterator, Sequence

import numpy as np

from ..data.images.bilinear import interpolated
from ..data.images.preprocess import resize
from .prompt import Box, Stroke

DEFAULT_WIDTH = 1 / 40  # of the image's longer side
VALUES = 2**22  # distances at a time, of all cells to some segments
WHOLE = slice(None), slice(None)


def stroke_width(stroke: Stroke, shape: tuple[int, int]) -> float:
    """In pixels of the image of (height, width)."""
    return stroke.width if stroke.width is not None else DEFAULT_WIDTH * max(shape)


def distance_to(
    stroke: Stroke, shape: tuple[int, int], grid: tuple[int, int], window: tuple[slice, slice] = WHOLE
) -> np.ndarray:
    """From each cell's center to the line through the stroke's points, in pixels of the image of `shape`: float32 (h, w).

    window: rows and columns of the grid that are wanted.
    """
    x, y = _centers(shape, grid)
    x, y = x[:, window[1]], y[window[0]]
    points = np.array(stroke.points, np.float32)
    starts, ends = (points, points) if len(points) == 1 else (points[:-1], points[1:])
    nearest = np.full((len(y), x.shape[1]), np.inf, np.float32)
    for start, end in _chunks(starts, ends, max(1, VALUES // max(1, nearest.size))):
        along = end - start
        length = np.maximum((along**2).sum(1), 1e-12)
        dx, dy = x[..., None] - start[:, 0], y[..., None] - start[:, 1]
        share = np.clip((dx * along[:, 0] + dy * along[:, 1]) / length, 0, 1)
        squared = (dx - share * along[:, 0]) ** 2 + (dy - share * along[:, 1]) ** 2
        np.minimum(nearest, squared.min(-1), out=nearest)
    return np.sqrt(nearest)


def stroke_labels(strokes: Sequence[Stroke], shape: tuple[int, int], grid: tuple[int, int]) -> np.ndarray:
    """Which cells strokes go over, int8 (h, w): 1 keep, −1 remove, 0 neither; later strokes lie on top of earlier ones.

    A stroke has at least the cell that it begins in.
    """
    labels = np.zeros(grid, np.int8)
    for stroke in strokes:
        distance = distance_to(stroke, shape, grid)
        inside = distance <= stroke_width(stroke, shape) / 2
        inside.flat[distance.argmin()] = True
        labels[inside] = 1 if stroke.keep else -1
    return labels


def box_cover(boxes: Sequence[Box], shape: tuple[int, int], grid: tuple[int, int]) -> np.ndarray:
    """How much of each cell lies in one of the boxes, 0..1: float32 (h, w)."""
    cover = np.zeros(grid, np.float32)
    for x, y, width, height in boxes:
        columns = _overlap(x, x + width, shape[1], grid[1])
        rows = _overlap(y, y + height, shape[0], grid[0])
        inside = np.flatnonzero(rows), np.flatnonzero(columns)
        if all(map(len, inside)):  # a small box costs little
            part = tuple(slice(places[0], places[-1] + 1) for places in inside)
            np.maximum(cover[part], rows[part[0], None] * columns[part[1]], out=cover[part])
    return cover


def mean_in_cells(values: np.ndarray, grid: tuple[int, int]) -> np.ndarray:
    """A map of any size, float32 in 0..1, on a grid: means where it shrinks, between pixels where it grows."""
    return resize(np.rint(values * 255).astype(np.uint8), grid).astype(np.float32) / 255


def enlarged(cells: np.ndarray, grid: tuple[int, int]) -> np.ndarray:
    """Cells, bool (h, w), and those around them on a finer grid: float32 (H, W), 1 there, falling to 0 within one more cell."""
    values = _grown(cells).astype(np.float32)
    result = np.empty(grid, np.float32)
    for top, stop, band in interpolated(values, grid, corners=False):
        result[top:stop] = band
    return result


def connected(cells: np.ndarray, seeds: np.ndarray) -> np.ndarray:
    """The seeds, and of the cells, both bool (h, w), those that a way through cells and seeds leads to."""
    allowed, found = cells | seeds, seeds
    while (wider := _grown(found) & allowed).sum() > found.sum():
        found = wider
    return found


def brushed(
    probability: np.ndarray, strokes: Sequence[Stroke], shape: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """A map (1, 1, h, w) that has what strokes say right under their middle, fading to the map itself at their borders; and how
    much of each pixel they decide, alike, 0..1. So a thin stroke counts where it is finer than a cell of the coarse map."""
    result, reach = probability.copy(), np.zeros_like(probability)
    grid = probability.shape[2], probability.shape[3]
    for stroke in strokes:
        window = _around(stroke, shape, grid)
        distance = distance_to(stroke, shape, grid, window)
        share = np.clip(2 - 4 * distance / stroke_width(stroke, shape), 0, 1)
        part, touched = (array[:, :, window[0], window[1]] for array in (result, reach))
        part += share * (float(stroke.keep) - part)
        np.maximum(touched, share, out=touched)
    return result, reach


def _around(stroke: Stroke, shape: tuple[int, int], grid: tuple[int, int]) -> tuple[slice, slice]:
    """Rows and columns of the grid outside of which nothing lies under the stroke."""
    points, half = np.array(stroke.points), stroke_width(stroke, shape) / 2
    cell = np.array(shape[::-1]) / grid[::-1]
    first = np.floor((points.min(0) - half) / cell).clip(0, grid[::-1]).astype(int)
    stop = np.ceil((points.max(0) + half) / cell).clip(0, grid[::-1]).astype(int)
    return slice(first[1], stop[1]), slice(first[0], stop[0])


def _grown(cells: np.ndarray) -> np.ndarray:
    """With the eight neighbors."""
    padded = np.pad(cells, 1)
    rows = padded[:-2] | padded[1:-1] | padded[2:]
    return rows[:, :-2] | rows[:, 1:-1] | rows[:, 2:]


def _overlap(start: float, end: float, length: int, cells: int) -> np.ndarray:
    """How much of each of the cells of a line lies between start and end."""
    edges = np.arange(cells + 1) * (length / cells)
    inside = np.minimum(end, edges[1:]) - np.maximum(start, edges[:-1])
    return np.clip(inside / (length / cells), 0, 1).astype(np.float32)


def _centers(shape: tuple[int, int], grid: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    y, x = (
        (np.arange(cells, dtype=np.float32) + 0.5) * (length / cells) for length, cells in zip(shape, grid, strict=True)
    )
    return x[None, :], y[:, None]


def _chunks(starts: np.ndarray, ends: np.ndarray, count: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for first in range(0, len(starts), count):
        yield starts[first : first + count], ends[first : first + count]
