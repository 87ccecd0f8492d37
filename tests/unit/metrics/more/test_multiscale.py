"""Multiscale IoU equals pysodmetrics, whose counts of the mask's cells are 16-bit floats: exact up to 2,048 only."""

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from py_sod_metrics import MSIoU

from inspyrenet.utils.metrics import GROUPS, Accumulator, score

from .pairs import objects, pairs

NAMES = GROUPS["multiscale"]


class Exact(MSIoU):
    """pysodmetrics with edges of a type in which all counts are exact."""

    def get_edge(self, mask: np.ndarray) -> np.ndarray:
        return super().get_edge(mask).astype(np.float64)


def compare(prediction: np.ndarray, mask: np.ndarray, kind: type[MSIoU]) -> None:
    measure = kind(True, True, with_binary=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the name of NumPy's trapezoidal rule
        measure.step(prediction, mask)
    expected, found = measure.get_results(), score(prediction, mask, NAMES)
    if not measure.get_edge(mask > 128).any():  # the listed exception: the reference gives 1
        assert all(math.isnan(found.value(name)) for name in NAMES)
        return
    assert found.value("MSIoU") == pytest.approx(expected["binary"], abs=1e-9)
    assert found.value("adpMSIoU") == pytest.approx(expected["adaptive"], abs=1e-9)
    assert found.curve("MSIoUCurve")[::-1] == pytest.approx(expected["dynamic"], abs=1e-9)
    assert found.value("maxMSIoU") == pytest.approx(max(expected["dynamic"]), abs=1e-9)
    assert found.value("avgMSIoU") == pytest.approx(np.mean(expected["dynamic"]), abs=1e-9)


@settings(max_examples=12)
@given(pairs(largest=40))
def test_msiou_is_pysodmetrics(pair):
    compare(*pair, MSIoU)


def test_msiou_of_all_256_levels_in_several_strips():
    prediction, mask = objects(
        (530, 70), 3, noise=30
    )  # cells of 512 pixels begin at the bottom, the rest is at the top
    assert len(np.unique(prediction)) == 256
    thinned = (prediction // 16 * 17).astype(np.uint8)
    compare(thinned, mask, Exact)


def test_float_maps_are_as_their_bytes():
    prediction, mask = objects((60, 70), 4, noise=20)
    found, expected = (score(image, mask, NAMES) for image in (prediction / 255, prediction))
    assert found.curve("MSIoUCurve") == pytest.approx(expected.curve("MSIoUCurve"), abs=1e-12)
    assert found.value("MSIoU") == pytest.approx(expected.value("MSIoU"), abs=1e-12)


def test_a_perfect_map_scores_one_and_an_empty_mask_is_left_out():
    _, mask = objects((60, 70), 5)
    total = Accumulator(NAMES)
    total.update("a", score(mask, mask, NAMES))
    total.update("b", score(mask, np.zeros_like(mask), NAMES))
    result = total.result()
    assert result.values["MSIoU"] == result.values["maxMSIoU"] == 1
    assert result.left_out == dict.fromkeys(NAMES, 1)
    only = total.subset(["b"]).result()
    assert math.isnan(only.values["maxMSIoU"]) and math.isnan(only.values["MSIoU"])
