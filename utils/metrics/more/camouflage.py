"""Degree of camouflage of an object's pixels, as the weighted Context-measure (arXiv 2512.07076) defines it.

The object is rebuilt from patches of its surroundings, each the most similar one in color and place; the better a pixel is
rebuilt, the better it is hidden.
"""

import cv2
import numpy as np

_PATCH = 7  # pixels
_STRIDE = _PATCH // 2
_RING = 20  # pixels of the square by which the mask is dilated to find its surroundings
_NEARNESS = 20.0  # weight of places, standardized, against Lab values of 0..255
_SHARPNESS = 8.0  # gamma
_CHUNK = 512  # patches that are compared at a time


def camouflage_degree(photo: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """(H, W) float64 in 0..1, 0 outside the mask; all 0 where object or surroundings hold no patch of 7x7 pixels.

    photo  (H, W, 3) uint8 RGB
    mask   (H, W) bool
    """
    degree = np.zeros(mask.shape)
    inside = mask.astype(np.uint8)
    around = cv2.dilate(inside, np.ones((_RING, _RING), np.uint8)) - inside
    objects, surroundings = _places(inside), _places(around)
    if not len(objects) or not len(surroundings):
        return degree
    lab = cv2.cvtColor(photo, cv2.COLOR_RGB2LAB)
    nearest = surroundings[_nearest(lab, objects, surroundings)]
    rebuilt = _rebuilt(photo, objects, nearest)
    similarity = _similarity(rebuilt[mask], photo[mask])
    degree[mask] = np.expm1(_SHARPNESS * similarity) / np.expm1(_SHARPNESS)
    return degree


def _places(region: np.ndarray) -> np.ndarray:
    """(N, 2) rows and columns of patches that lie in the region (H, W), every third pixel, row by row."""
    if min(region.shape) < _PATCH:
        return np.zeros((0, 2), np.int64)
    whole = np.lib.stride_tricks.sliding_window_view(region, (_PATCH, _PATCH))[::_STRIDE, ::_STRIDE].all(axis=(2, 3))
    return np.argwhere(whole) * _STRIDE


def _nearest(lab: np.ndarray, objects: np.ndarray, surroundings: np.ndarray) -> np.ndarray:
    """(N,) which of the surrounding patches is most similar to each of the object's, in Lab values and standardized place."""
    places = np.concatenate([surroundings, objects]).astype(np.float64)
    deviation = places.std(axis=0)
    places = _NEARNESS * (places - places.mean(axis=0)) / np.where(deviation > 0, deviation, 1)
    patches = np.lib.stride_tricks.sliding_window_view(lab, (_PATCH, _PATCH, 3))[:, :, 0]
    ours, others = (
        np.hstack([patches[at[:, 0], at[:, 1]].reshape(len(at), -1), where]).astype(np.float32).astype(np.float64)
        for at, where in ((objects, places[len(surroundings) :]), (surroundings, places[: len(surroundings)]))
    )
    half = (others**2).sum(axis=1) / 2
    chunks = (ours[start : start + _CHUNK] for start in range(0, len(ours), _CHUNK))
    return np.concatenate([(half - chunk @ others.T).argmin(axis=1) for chunk in chunks])


def _rebuilt(photo: np.ndarray, objects: np.ndarray, nearest: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8: means of the patches put in place of the object's; 0 where there is none."""
    width = photo.shape[1]
    here, there = (places @ (width, 1) for places in (objects, nearest))
    pixels = np.concatenate([photo.reshape(-1, 3), np.ones((photo[..., 0].size, 1), np.uint8)], axis=1).astype(np.int32)
    total = np.zeros_like(pixels)  # red, green, blue, and how many patches
    for down in range(_PATCH):
        for across in range(_PATCH):
            shift = down * width + across
            total[here + shift] += pixels[there + shift]  # at one place of a patch, no pixel is in two of them
    return np.round(total[:, :3] / np.maximum(total[:, 3:], 1)).astype(np.uint8).reshape(photo.shape)


def _similarity(rebuilt: np.ndarray, photo: np.ndarray) -> np.ndarray:
    """1 minus a hundredth of the CIEDE2000 difference of colors (N, 3) uint8, in 0..1."""
    from skimage.color import deltaE_ciede2000, rgb2lab  # slow to import, and only this metric needs it

    return 1 - np.clip(deltaE_ciede2000(rgb2lab(rebuilt[None]), rgb2lab(photo[None]))[0] / 100, 0, 1)
