"""Slow, plain formulations of the metrics: pysodmetrics where it has them, the published definitions otherwise.

What tests compare the fast metrics with, and benchmarks measure them against. Nothing else uses it.
"""

import warnings

import cv2
import numpy as np
from py_sod_metrics import (
    MAE,
    DICEHandler,
    Emeasure,
    Fmeasure,
    FmeasureV2,
    IOUHandler,
    Smeasure,
    WeightedFmeasure,
)


def reference(prediction: np.ndarray, mask: np.ndarray) -> dict[str, float]:
    """Metric name -> value of one pair (uint8 arrays), for all of METRICS that have a plain form here."""
    measures = {"S": Smeasure(), "MAE": MAE(), "W": WeightedFmeasure(), "E": Emeasure(), "F": _f_measure()}
    handlers = FmeasureV2({"iou": IOUHandler(True, True), "dice": DICEHandler(True, True)})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NaN where an image quadrant is empty
        for measure in (*measures.values(), handlers):
            measure.step(prediction, mask)
    values = {
        "Sm": measures["S"].get_results()["sm"],
        "mae": measures["MAE"].get_results()["mae"],
        "wFm": measures["W"].get_results()["wfm"],
        "mse": float(((minmax_normalize(prediction) - (mask > 128)) ** 2).mean()),
        "mBA": plain_mba(prediction, mask),
    }
    curves = {
        "Em": measures["E"].get_results()["em"],
        "Fm": measures["F"].get_results()["fm"],
        "IoU": _names(handlers.get_results()["iou"]),
        "Dice": _names(handlers.get_results()["dice"]),
        "BIoU": {"curve": plain_biou(prediction, mask)},
    }
    for name, found in curves.items():
        values |= {f"max{name}": found["curve"].max(), f"avg{name}": found["curve"].mean()}
        if "adp" in found:
            values[f"adp{name}"] = found["adp"]
    return {name: float(value) for name, value in values.items()}


def default_table(prediction: np.ndarray, mask: np.ndarray, band: bool = False) -> None:
    """The work behind one row of the default table: one pysodmetrics object per metric and plain mBA (and BIoU)."""
    for measure in (Smeasure(), MAE(), Emeasure(), _f_measure(), WeightedFmeasure()):
        measure.step(prediction, mask)
    plain_mba(prediction, mask)
    if band:
        plain_biou(prediction, mask)


def _f_measure() -> Fmeasure:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # says that the class will go away
        return Fmeasure()


def _names(found: dict) -> dict:
    return {"adp": found["adaptive"], "curve": found["dynamic"]}


def minmax_normalize(prediction: np.ndarray) -> np.ndarray:
    values = prediction / 255
    low, high = values.min(), values.max()
    return (values - low) / (high - low) if high != low else values


def plain_mba(prediction: np.ndarray, mask: np.ndarray) -> float:
    """Mean boundary accuracy, one morphological gradient per radius; NaN without an edge."""
    found, truth = prediction > 128, mask > 128
    largest = sum(mask.shape) / 300
    accuracy = []
    for step in range(5):
        radius = 1 + int((largest - 1) / 5 * step)
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
        band = cv2.morphologyEx(truth.astype(np.uint8), cv2.MORPH_GRADIENT, kernel) > 0
        if not band.any():
            return float("nan")
        accuracy.append((found == truth)[band].mean())
    return float(np.mean(accuracy))


def plain_biou(prediction: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """(256,) boundary IoU at thresholds 255 … 0, bands by repeated 3×3 erosion of the zero-padded maps."""
    gray = (minmax_normalize(prediction) * 255).astype(np.uint8)
    band, truth = _band(gray), _band((mask > 128).astype(np.uint8) * 255) > 128
    edges = np.arange(257)
    true, false = (np.cumsum(np.histogram(band[where], edges)[0][::-1]) for where in (truth, ~truth))
    return true / np.maximum(truth.sum() + false, 1)


def _band(image: np.ndarray) -> np.ndarray:
    height, width = image.shape
    reach = max(1, round(0.02 * float(np.hypot(height, width))))
    padded = cv2.copyMakeBorder(image, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    eroded = cv2.erode(padded, np.ones((3, 3), np.uint8), iterations=reach)
    return image - eroded[1:-1, 1:-1]
