"""GrabCut with clicks, as OpenCV has it."""

import cv2
import numpy as np
from clicks import Clicks

ITERATIONS = 5
RADIUS = 1 / 80  # of the longer side: what a click marks, as much as by this project's strokes


class GrabCut:
    """Clicks → map uint8 (H, W). The network's map says what is probable, clicks say what is sure."""

    def __init__(self, image: np.ndarray, probable: np.ndarray):
        self.image = np.ascontiguousarray(image[..., ::-1])
        self.start = np.where(probable >= 128, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
        self.radius = max(1, round(RADIUS * max(probable.shape)))

    def __call__(self, clicks: Clicks) -> np.ndarray:
        labels = self.start.copy()
        for (x, y), keep in clicks:
            cv2.circle(labels, (int(x), int(y)), self.radius, cv2.GC_FGD if keep else cv2.GC_BGD, -1)
        object_here = np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD))
        if object_here.all() or not object_here.any():  # of one side alone there is no model of colors
            return (object_here * 255).astype(np.uint8)
        models = np.zeros((1, 65)), np.zeros((1, 65))
        cv2.grabCut(self.image, labels, None, *models, ITERATIONS, cv2.GC_INIT_WITH_MASK)
        return (np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD)) * 255).astype(np.uint8)
