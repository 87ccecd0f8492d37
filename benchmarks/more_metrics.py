# ruff: noqa: E402 (the number of threads is set before numpy is imported)
"""Time the metrics beside the default ones against pysodmetrics, pair by pair in one process on one core.

.venv/bin/python benchmarks/more_metrics.py [--masks DIR] [--photos DIR] [--count 20] [--json out.json]

Each pair is scored A B A B …, and CPU time is compared. Maps are made from the masks as in evaluation.py; without --masks,
masks are generated, and without --photos, photographs are.
"""

import os

for library in ("OMP", "OPENBLAS", "MKL"):  # before numpy: one core is one core
    os.environ[f"{library}_NUM_THREADS"] = "1"

import argparse
import json
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import evaluation
import numpy as np
from py_sod_metrics import (
    CamouflageContextMeasure,
    ContextMeasure,
    FmeasureHandler,
    MSIoU,
    SizeInvarianceFmeasureV2,
    SizeInvarianceMAE,
)

from inspyrenet.commands.parser import Parser
from inspyrenet.utils.metrics import PYSOD, score

KIND = "noisy"  # maps with values everywhere


def main(argv: list[str] | None = None) -> int:
    options = _parser().parse_args(argv)
    cv2.setNumThreads(1)
    report = {"machine": evaluation.machine(), "cases": compare(list(cases(options)))}
    for name, case in report["cases"].items():
        print(
            f"{name:>16}: pysodmetrics {case['pysodmetrics_ms']:8.2f} ms, ours {case['ours_ms']:7.2f} ms, {case['ratio']}"
        )
    if options.json:
        options.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = Parser(description=__doc__)
    parser.add_argument("--masks", type=Path, help="folder of masks")
    parser.add_argument("--photos", type=Path, help="folder of photographs with the masks' names, .jpg")
    parser.add_argument("--count", type=int, default=20, help="pairs")
    parser.add_argument("--json", type=Path)
    return parser


def cases(options: argparse.Namespace) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """(map, mask, photograph), uint8."""
    rng = np.random.default_rng(0)
    for name, mask in evaluation.masks(options.masks, options.count, None):
        if options.photos:
            photo = cv2.cvtColor(cv2.imread(str(options.photos / f"{name}.jpg")), cv2.COLOR_BGR2RGB)
        else:
            photo = cv2.GaussianBlur(rng.integers(0, 256, (*mask.shape, 3)).astype(np.uint8), (0, 0), 3)
        yield evaluation.imitate(mask, KIND, rng), mask, photo


def compare(given: list[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> dict[str, dict[str, float]]:
    """Median CPU milliseconds of both sides, and the median of the pairs' ratios."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in SIDES}
    for prediction, mask, photo in given:
        for name, (plain, metrics) in SIDES.items():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                slow = evaluation._cpu(plain, prediction, mask, photo)
            found[name].append((slow, evaluation._cpu(score, prediction, mask, metrics, PYSOD, photo)))
    return {
        name: {
            "pysodmetrics_ms": round(float(np.median([slow for slow, _ in pairs])) * 1000, 2),
            "ours_ms": round(float(np.median([fast for _, fast in pairs])) * 1000, 2),
            "ratio": round(float(np.median([slow / fast for slow, fast in pairs])), 1),
        }
        for name, pairs in found.items()
    }


def _msiou(prediction: np.ndarray, mask: np.ndarray, photo: np.ndarray) -> None:
    MSIoU(True, True, with_binary=True).step(prediction, mask)


def _cm(prediction: np.ndarray, mask: np.ndarray, photo: np.ndarray) -> None:
    ContextMeasure().step(prediction, mask)


def _wcm(prediction: np.ndarray, mask: np.ndarray, photo: np.ndarray) -> None:
    CamouflageContextMeasure().step(prediction, mask, img=photo)


def _size_invariant(prediction: np.ndarray, mask: np.ndarray, photo: np.ndarray) -> None:
    SizeInvarianceMAE().step(prediction, mask)
    SizeInvarianceFmeasureV2({"fm": FmeasureHandler(True, True)}).step(prediction, mask)


SIDES: dict[str, tuple[Callable[..., None], tuple[str, ...]]] = {  # name: pysodmetrics, and our metrics
    "MSIoU": (_msiou, ("multiscale",)),
    "Cm": (_cm, ("Cm",)),
    "wCm": (_wcm, ("wCm",)),
    "size-invariant": (_size_invariant, ("size_invariant",)),
}


if __name__ == "__main__":
    sys.exit(main())
