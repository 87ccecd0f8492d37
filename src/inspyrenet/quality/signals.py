"""What a map and the coarsest level below it say about its quality, in a few numbers.

Others were tried on the same held-out pairs and added nothing that could be told from chance: docs/quality.md.
"""

import numpy as np

from ..networks.network import NetworkMaps, sigmoid

NAMES = ("certain", "band", "coarse certain", "agreement")
SOFT = 0.1, 0.9  # bounds of what is neither background nor object


def signals(maps: NetworkMaps) -> dict[str, float]:
    """The maps of one image → a number for each of NAMES; those of the coarsest level are missing where there is one level alone.

    certain: how well the map agrees with itself above 0.5; coarse certain: the same of the coarsest level. agreement: of the
    coarsest level with the map at its size. All three are soft IoUs, in logits. band: the logarithm of how wide soft edges are,
    in pixels of the map: values between the SOFT bounds, for each side of a pixel along the outline.
    """
    fine = maps.probability[0, 0]
    inside = fine > 0.5
    found = {"certain": soft_iou(fine, inside), "band": float(np.log(_soft(fine) / (_outline(inside) + 1) + 0.01))}
    if len(maps.saliency) > 1:
        coarse = sigmoid(maps.saliency[0][0, 0])
        found["coarse certain"] = soft_iou(coarse, coarse > 0.5)
        found["agreement"] = soft_iou(coarse, _reduced(fine, coarse.shape))
    return found


def soft_iou(one: np.ndarray, other: np.ndarray) -> float:
    """The sum of the lesser values / the sum of the greater ones, in logits that end at ±4.6."""
    lesser, greater = float(np.minimum(one, other).sum()), float(np.maximum(one, other).sum())
    share = lesser / max(greater, 0.001)
    return float(np.log((share + 0.01) / (1.01 - share)))


def _soft(fine: np.ndarray) -> int:
    return int(((fine > SOFT[0]) & (fine < SOFT[1])).sum())


def _outline(inside: np.ndarray) -> int:
    """Sides of pixels between the object and what is around it."""
    return int((inside[1:] != inside[:-1]).sum() + (inside[:, 1:] != inside[:, :-1]).sum())


def _reduced(fine: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """The mean of each block of pixels; rows and columns that fill no block are left out."""
    (height, width), (down, across) = size, (fine.shape[0] // size[0], fine.shape[1] // size[1])
    cut = fine[: height * down, : width * across]
    return cut.reshape(height, down, width, across).mean((1, 3))
