# ruff: noqa: E402 (the number of threads is set before numpy is imported)
"""Time our metrics against pysodmetrics with plain mBA, pair by pair in one process on one core.

.venv/bin/python benchmarks/evaluation.py --masks DIR [--size 1365x2048] [--json out.json]

Each pair is scored A B A B …, and CPU time is compared, so that other work on the machine does not decide. Predictions are
made from the masks (moved and blurred, with noise everywhere, or cut to two values), or read from --predictions.
Without --masks the masks are generated. With --end-to-end the whole of Eval, files and processes included, is timed too.
"""

import os

for library in ("OMP", "OPENBLAS", "MKL"):  # before numpy: one core is one core
    os.environ[f"{library}_NUM_THREADS"] = "1"

import argparse
import json
import platform
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from inspyrenet.commands.parser import Parser
from inspyrenet.data.datasets.checking import say_coding, survey_masks
from inspyrenet.data.images.masks import read_mask
from inspyrenet.engine.eval_sets import find_sets, with_readers
from inspyrenet.utils.metrics import DEFAULT_METRICS, evaluate_folder, match_folders, score
from inspyrenet.utils.metrics.reference import default_table
from inspyrenet.utils.system.cores import usable_cores

Pair = tuple[np.ndarray, np.ndarray]
KINDS = ("soft", "noisy", "hard")
WITH_BAND = (*DEFAULT_METRICS, "maxBIoU", "avgBIoU")


def main(argv: list[str] | None = None) -> int:
    options = _parser().parse_args(argv)
    check(options)
    cv2.setNumThreads(1)
    report = {"machine": machine(), "metrics": list(DEFAULT_METRICS), "cases": []}
    for size in options.size or [None]:
        for kind in ["read"] if options.predictions else KINDS:
            case = compare(pairs(options, size, kind), options.repeat)
            case |= {"size": size or "as stored", "predictions": kind}
            report["cases"].append(case)
            print(describe(case), flush=True)
    if options.end_to_end:
        report["end_to_end"] = end_to_end(options.predictions, options.masks)
        print(json.dumps(report["end_to_end"]))
    if options.json:
        options.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = Parser(description=__doc__)
    parser.add_argument("--masks", type=Path, help="folder of masks")
    parser.add_argument("--predictions", type=Path, help="folder of maps with the masks' names")
    parser.add_argument("--size", nargs="+", help="HEIGHTxWIDTH to resize the masks to, one or more")
    parser.add_argument("--count", type=int, default=40, help="pairs per case")
    parser.add_argument("--repeat", type=int, default=3, help="times that each pair is scored")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--end-to-end", action="store_true", help="needs --masks and --predictions")
    return parser


def check(options: argparse.Namespace) -> None:
    """Leaves with one line where the folders that were named cannot be used."""
    if options.end_to_end and not (options.masks and options.predictions):
        sys.exit("error: --end-to-end needs --masks and --predictions")
    for name in ("masks", "predictions"):
        folder = getattr(options, name)
        if folder and not folder.is_dir():
            sys.exit(f"error: --{name} {folder}: there is no such folder")
    if options.predictions:
        stems = {path.stem for path in options.predictions.iterdir()}
        missing = [name for name, _ in masks(options.masks, options.count, None) if name not in stems]
        if missing:
            sys.exit(f"error: {options.predictions} has no map for {', '.join(missing[:5])}")


# -- pairs --------------------------------------------------------------------------------------------------------


def pairs(options: argparse.Namespace, size: str | None, kind: str) -> Iterator[Pair]:
    """(prediction, mask), uint8, evenly chosen from the folder."""
    rng = np.random.default_rng(0)
    for name, mask in masks(options.masks, options.count, size):
        if kind == "read":
            file = next(options.predictions.glob(f"{name}.*"))
            prediction = cv2.imread(str(file), cv2.IMREAD_GRAYSCALE)
            yield cv2.resize(prediction, mask.shape[::-1]), mask
        else:
            yield imitate(mask, kind, rng), mask


