"""Specks, pinholes and haze out of a map, by connected regions and by the map's own confidence.

Lengths are shares of the longer side. The figures were chosen on DUTS-TR.
"""

import numpy as np
from PIL import Image

from .components import FAINT, SIDE, SURE, components, reduced
from .edges import feathered, grown

PINHOLE = 0.003  # of the object's area: larger holes stay
SURELY_NOT = 51  # a fifth: a hole with such a pixel stays, too
SPECK = 0.02  # of the largest object's area: smaller ones go
RIM = 0.005  # around a speck or a hole: as wide is its own soft edge
OUTSIDE, INSIDE = 0.04, 0.01  # so far from what is at least half object, and from what is less, edges are soft
SOFT = 0.01  # beyond that the map fades to 0 and to 255


def cleaned(saliency: np.ndarray) -> np.ndarray:
    """Map uint8 (H, W) → the same without specks, pinholes and haze. "Sure" is what is at least half object.

    1. Pinholes: a region that is not sure, smaller than PINHOLE of all that is sure, without a pixel below a fifth, is filled.
    2. Specks: a region of at least a tenth, of whose pixels fewer are sure than SPECK of the largest region's, is removed.
       Such a region without any sure pixel is haze.
    3. Haze that hangs on the object: what is farther than OUTSIDE from everything sure fades to 0.
    4. Veils: what is sure and farther than INSIDE from everything that is not, fades to 255.
    So soft edges, hair above all, stay as they are: between those two distances only pinholes and specks change.
    A map in which nothing is sure stays as it is.
    """
    if saliency.max(initial=0) < SURE:
        return saliency
    saliency = _without_specks(_without_pinholes(saliency))
    sure = saliency >= SURE
    near, shallow = _around(sure, OUTSIDE), _around(~sure, INSIDE)
    return np.maximum(np.minimum(saliency, near), 255 - shallow)


def _bytes(mask: np.ndarray) -> np.ndarray:
    return mask.view(np.uint8) * np.uint8(255)


def _around(mask: np.ndarray, reach: float) -> np.ndarray:
    """255 up to `reach` around the mask and a little farther, then falling to 0; uint8, as large as the mask."""
    step = -(-max(mask.shape) // SIDE)
    soft = SOFT * max(mask.shape) / step
    wide = grown(_bytes(reduced(mask, step)), soft * (reach / SOFT + 1) + 2)
    return np.asarray(Image.fromarray(feathered(wide, soft)).resize(mask.shape[::-1], Image.Resampling.BILINEAR))


def _without_pinholes(saliency: np.ndarray) -> np.ndarray:
    sure = saliency >= SURE
    holes = components(~sure, diagonal=False)
    small = (holes.areas() < PINHOLE * np.count_nonzero(sure)) & (holes.counts(saliency < SURELY_NOT) == 0)
    if not small.any():
        return saliency
    return np.maximum(saliency, grown(_bytes(holes.mask(small)), _rim(saliency)))


def _without_specks(saliency: np.ndarray) -> np.ndarray:
    found = components(saliency >= FAINT)
    areas = found.counts(saliency >= SURE)
    speck = areas < SPECK * areas.max()
    if not speck.any():
        return saliency
    around = grown(_bytes(found.mask(speck)), _rim(saliency)) > 0
    return np.where(around & ~found.mask(~speck), np.uint8(0), saliency)


def _rim(saliency: np.ndarray) -> float:
    return max(2.0, RIM * max(saliency.shape))
