"""Connected regions of a mask, by the runs of its rows: a photograph has a few thousand of them, and millions of pixels."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..data.images.bounds import bands

FAINT, SURE = 26, 128  # of 255: a tenth, and half
RUNS = 2**17  # that are joined at a time: a checkerboard has one for every two pixels
SIDE = 400  # pixels of the longer side of a map that is `reduced` to measure distances in

Box = tuple[int, int, int, int]  # left, top, width, height, in pixels


@dataclass(frozen=True, eq=False)
class Components:
    """The regions of a mask (height, width).

    starts, stops: (n,), of each run the first place and the one behind the last, in row-major order. labels: (n,), the region
    that a run belongs to, 0 … count − 1, in the order in which rows meet them.
    """

    shape: tuple[int, int]
    starts: np.ndarray
    stops: np.ndarray
    labels: np.ndarray
    count: int

    def areas(self) -> np.ndarray:
        """Pixels of each region, int64 (count,)."""
        return np.bincount(self.labels, self.stops - self.starts, self.count).astype(np.int64)

    def counts(self, mask: np.ndarray) -> np.ndarray:
        """Pixels of `mask`, all of which lie in regions, for each region, int64 (count,)."""
        result = np.zeros(self.count, np.int64)
        for starts, stops in _runs(mask):
            np.add.at(result, self.labels[np.searchsorted(self.starts, starts, "right") - 1], stops - starts)
        return result

    def box(self, chosen: np.ndarray) -> Box | None:
        """Around the regions that are chosen, bool (count,); None where none is."""
        runs = chosen[self.labels]
        if not runs.any():
            return None
        width = self.shape[1]
        starts, stops = self.starts[runs], self.stops[runs] - 1
        left, right = int((starts % width).min()), int((stops % width).max())
        top, bottom = int(starts[0] // width), int(starts[-1] // width)
        return left, top, right - left + 1, bottom - top + 1

    def mask(self, chosen: np.ndarray) -> np.ndarray:
        """The regions that are chosen, bool (height, width)."""
        runs = chosen[self.labels]
        change = np.zeros(self.shape[0] * self.shape[1] + 1, np.int8)
        change[self.starts[runs]] += 1
        change[self.stops[runs]] -= 1  # where two runs meet at the end of a row, both count
        return np.cumsum(change[:-1], dtype=np.int8).view(bool).reshape(self.shape)

    def numbered(self, numbers: np.ndarray) -> np.ndarray:
        """Each region's number, integers 0..255 (count,), at its pixels, and 0 elsewhere; uint8 (height, width)."""
        change = np.zeros(self.shape[0] * self.shape[1] + 1, np.int16)
        own = numbers[self.labels].astype(np.int16)
        change[self.starts] += own
        change[self.stops] -= own
        return np.cumsum(change[:-1], dtype=np.int16).astype(np.uint8).reshape(self.shape)


def components(mask: np.ndarray, diagonal: bool = True) -> Components:
    """The connected regions of a mask, bool (H, W). diagonal: pixels that meet at a corner are connected."""
    height, width = mask.shape
    starts, stops = map(np.concatenate, zip(*_runs(mask), strict=True))
    parents = np.arange(len(starts), dtype=np.int32)
    for first, stop in _parts(starts, width):
        upper, lower = _touching(starts[first:stop], stops[first:stop], width, diagonal)
        roots, places = np.unique(np.concatenate([parents[first + upper], first + lower]), return_inverse=True)
        parents[roots] = roots[_joined(len(roots), *np.split(places, 2))]
    parents = _settled(parents)
    own = parents == np.arange(len(parents), dtype=np.int32)
    labels = np.cumsum(own, dtype=np.int32)[parents] - 1
    return Components((height, width), starts, stops, labels, int(np.count_nonzero(own)))


def _runs(mask: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """First places of the runs in rows, and those behind the last, int32, in row-major order, of a band of rows after the other."""
    height, width = mask.shape
    for top, bottom in bands(width, height):
        line = np.zeros(1 + (bottom - top) * (width + 1), bool)
        line[1:].reshape(bottom - top, width + 1)[:, :width] = mask[top:bottom]
        ends = np.flatnonzero(line[1:] != line[:-1])
        ends -= ends // (width + 1)
        ends += top * width
        yield ends[::2].astype(np.int32), ends[1::2].astype(np.int32)


def _parts(starts: np.ndarray, width: int) -> Iterator[tuple[int, int]]:
    """(first, stop) of parts of about RUNS runs: whole rows, the first of which is the last row of the part before."""
    first = stop = 0
    while stop < len(starts):
        row = starts[min(stop + RUNS, len(starts)) - 1] // width
        stop = int(np.searchsorted(starts, (row + 1) * width))
        yield first, stop
        first = int(np.searchsorted(starts, row * width))


def _touching(starts: np.ndarray, stops: np.ndarray, width: int, diagonal: bool) -> tuple[np.ndarray, np.ndarray]:
    """The pairs of runs that touch, one above the other, by their numbers."""
    rows = starts // width
    starts, stops = starts + rows, stops + rows  # as if a pixel were behind each row, so that rows do not touch
    below, reach = width + 1, int(diagonal)
    first = np.searchsorted(stops, starts + below + 1 - reach)
    counts = np.maximum(np.searchsorted(starts, stops + below - 1 + reach, "right") - first, 0)
    upper = np.repeat(np.arange(len(starts)), counts)
    lower = np.arange(len(upper)) - np.repeat(np.cumsum(counts) - counts, counts) + np.repeat(first, counts)
    return upper, lower


def _joined(count: int, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The smallest number that each of 0 … count − 1 is connected to by the pairs (one, other)."""
    parents = np.arange(count)
    while True:
        first, second = parents[one], parents[other]
        apart = first != second
        if not apart.any():
            return parents
        one, other, first, second = one[apart], other[apart], first[apart], second[apart]
        parents[np.maximum(first, second)] = np.minimum(
            first, second
        )  # roots alone: no circle, since numbers only fall
        parents = _settled(parents)


def _settled(parents: np.ndarray) -> np.ndarray:
    """The root of each, by the next number on the way there."""
    while not np.array_equal(higher := parents[parents], parents):
        parents = higher
    return parents


def reduced(values: np.ndarray, step: int) -> np.ndarray:
    """The largest value of each step × step pixels; at the right and below of those that are left."""
    for _ in range(2):
        whole = values[::step].copy()
        for place in range(1, step):
            part = values[place::step]
            np.maximum(whole[: len(part)], part, out=whole[: len(part)])
        values = whole.T
    return values


def box_of(alpha: np.ndarray) -> Box | None:
    """Around what is object in alpha, uint8 (H, W): all regions of at least FAINT that hold a pixel of at least SURE."""
    found = components(alpha >= FAINT)
    return found.box(found.counts(alpha >= SURE) > 0)
