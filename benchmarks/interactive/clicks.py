"""Clicks as a person would make them, and how good a map is."""

import cv2
import numpy as np

MOST = 20
HARD = 0.8  # IoU of the model alone, below which a picture is hard
BAND = 0.02  # of the image's diagonal: the boundary that boundary IoU compares
Clicks = list[tuple[tuple[float, float], bool]]  # (x, y) and whether to keep


def next_click(found: np.ndarray, mask: np.ndarray) -> tuple[tuple[float, float], bool] | None:
    """In the middle of the largest error, bool (H, W) against bool (H, W); None where there is none."""
    best, where, keep = 0.0, (0, 0), True
    for wrong, kept in ((mask & ~found, True), (~mask & found, False)):
        distance = cv2.distanceTransform(np.pad(wrong, 1).astype(np.uint8), cv2.DIST_L2, 5)[1:-1, 1:-1]
        if distance.max() > best:
            best, where, keep = float(distance.max()), np.unravel_index(distance.argmax(), distance.shape), kept
    return ((float(where[1]) + 0.5, float(where[0]) + 0.5), keep) if best else None


def iou(found: np.ndarray, mask: np.ndarray) -> float:
    """Intersection over union of bool (H, W); 1 where both are empty."""
    union = np.count_nonzero(found | mask)
    return np.count_nonzero(found & mask) / union if union else 1.0


def boundary_iou(found: np.ndarray, mask: np.ndarray) -> float:
    """IoU of the bands inside the contours (Cheng et al., CVPR 2021)."""
    return iou(_band(found), _band(mask))


def _band(mask: np.ndarray) -> np.ndarray:
    steps = max(1, round(BAND * float(np.hypot(*mask.shape))))
    padded = np.pad(mask, 1).astype(np.uint8)
    return mask & (cv2.erode(padded, np.ones((3, 3), np.uint8), iterations=steps)[1:-1, 1:-1] == 0)
