"""Metrics against numbers of the published evaluation code."""

import json
from pathlib import Path

import numpy as np
import pytest

from inspyrenet.utils.metrics import METRICS, score

GOLDEN = json.loads((Path(__file__).parents[2] / "golden" / "metrics.json").read_text())


def golden_pair() -> tuple[np.ndarray, np.ndarray]:
    """A disc with a thin bar; the prediction is a soft, displaced disc with the bar and a false block."""
    y, x = np.mgrid[:120, :160]
    mask = np.hypot(y - 60, x - 60) <= 35
    mask[50:54, 90:150] = True
    prediction = np.floor(255 / (1 + np.exp((np.hypot(y - 62, x - 57) - 33) / 3)))
    prediction[50:53, 95:140] = 230
    prediction[100:112, 130:150] = 200
    return prediction.astype(np.uint8), mask.astype(np.uint8) * 255


def test_pair_is_the_golden_one():
    prediction, mask = golden_pair()
    assert prediction.sum() == GOLDEN["pred_sum"]
    assert (mask > 128).sum() == GOLDEN["gt_pixels"]


@pytest.mark.parametrize("metric", sorted(GOLDEN["values"].keys() & METRICS.keys()))
def test_value(metric):
    assert score(*golden_pair(), [metric]).value(metric) == pytest.approx(GOLDEN["values"][metric], abs=1e-12)


@pytest.mark.parametrize("curve", sorted(GOLDEN["curve_means"]))
def test_curve_mean(curve):
    found = score(*golden_pair(), ["maxFm"]).curve(curve)
    assert found.mean() == pytest.approx(GOLDEN["curve_means"][curve], abs=1e-12)
