"""Multiscale IoU (Ahmadzadeh et al., "Multiscale IOU", ICIP 2021): how much of the mask's edge is found, cell by cell.

Edges of map and mask are looked for in square cells of 1, 2, 4 … 512 pixels. The score is the area under the curve of the
shares of the mask's edge cells in which the map has an edge, too.

All thresholds of a map are handled at once: a pixel is a word of 64 bits, one for each threshold, and the Sobel operator is
arithmetic on such words.
"""

import cv2
import numpy as np

from ..prepare import THRESHOLDS, Pair
from ..regions import adaptive_threshold

SCALARS = frozenset({"MSIoU", "adpMSIoU"})
CURVES = frozenset({"MSIoUCurve"})

_SCALES = 10  # cells of 2^0 … 2^9 pixels
_LARGEST = 1 << (_SCALES - 1)
_WORD = 64


def multiscale_iou(pair: Pair) -> tuple[dict[str, float], dict[str, np.ndarray]]:
    """Scalars of the map above 0.5 and at the adaptive threshold, and the (257,) curve at thresholds 256 … 0, in 0..1.

    At 256 no pixel is positive. NaN where the mask has no edge, as an empty one: there is no cell of which to find a share.
    """
    bins = (pair.levels.clip(0, 1) * 255).astype(np.uint8)
    present = np.unique(bins[pair.totals.sum(axis=0) > 0])
    chosen = [pair.levels > 0.5, pair.levels >= adaptive_threshold(pair)]
    binary = np.column_stack(
        [*chosen, bins[:, None] >= present]
    )  # (K, B): which levels are positive in which binary map
    scores = _scores(pair, _words(binary), binary.shape[1])
    if np.isnan(scores[-1]):
        return dict.fromkeys(SCALARS, float("nan")), {"MSIoUCurve": np.full(THRESHOLDS + 1, np.nan)}
    of_threshold = len(chosen) + np.searchsorted(present, np.arange(THRESHOLDS, -1, -1))
    return {"MSIoU": float(scores[0]), "adpMSIoU": float(scores[1])}, {"MSIoUCurve": scores[of_threshold]}


def _words(binary: np.ndarray) -> np.ndarray:
    """(K, B) bool -> (W, K) uint64; bit b of word w is column 64 w + b."""
    width = -(-binary.shape[1] // _WORD)
    packed = np.zeros((len(binary), 8 * width), np.uint8)
    bits = np.packbits(binary, axis=1, bitorder="little")
    packed[:, : bits.shape[1]] = bits
    return np.ascontiguousarray(packed.view("<u8").T)


def _scores(pair: Pair, words: np.ndarray, maps: int) -> np.ndarray:
    """(maps + 1,) scores of the binary maps, and of one without any pixel."""
    sizes, hits = np.zeros(_SCALES, np.int64), np.zeros((_SCALES, len(words) * _WORD), np.int64)
    height = pair.mask.shape[0]
    # strips of rows, from the bottom, where the cells begin: memory stays bounded, and no cell is in two strips
    for stop in range(height, 0, -_LARGEST):
        start = max(0, stop - _LARGEST)
        rows = slice(max(0, start - 1), stop + 1)
        frame = (int(start == 0), int(stop == height))
        cells = _cells(_edge(pair.mask[rows].view(np.uint8), frame))
        sizes += [np.count_nonzero(cell) for cell in cells]
        places = [np.nonzero(cell) for cell in cells]
        for i, word in enumerate(words):
            found = _cells(_edge(_look_up(pair.index[rows], word), frame))
            counts = [_bit_counts(cell[place]) for cell, place in zip(found, places, strict=True)]
            hits[:, i * _WORD : (i + 1) * _WORD] += counts
    if not sizes[0]:
        return np.full(maps + 1, np.nan)
    hits = np.column_stack([hits[:, :maps], np.zeros(_SCALES, np.int64)])
    shares = (hits + 1) / (sizes + 1)[:, None]
    return (shares.sum(axis=0) - (shares[0] + shares[-1]) / 2) / (_SCALES - 1)


def _look_up(index: np.ndarray, table: np.ndarray) -> np.ndarray:
    """`table[index]` of words; through OpenCV, which copies any 64 bits as float64, where the index is 8-bit."""
    if index.dtype == np.uint8:
        return cv2.LUT(index, table.view(np.float64)).view(np.uint64)
    return table[index]


def _edge(image: np.ndarray, frame: tuple[int, int]) -> np.ndarray:
    """Where the Sobel operator is not 0, bit by bit, (H, W), with 0 beyond the image.

    image  (H', W) of bits, with the rows above and below; `frame` says how many of these two lie outside the image
    """
    image = np.pad(image, (frame, (1, 1)))
    left, middle, right = image[:, :-2], image[:, 1:-1], image[:, 2:]
    edge = _differ([(part[:-2], part[2:]) for part in _weighed(left, middle, right)])
    return edge | _differ([(part[:, :-2], part[:, 2:]) for part in _weighed(image[:-2], image[1:-1], image[2:])])


def _weighed(first: np.ndarray, second: np.ndarray, third: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The three binary digits of first + 2 * second + third."""
    carry = first & third
    return first ^ third, second ^ carry, second & carry


def _differ(pairs: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    edge = pairs[0][0] ^ pairs[0][1]
    for one, other in pairs[1:]:
        edge |= one ^ other
    return edge


def _cells(edge: np.ndarray) -> list[np.ndarray]:
    """The bits that occur in cells of 1, 2 … 512 pixels; the cells begin at the bottom right."""
    found = [edge]
    for _ in range(_SCALES - 1):
        height, width = edge.shape
        if height % 2 or width % 2:
            edge = np.pad(edge, ((height % 2, 0), (width % 2, 0)))
        rows = edge[::2] | edge[1::2]
        edge = rows[:, ::2] | rows[:, 1::2]
        found.append(edge)
    return found


def _bit_counts(words: np.ndarray) -> np.ndarray:
    """How many of the words (n,) have each bit, (64,)."""
    bits = np.unpackbits(words.astype("<u8", copy=False).view(np.uint8).reshape(-1, 8), axis=1, bitorder="little")
    return bits.sum(axis=0, dtype=np.int64)
