"""Context-measure (Wang et al., "Context-measure: contextualizing metric for camouflage", arXiv 2512.07076, 2025).

An F-measure of two means. Forward: how much mask there is around each pixel of the map. Reverse: how well each pixel of the
mask is covered by the map around it. "Around" is a Gaussian with the shape of the mask's spread.
"""

import math

import cv2
import numpy as np

from ..prepare import MapError, Pair
from ..regions import EPSILON
from .camouflage import camouflage_degree

_ALPHA = 6.0  # pixels: the Gaussian's deviation, of both directions together
_REACH = 3  # deviations
_POINT = (1, 1), np.diag([0.25, 0.25])  # reach and covariance for a mask of at most one pixel
_BALANCE = 1.0  # beta^2
_BALANCE_WEIGHTED = 1.2
_SCALE = math.e / (math.e - 1)  # 1 - exp(-1) becomes 1
_SMALL = 1 << 15  # pixels of an image up to which the float32 rounding of its parts could be seen in 1e-9


def context_measure(pair: Pair) -> float:
    """Cm, beta^2 = 1; 0 for an empty mask. NaN where the mask is a slanted line without width: it spreads in one direction."""
    return _measure(pair, None, _BALANCE)


def weighted_context_measure(pair: Pair) -> float:
    """wCm, beta^2 = 1.2: mask pixels weigh 1 + their degree of camouflage. NaN where Cm is; MapError without a photo."""
    if pair.photo is None:
        raise MapError("wCm needs the photograph, to see how well the object is hidden; give it, or leave wCm out")
    return _measure(pair, camouflage_degree(pair.photo, pair.mask), _BALANCE_WEIGHTED)


def _measure(pair: Pair, camouflage: np.ndarray | None, balance: float) -> float:
    kernel = context_kernel(pair.mask)
    if kernel is None:
        return float("nan")
    forward, reverse = _forward(pair, kernel), _reverse(pair, kernel, camouflage)
    return (1 + balance) * forward * reverse / (balance * forward + reverse + EPSILON)


def context_kernel(mask: np.ndarray) -> np.ndarray | None:
    """The Gaussian of a mask (H, W) bool, float64, its sum 1; None where all pixels lie on one slanted line."""
    moments = cv2.moments(mask.view(np.uint8), binaryImage=True)
    count, x, y, xx, xy, yy = (int(moments[name]) for name in ("m00", "m10", "m01", "m20", "m11", "m02"))
    if count <= 1:
        return _gaussian(*_POINT)
    rows, columns, both = count * yy - y * y, count * xx - x * x, count * xy - x * y
    if rows and columns and rows * columns == both * both:  # whole numbers: exact
        return None
    scale = count * (count - 1)
    variances = [number / scale if number else EPSILON for number in (rows, columns)]
    covariance = np.array([[variances[0], both / scale], [both / scale, variances[1]]])
    total = math.sqrt(sum(variances))
    reach = [round(_REACH * (_ALPHA * math.sqrt(variance) / total)) for variance in variances]
    return _gaussian((reach[0], reach[1]), _ALPHA**2 * covariance / total**2)


def _gaussian(reach: tuple[int, int], covariance: np.ndarray) -> np.ndarray:
    (a, b), (_, c) = np.linalg.inv(covariance)
    rows, columns = np.ogrid[-reach[0] : reach[0] + 1, -reach[1] : reach[1] + 1]
    kernel = np.exp(-0.5 * (a * rows**2 + 2 * b * rows * columns + c * columns**2))
    return kernel / kernel.sum()


def _forward(pair: Pair, kernel: np.ndarray) -> float:
    """Mean over the map, weighted by its values, of the share of mask around a pixel.

    By OpenCV's float32 filter, as in the reference, whose rounding shows on small images; so these are filtered as a whole.
    """
    if pair.box[0] == pair.box[1]:
        return 0.0
    height, width = pair.mask.shape
    near = _near(pair, kernel, 1) if pair.mask.size > _SMALL else (slice(0, height), slice(0, width))
    around = cv2.filter2D(pair.mask[near].astype(np.float32), cv2.CV_32F, kernel)
    total = float(pair.totals.sum(axis=0) @ pair.levels)
    return float(np.vdot(around.astype(np.float64), pair.values(*near))) / (total + EPSILON)


def _reverse(pair: Pair, kernel: np.ndarray, camouflage: np.ndarray | None) -> float:
    """Mean over the mask, weighted by 1 + camouflage, of how well a pixel is covered."""
    if pair.box[0] == pair.box[1]:
        return 0.0
    near = _near(pair, kernel, 0)
    mask = pair.mask[near]
    around = cv2.filter2D(pair.values(*near), cv2.CV_64F, kernel)[mask]
    weights = np.ones(len(around)) if camouflage is None else 1 + camouflage[near][mask]
    return _SCALE * float(-np.expm1(-around) @ weights) / (float(weights.sum()) + EPSILON)


def _near(pair: Pair, kernel: np.ndarray, more: int) -> tuple[slice, slice]:
    """Rows and columns of the mask's box and what the kernel reaches around it, and `more` pixels."""
    top, bottom, left, right = pair.box
    down, across = (size // 2 + more for size in kernel.shape)
    return slice(max(0, top - down), bottom + down), slice(max(0, left - across), right + across)
