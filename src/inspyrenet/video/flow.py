"""Where each pixel was one picture before: dense optical flow by OpenCV's DIS (Kroeger et al., ECCV 2016)."""

import functools

import numpy as np

from .errors import load_cv2

APART = 1.0  # pixels by which the ways there and back may miss each other, and
SHARE = 0.05  # this share of their lengths: else something came between (Sundaram et al., ECCV 2010, in simpler form)


class OpticalFlow:
    """Of gray pictures uint8 (H, W) of one size, 16 pixels at least; fine: more exact, for measuring."""

    def __init__(self, fine: bool = False):
        cv2 = load_cv2()
        self._dis = cv2.DISOpticalFlow_create(
            cv2.DISOPTICAL_FLOW_PRESET_MEDIUM if fine else cv2.DISOPTICAL_FLOW_PRESET_FAST
        )

    def back(self, current: np.ndarray, before: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """For each pixel of `current`: where it lay in `before`, float32 (H, W, 2) as (x, y); and whether it was seen there,
        bool (H, W): inside the picture, and the flow from there leads here again."""
        there, again = self._dis.calc(current, before, None), self._dis.calc(before, current, None)
        height, width = current.shape
        place = there + _grid(height, width)
        miss = there + moved(again, place)
        allowed = APART + SHARE * (_length(there) + _length(again))
        x, y = place[..., 0], place[..., 1]
        inside = (x >= -0.5) & (x <= width - 0.5) & (y >= -0.5) & (y <= height - 0.5)
        return place, inside & (_length(miss) < allowed)


@functools.lru_cache(maxsize=2)
def _grid(height: int, width: int) -> np.ndarray:
    """Each pixel's own place, float32 (H, W, 2) as (x, y)."""
    return np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1).astype(np.float32)


def _length(steps: np.ndarray) -> np.ndarray:
    """(H, W, 2) → (H, W)."""
    cv2 = load_cv2()
    return cv2.magnitude(steps[..., 0], steps[..., 1])


def moved(layer: np.ndarray, place: np.ndarray) -> np.ndarray:
    """What `layer` (H, W[, C]), of the picture before, has at each `place`: between pixels, bilinear."""
    cv2 = load_cv2()
    return cv2.remap(layer, place, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def scaled(layer: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """(h, w[, C]) at another (H, W): means where it shrinks, bilinear where it grows."""
    if layer.shape[:2] == shape:
        return layer
    cv2 = load_cv2()
    way = cv2.INTER_AREA if shape[0] <= layer.shape[0] and shape[1] <= layer.shape[1] else cv2.INTER_LINEAR
    return cv2.resize(layer, (shape[1], shape[0]), interpolation=way)