def masks(folder: Path | None, count: int, size: str | None) -> Iterator[tuple[str, np.ndarray]]:
    """(name, mask of 0 and 255), read as training does. Raises MaskError where it is not certain what the masks mean."""
    if folder is None:
        yield from generated(count, size or "300x400")
        return
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in (".png", ".jpg"))
    layers, unreadable = survey_masks(files)
    coding = say_coding(folder.name, layers)
    files = [path for path in files if path not in unreadable]
    for path in files[:: max(1, len(files) // count)][:count]:
        mask = read_mask(path, coding)
        if size:
            height, width = map(int, size.split("x"))
            mask = cv2.resize(mask, (width, height))
        yield path.stem, np.where(mask > 128, 255, 0).astype(np.uint8)


def generated(count: int, size: str) -> Iterator[tuple[str, np.ndarray]]:
    """Smooth random objects that cover about a fifth of the image."""
    height, width = map(int, size.split("x"))
    rng = np.random.default_rng(1)
    y, x = np.mgrid[:height, :width] / max(height, width)
    for i in range(count):
        coarse = cv2.resize(rng.normal(0, 0.12, (6, 6)), (width, height), interpolation=cv2.INTER_CUBIC)
        distance = np.hypot(y - rng.uniform(0.25, 0.5), x - rng.uniform(0.35, 0.65))
        yield str(i), ((distance + coarse) < 0.2).astype(np.uint8) * 255


def imitate(mask: np.ndarray, kind: str, rng: np.random.Generator) -> np.ndarray:
    """What a network might say: moved and blurred; with noise on every pixel; or only two values."""
    scale = max(mask.shape) / 100
    moved = np.roll(mask, round(scale), axis=1)
    if kind == "hard":
        return moved
    soft = cv2.GaussianBlur(moved, (0, 0), scale)
    return soft if kind == "soft" else (soft + rng.normal(0, 12, mask.shape)).clip(0, 255).astype(np.uint8)


# -- timing -------------------------------------------------------------------------------------------------------


def compare(cases: Iterator[Pair], repeat: int) -> dict:
    """Median CPU milliseconds of both sides, and the median of the pairs' ratios, without and with BIoU."""
    plain, fast, plain_band, fast_band = [], [], [], []
    for prediction, mask in cases:
        for _ in range(repeat):
            plain.append(_cpu(default_table, prediction, mask))
            fast.append(_cpu(score, prediction, mask, DEFAULT_METRICS))
            plain_band.append(_cpu(default_table, prediction, mask, True))
            fast_band.append(_cpu(score, prediction, mask, WITH_BAND))
    return {
        "measurements": len(plain),
        "pysodmetrics_ms": _ms(plain),
        "ours_ms": _ms(fast),
        "ratio": round(float(np.median(np.divide(plain, fast))), 2),
        "pysodmetrics_with_biou_ms": _ms(plain_band),
        "ours_with_biou_ms": _ms(fast_band),
        "ratio_with_biou": round(float(np.median(np.divide(plain_band, fast_band))), 2),
    }


def _cpu(function, *arguments) -> float:
    started = time.process_time()
    function(*arguments)
    return time.process_time() - started


def _ms(seconds: list[float]) -> float:
    return round(float(np.median(seconds)) * 1000, 2)


def end_to_end(predictions: Path, masks: Path) -> dict:
    """Wall seconds of all pairs, in turn: ours on all cores, from files to scores; pysodmetrics in one process."""
    from inspyrenet.utils.system.timing import interleave, ratios  # imports torch, which scoring processes shall not

    (matched,) = with_readers(match_folders(find_sets(predictions, masks)), {})

    def ours() -> None:
        evaluate_folder(matched.pairs, DEFAULT_METRICS)

    def plain() -> None:
        for pair in matched.pairs:
            prediction = cv2.imread(str(pair.prediction), cv2.IMREAD_GRAYSCALE)
            default_table(prediction, pair.reader.read(pair.truth.read_bytes(), str(pair.truth)))

    seconds = interleave({"ours": ours, "pysodmetrics": plain}, rounds=3, warmup=0)
    return {
        "pairs": len(matched.pairs),
        "ours_s": seconds["ours"],
        "pysodmetrics_s": seconds["pysodmetrics"],
        "ratio": ratios(seconds, "pysodmetrics")["ours"],
    }


def describe(case: dict) -> str:
    return (
        f"{case['size']:>10} {case['predictions']:>6}: pysodmetrics {case['pysodmetrics_ms']:8.2f} ms, "
        f"ours {case['ours_ms']:7.2f} ms, ratio {case['ratio']:5.2f}; with BIoU {case['ratio_with_biou']:5.2f}"
    )


def machine() -> dict:
    cpu = platform.processor()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        cpu = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), cpu)
    return {
        "cpu": cpu,
        "cores": usable_cores(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "opencv": cv2.__version__,
        "load": [round(value, 1) for value in os.getloadavg()] if hasattr(os, "getloadavg") else None,
    }


if __name__ == "__main__":
    sys.exit(main())
