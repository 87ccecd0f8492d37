"""Several objects in one map: each by itself, with its soft edge."""

from collections.abc import Iterator

import numpy as np

from .components import SIDE, SURE, Components, components, reduced
from .edges import grown

GAP = 0.004  # of the longer side: parts that are nearer than twice that are one object
LEAST = 0.02  # of the largest object's area: what is smaller is no object
REST = 255  # the number of what is no object, or not wanted
NEIGHBORS = ((0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (1, -1), (-1, 1), (-1, -1))


def objects(saliency: np.ndarray, most: int) -> Iterator[np.ndarray]:
    """Map uint8 (H, W) → the map of each object, the largest first, at most so many (254); 0 where another one is.

    An object is a region of what is at least half object, gaps of a few pixels closed, of at least LEAST of the largest one's
    area. All other places, soft edges above all, belong to the nearest object, or to the nearest region that is too small.
    """
    sure = saliency >= SURE
    found = components(grown(sure.view(np.uint8), _gap(saliency.shape)).view(bool))
    numbers = _numbers(found, found.counts(sure), most)
    if found.count < 2:
        yield from [saliency] * found.count
        return
    nearest = _nearest(found.numbered(numbers))
    for number in range(1, int(numbers[numbers != REST].max()) + 1):
        yield np.where(nearest == number, saliency, np.uint8(0))


def _gap(shape: tuple[int, int]) -> float:
    return max(1.5, GAP * max(shape))


def _numbers(found: Components, areas: np.ndarray, most: int) -> np.ndarray:
    """1 for the largest region, 2 for the next and so on, REST for those that are no object; int64 (count,)."""
    order = np.argsort(-areas, kind="stable")
    numbers = np.empty(found.count, np.int64)
    numbers[order] = np.arange(1, found.count + 1)
    numbers[(areas < LEAST * areas.max(initial=0)) | (numbers > most)] = REST
    return numbers


def _nearest(numbers: np.ndarray) -> np.ndarray:
    """uint8 (H, W) with 0 where no region is → everywhere the number of the nearest region.

    Where there is none, the place is looked up in a map of at most SIDE pixels a side.
    """
    step = -(-max(numbers.shape) // SIDE)
    small = _spread(reduced(numbers, step))
    whole = small.repeat(step, 0)[: numbers.shape[0]].repeat(step, 1)[:, : numbers.shape[1]]
    return np.where(numbers, numbers, whole)


def _spread(numbers: np.ndarray) -> np.ndarray:
    """Numbers grow into what is 0 pixel by pixel, to four and to eight neighbors by turns, which makes fronts nearly round."""
    numbers, turn = numbers.copy(), 0
    height, width = numbers.shape
    while not numbers.all():
        before = np.pad(numbers, 1)
        for down, across in NEIGHBORS[: 8 if turn % 2 else 4]:
            beside = before[1 + down : 1 + down + height, 1 + across : 1 + across + width]
            np.copyto(numbers, beside, where=numbers == 0)
        turn += 1
    return numbers
