"""Pictures that are nearly the same: copies in another size or quality, with other colors, or mirrored.

Each picture is reduced to 32x32 gray values. A difference hash of 128 bits (does the brightness rise to the right, and
downwards? after http://www.hackerfactor.com/blog/index.php?/archives/529-Kind-of-Like-That.html) finds candidates; the
correlation of the gray values confirms them, since pictures of few lines have similar hashes by chance.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ..images.read import ImageError, read_image
from .checking import answers

SIDE = 32  # of the gray copy
GRID = 9  # points per side whose brightness is compared
NEAR_BITS = 24  # of 128; unrelated pictures differ in about half of them
NEAR_CORRELATION = 0.97
_BLOCK = 1024  # rows that are compared at a time


@dataclass(frozen=True)
class Fingerprints:
    """Of n pictures: `bits` float32 (n, 128) of -1 and 1, `gray` float32 (n, 32, 32), each of mean 0 and norm 1 (or all 0)."""

    bits: np.ndarray
    gray: np.ndarray

    def mirrored(self) -> "Fingerprints":
        """Of the pictures with left and right exchanged."""
        return _fingerprints(np.ascontiguousarray(self.gray[:, :, ::-1]))


def fingerprints(images: Sequence[Path]) -> Fingerprints:
    """Of image files. Raises ImageError where one cannot be read."""
    gray = np.stack(list(answers(_small_gray, images, "images"))) if images else np.zeros((0, SIDE, SIDE))
    gray = gray.astype(np.float32) - gray.mean(axis=(1, 2), keepdims=True, dtype=np.float32)
    norm = np.sqrt((gray**2).sum(axis=(1, 2), keepdims=True))
    return _fingerprints(np.where(norm > 0, gray / np.maximum(norm, 1e-6), 0).astype(np.float32))


def near_duplicates(first: Fingerprints, second: Fingerprints | None = None) -> list[tuple[int, int, bool]]:
    """(place in `first`, place in `second`, whether mirrored) of pictures that are nearly the same, sorted.

    Without `second`: within `first`, each two once. Pictures of one color are like no other.
    """
    other = first if second is None else second
    found = {}
    for mirrored in (True, False):
        for a, b in _alike(first, other.mirrored() if mirrored else other):
            if second is not None or a < b:
                found[a, b] = mirrored
    return [(a, b, mirrored) for (a, b), mirrored in sorted(found.items())]


def groups_of(count: int, pairs: Sequence[tuple[int, int]]) -> list[list[int]]:
    """0 … count-1 in groups, so that both of each pair are in one; sorted by their first member."""
    leader = list(range(count))

    def lead(one: int) -> int:
        while leader[one] != one:
            leader[one] = one = leader[leader[one]]
        return one

    for a, b in pairs:
        low, high = sorted((lead(a), lead(b)))
        leader[high] = low
    groups: dict[int, list[int]] = {}
    for one in range(count):
        groups.setdefault(lead(one), []).append(one)
    return list(groups.values())


def _alike(first: Fingerprints, second: Fingerprints) -> Iterator[tuple[int, int]]:
    most = first.bits.shape[1] - 2 * NEAR_BITS  # of a product of -1 and 1: equal bits less different ones
    for start in range(0, len(first.bits), _BLOCK):
        rows, columns = np.nonzero(first.bits[start : start + _BLOCK] @ second.bits.T >= most)
        rows += start
        for begin in range(0, len(rows), _BLOCK):
            a, b = rows[begin : begin + _BLOCK], columns[begin : begin + _BLOCK]
            close = np.einsum("nij,nij->n", first.gray[a], second.gray[b]) >= NEAR_CORRELATION
            yield from zip(a[close].tolist(), b[close].tolist(), strict=True)


def _fingerprints(gray: np.ndarray) -> Fingerprints:
    coarse = np.array([cv2.resize(one, (GRID, GRID), interpolation=cv2.INTER_AREA) for one in gray])
    coarse = coarse.reshape(len(gray), GRID, GRID)
    right, down = coarse[:, :-1, 1:] > coarse[:, :-1, :-1], coarse[:, 1:, :-1] > coarse[:, :-1, :-1]
    bits = np.stack([right, down], axis=1).reshape(len(gray), 2 * (GRID - 1) ** 2)
    return Fingerprints(np.where(bits, 1, -1).astype(np.float32), gray)


def _small_gray(path: Path) -> np.ndarray:
    """float32 (32, 32). JPEGs are decoded at an eighth of their size where that is large enough."""
    try:
        data = np.fromfile(path, np.uint8)
    except OSError as error:
        raise ImageError(f"{path}: cannot be read ({error.strerror or error})") from error
    small = cv2.imdecode(data, cv2.IMREAD_REDUCED_GRAYSCALE_4) if bytes(data[:2]) == b"\xff\xd8" else None
    if small is None or min(small.shape) < SIDE:
        small = cv2.cvtColor(read_image(path), cv2.COLOR_RGB2GRAY)
    return cv2.resize(small, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
