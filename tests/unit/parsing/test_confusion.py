"""mIoU and accuracies against a loop over pixels, and what an absent class does to the mean."""

import math

import numpy as np
import pytest

from inspyrenet.parsing.confusion import METRICS, ConfusionMatrix

IGNORED = 255


def naive(pairs: list[tuple[np.ndarray, np.ndarray]], classes: int) -> tuple[list[float], float]:
    """(IoU of every class, pixel accuracy), by sets of pixels."""
    found = [set() for _ in range(classes)]
    there = [set() for _ in range(classes)]
    for image, (predicted, labels) in enumerate(pairs):
        for place in np.ndindex(labels.shape):
            if labels[place] != IGNORED:
                found[predicted[place]].add((image, *place))
                there[labels[place]].add((image, *place))
    iou = [len(a & b) / len(a | b) if a | b else math.nan for a, b in zip(found, there, strict=True)]
    right = sum(len(a & b) for a, b in zip(found, there, strict=True))
    return iou, right / sum(map(len, there))


def counted(pairs: list[tuple[np.ndarray, np.ndarray]], classes: int) -> ConfusionMatrix:
    matrix = ConfusionMatrix(classes, IGNORED)
    for predicted, labels in pairs:
        matrix.update(predicted, labels)
    return matrix


def pictures(classes: int, count: int = 3) -> list[tuple[np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(classes)
    pairs = []
    for _ in range(count):
        labels = rng.integers(0, classes, (7, 9), np.uint8)
        labels[rng.random(labels.shape) < 0.2] = IGNORED
        pairs.append((rng.integers(0, classes, (7, 9), np.uint8), labels))
    return pairs


@pytest.mark.parametrize("classes", [2, 3, 7])
def test_it_is_what_a_loop_over_pixels_counts(classes):
    pairs = pictures(classes)
    scores, (iou, accuracy) = counted(pairs, classes).scores(), naive(pairs, classes)
    assert scores.iou.tolist() == iou and scores.pixel_accuracy == accuracy
    values = scores.values()
    assert tuple(values) == METRICS and values["mIoU"] == pytest.approx(np.mean(iou), abs=1e-15)
    assert scores.images == 3


def test_the_set_counts_as_a_whole_however_it_is_shared():
    pairs = pictures(4, 5)
    whole, parts = counted(pairs, 4), counted(pairs[:2], 4)
    parts.merge(counted(pairs[2:], 4))
    assert (whole.counts == parts.counts).all() and whole.images == parts.images
    one_by_one = np.mean([counted([pair], 4).scores().values()["mIoU"] for pair in pairs])
    assert whole.scores().values()["mIoU"] != pytest.approx(one_by_one, abs=1e-6)


def test_a_class_that_is_nowhere_is_left_out_of_the_mean_and_one_that_is_only_predicted_is_not():
    labels = np.array([[0, 0, 1, IGNORED]], np.uint8)
    absent = counted([(np.array([[0, 0, 1, 2]], np.uint8), labels)], 3).scores()
    assert absent.iou[:2].tolist() == [1, 1] and math.isnan(absent.iou[2]) and math.isnan(absent.accuracy[2])
    assert absent.values() == {"mIoU": 1, "pixel_accuracy": 1, "mean_accuracy": 1}
    predicted = counted([(np.array([[0, 2, 1, 0]], np.uint8), labels)], 3).scores()
    assert predicted.iou.tolist() == [0.5, 1, 0]
    assert predicted.values() == pytest.approx({"mIoU": 0.5, "pixel_accuracy": 2 / 3, "mean_accuracy": 0.75})


def test_nothing_but_ignored_pixels_has_no_score():
    scores = counted([(np.zeros((2, 2), np.uint8), np.full((2, 2), IGNORED, np.uint8))], 2).scores()
    assert all(math.isnan(value) for value in scores.values().values())


def test_values_and_sizes_that_do_not_fit_are_refused():
    matrix = ConfusionMatrix(2, IGNORED)
    with pytest.raises(ValueError, match="the value 2 is none of 2 classes"):
        matrix.update(np.full((2, 2), 2, np.uint8), np.zeros((2, 2), np.uint8))
    with pytest.raises(ValueError, match="its label map"):
        matrix.update(np.zeros((2, 3), np.uint8), np.zeros((2, 2), np.uint8))
