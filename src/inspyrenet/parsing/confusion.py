"""The scores of scene parsing, all from one confusion matrix over a data set: counts of pixels, so they are exact."""

from dataclasses import dataclass

import numpy as np

METRICS = ("mIoU", "pixel_accuracy", "mean_accuracy")  # the higher, the better


@dataclass(frozen=True)
class SceneScores:
    """What a confusion matrix says.

    iou, accuracy: of each class, NaN where it has none. Of a class, IoU is intersection / union of where it is and where it was
    predicted; a class that is neither has none, and the mean leaves it out. One that is predicted but nowhere there has IoU 0.
    Accuracy is the share of a class's pixels that were found; a class that is not there has none.
    pixels: labeled pixels of each class. images: how many were counted.
    """

    iou: np.ndarray
    accuracy: np.ndarray
    pixel_accuracy: float
    pixels: np.ndarray
    images: int

    def values(self) -> dict[str, float]:
        """METRICS by name; NaN where no pixel is labeled."""
        return {
            "mIoU": _mean(self.iou),
            "pixel_accuracy": self.pixel_accuracy,
            "mean_accuracy": _mean(self.accuracy),
        }


class ConfusionMatrix:
    """Counts of (class, predicted class) over images. `counts[i, j]`: pixels of class i that were predicted as j."""

    def __init__(self, classes: int, ignore_label: int = 255):
        self.classes, self.ignore_label, self.images = classes, ignore_label, 0
        self.counts = np.zeros((classes, classes), np.int64)

    def update(self, predicted: np.ndarray, labels: np.ndarray) -> None:
        """Counts one image, both uint8 (H, W). Raises ValueError for other sizes, or for a value that is no class."""
        if predicted.shape != labels.shape:
            raise ValueError(f"the prediction is {predicted.shape}, its label map {labels.shape}")
        counted = labels != self.ignore_label
        truth, found = labels[counted], predicted[counted]
        highest = max(truth.max(initial=0), found.max(initial=0))
        if highest >= self.classes:
            raise ValueError(f"the value {highest} is none of {self.classes} classes")
        both = truth.astype(np.int64) * self.classes + found
        self.counts += np.bincount(both, minlength=self.classes**2).reshape(self.classes, self.classes)
        self.images += 1

    def merge(self, other: "ConfusionMatrix") -> None:
        """Adds what another process has counted."""
        self.counts += other.counts
        self.images += other.images

    def scores(self) -> SceneScores:
        """All scores of what was counted."""
        right, there, predicted = self.counts.diagonal(), self.counts.sum(axis=1), self.counts.sum(axis=0)
        return SceneScores(
            iou=_ratio(right, there + predicted - right),
            accuracy=_ratio(right, there),
            pixel_accuracy=float(_ratio(right.sum(keepdims=True), there.sum(keepdims=True))[0]),
            pixels=there,
            images=self.images,
        )


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """part / whole, NaN where whole is 0."""
    return np.divide(part, whole, out=np.full(whole.shape, np.nan), where=whole > 0)


def _mean(values: np.ndarray) -> float:
    there = values[~np.isnan(values)]
    return float(there.mean()) if there.size else float("nan")
