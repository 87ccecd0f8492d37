"""Human correction effort: how many clicks it takes to mend a map (Qin et al., ECCV 2022).

The slow part is the mask's skeleton. It depends on the mask alone, so it is kept in a folder when one is given.
"""

import hashlib
from pathlib import Path

import cv2
import numpy as np

from ..system.whole_file import whole_file
from .prepare import Pair

_RELAX = 5  # pixels by which regions may be off
_TOLERANCE = 2.0  # of the polygons that replace contours, pixels
_CROSS = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.uint8)


def human_correction_effort(pair: Pair, skeletons: Path | None = None) -> float:
    """Control points and separate regions of the relaxed false and missed areas; lower is better.

    A pixel is positive where the map is above 0.5. `skeletons` is a folder in which skeletons are kept between calls.
    """
    mask = pair.mask
    found = pair.index >= int(np.searchsorted(pair.levels, 0.5, side="right"))
    right, union = mask & found, mask | found
    core = cv2.erode(_image(union), _CROSS, iterations=_RELAX).view(bool)
    false, missed = found & ~mask, mask & ~found
    false = false & _regrow(false & core, ~mask)
    missed = (missed & _regrow(missed & core, ~found)) | (skeleton(mask, skeletons) & ~right)
    return float(_effort(false, right | missed) + _effort(missed, ~(right | false | missed)))


def skeleton(mask: np.ndarray, folder: Path | None = None) -> np.ndarray:
    """One-pixel-wide center lines of the mask, (H, W) bool, read from or written to the folder if there is one."""
    if folder is None:
        return _skeletonize(mask)
    digest = hashlib.blake2b(np.packbits(mask).tobytes(), digest_size=16, person=str(mask.shape).encode()[:16])
    path = folder / f"{digest.hexdigest()}.png"
    kept = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) if path.is_file() else None
    if kept is not None and kept.shape == mask.shape:
        return kept > 0
    lines = _skeletonize(mask)
    with whole_file(path) as partial:
        partial.write_bytes(cv2.imencode(".png", _image(lines) * 255)[1].tobytes())
    return lines


def _skeletonize(mask: np.ndarray) -> np.ndarray:
    from skimage.morphology import skeletonize  # slow to import, and only this metric needs it

    return skeletonize(mask).astype(bool)


def _image(mask: np.ndarray) -> np.ndarray:
    return mask.astype(np.uint8)


def _regrow(region: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    """Grow the region by 5 pixels, step by step, without leaving what is allowed."""
    for _ in range(_RELAX):
        region = cv2.dilate(_image(region), _CROSS).view(bool) & allowed
    return region


def _effort(region: np.ndarray, neighbour: np.ndarray) -> int:
    """Polygon points along the parts of the region's contours that touch `neighbour`, and regions that touch it nowhere."""
    contours, _ = cv2.findContours(_image(region), cv2.RETR_TREE, cv2.CHAIN_APPROX_NONE)
    if not contours:
        return 0
    touching = cv2.dilate(_image(neighbour), _CROSS).view(bool)
    points = np.concatenate(contours)[:, 0]  # (N, 2) as (column, row)
    flat = points[:, 1].astype(np.int64) * region.shape[1] + points[:, 0]
    counts = np.flatnonzero(touching.ravel()[flat])
    _, first = np.unique(flat[counts], return_index=True)
    chosen = np.zeros(len(flat), bool)
    chosen[counts[first]] = True  # a pixel counts once, where a contour first comes by
    _, labels = cv2.connectedComponents(_image(region), connectivity=8)
    alone = np.ones(labels.max() + 1, bool)
    alone[0] = False
    alone[labels.ravel()[flat[chosen]]] = False
    ends = np.cumsum([len(contour) for contour in contours])
    parts = (
        _runs(points[end - len(c) : end], chosen[end - len(c) : end]) for c, end in zip(contours, ends, strict=True)
    )
    corners = sum(len(cv2.approxPolyDP(run[:, None], _TOLERANCE, False)) for part in parts for run in part)
    return corners + int(alone.sum())


def _runs(points: np.ndarray, chosen: np.ndarray) -> list[np.ndarray]:
    """Stretches of chosen points of one contour, (n, 2) each; the last and the first are joined where they meet."""
    edges = np.flatnonzero(np.diff(chosen, prepend=False, append=False))
    runs = [points[start:stop] for start, stop in zip(edges[::2], edges[1::2], strict=True)]
    if len(runs) > 1 and np.abs(runs[0][0] - runs[-1][-1]).max() == 1:
        runs[-1] = np.concatenate([runs[-1], runs[0][::-1]])
        del runs[0]
    return runs
