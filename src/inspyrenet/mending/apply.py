"""The one order in which a map is mended, whatever asks for it."""

import numpy as np

from ..remover.compositing import alpha_of
from .cleaning import cleaned
from .components import SURE
from .edges import feathered, grown, shrunk
from .objects import objects
from .options import Mending


def mended(
    saliency: np.ndarray, mending: Mending, threshold: float | None = None, opacity: np.ndarray | None = None
) -> list[np.ndarray]:
    """Map uint8 (H, W) → the mended map, and behind it that of each object where they are wanted by themselves.

    First it is cleaned, then cut at the threshold, then objects are chosen, then edges are moved, then softened.
    opacity: alpha uint8 (H, W) of the image itself; what it hides is no object.
    Raises CutoutError for a threshold outside 0..1.
    """
    saliency = alpha_of(cleaned(saliency) if mending.clean else saliency, threshold)
    if mending.object is None:
        return [_with_edges(saliency, mending)]
    found = [_with_edges(one, mending) for one in objects(alpha_of(saliency, opacity=opacity), mending.most)]
    each = [one for one in found if one.max() >= SURE]  # a small one may have shrunk to nothing
    together = np.zeros_like(saliency)
    for one in each:
        np.maximum(together, one, out=together)
    return [together, *each] if mending.splits else [together]


def _with_edges(alpha: np.ndarray, mending: Mending) -> np.ndarray:
    if mending.grow:
        alpha = grown(alpha, mending.grow)
    if mending.shrink:
        alpha = shrunk(alpha, mending.shrink)
    return feathered(alpha, mending.feather) if mending.feather else alpha
