"""The one order in which a map is mended, whatever asks for it."""

from collections.abc import Iterator

import numpy as np

from ..remover.compositing import alpha_of
from .cleaning import cleaned
from .components import SURE
from .edges import feathered, grown, shrunk
from .objects import objects
from .options import Mending


def mended(
    saliency: np.ndarray, mending: Mending, threshold: float | None = None, opacity: np.ndarray | None = None
) -> Iterator[np.ndarray]:
    """Map uint8 (H, W) → the mended map, and behind it that of each object where they are wanted by themselves.

    First it is cleaned, then cut at the threshold, then objects are chosen, then edges are moved, then softened.
    opacity: alpha uint8 (H, W) of the image itself; what it hides is no object.
    Raises CutoutError for a threshold outside 0..1.
    """
    saliency = alpha_of(cleaned(saliency) if mending.clean else saliency, threshold)
    if mending.object is None:
        yield _with_edges(saliency, mending)
        return
    together = np.zeros_like(saliency)
    parts = []
    for found in objects(alpha_of(saliency, opacity=opacity), mending.most):
        one = _with_edges(found, mending)
        if one.max() >= SURE:  # a small one may have shrunk to nothing
            np.maximum(together, one, out=together)
            parts.append(_part(one))
    yield together
    for place, part in parts if mending.splits else ():
        one = np.zeros_like(together)
        one[place] = part
        yield one


def _part(alpha: np.ndarray) -> tuple[tuple[slice, slice], np.ndarray]:
    """Where alpha is not 0, and what it is there: of many objects, the whole maps would fill the memory."""
    rows, columns = (np.flatnonzero(alpha.any(axis)) for axis in (1, 0))
    place = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    return place, alpha[place].copy()


def _with_edges(alpha: np.ndarray, mending: Mending) -> np.ndarray:
    if mending.grow:
        alpha = grown(alpha, mending.grow)
    if mending.shrink:
        alpha = shrunk(alpha, mending.shrink)
    return feathered(alpha, mending.feather) if mending.feather else alpha
