"""A picture of the pairs that score worst: image | mask | prediction | error."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from .metrics import METRICS, ScorePair
from .metrics.files import read_pair
from .report import ReportError

_HEIGHT = 160  # of each panel, pixels
_CAPTION = 20
_GAP = 4


def worst_names(names: Sequence[str], values: np.ndarray, metric: str, count: int) -> list[str]:
    """The `count` names with the worst values of the metric, worst first; images without a value are left out."""
    sign = 1 if METRICS[metric].better == "higher" else -1
    order = np.argsort(sign * np.asarray(values), kind="stable")  # NaN sorts last
    return [names[i] for i in order if not np.isnan(values[i])][:count]


def write_worst(path: Path | str, pairs: Sequence[ScorePair], captions: Sequence[str]) -> None:
    """Write one picture with a line per pair. ReportError says where and why not."""
    picture = np.concatenate([_line(pair, caption) for pair, caption in zip(pairs, captions, strict=True)])
    path = Path(path)
    done, data = cv2.imencode(".png", picture)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.tobytes() if done else b"")
    except OSError as error:
        raise ReportError(
            f"cannot write {path} ({error.strerror or error}); choose another Eval.result_path"
        ) from error


def _line(pair: ScorePair, caption: str) -> np.ndarray:
    prediction, truth, _ = read_pair(pair)
    truth = np.where(truth > 128, 255, 0).astype(np.uint8) if truth.dtype != bool else truth.astype(np.uint8) * 255
    image = None if pair.image is None else cv2.imdecode(np.fromfile(pair.image, np.uint8), cv2.IMREAD_COLOR)
    grey = eight_bit(prediction)
    panels = [truth if image is None else image, truth, grey, error_map(grey, truth)]
    line = np.full((_HEIGHT + _CAPTION + _GAP, 4 * (_HEIGHT * 2 + _GAP), 3), 255, np.uint8)
    for i, panel in enumerate(panels):
        small = _fit(panel)
        left = i * (2 * _HEIGHT + _GAP)
        line[_CAPTION : _CAPTION + small.shape[0], left : left + small.shape[1]] = small
    cv2.putText(line, caption, (2, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (40, 40, 40), 1, cv2.LINE_AA)
    return line


def error_map(prediction: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """(H, W, 3) BGR: false positives red, misses blue, on white; both arguments (H, W) uint8."""
    error = prediction.astype(np.int16) - truth
    over, under = error.clip(0, 255).astype(np.uint8), (-error).clip(0, 255).astype(np.uint8)
    return np.stack([255 - over, 255 - cv2.max(over, under), 255 - under], axis=2)


def eight_bit(prediction: np.ndarray) -> np.ndarray:
    """Any kind of prediction as (H, W) uint8."""
    if prediction.dtype == np.uint8:
        return prediction
    largest = 65535 if prediction.dtype == np.uint16 else 1
    return np.rint(prediction.astype(np.float64) / largest * 255).clip(0, 255).astype(np.uint8)


def _fit(panel: np.ndarray) -> np.ndarray:
    if panel.ndim == 2:
        panel = cv2.cvtColor(panel, cv2.COLOR_GRAY2BGR)
    height, width = panel.shape[:2]
    scale = min(_HEIGHT / height, 2 * _HEIGHT / width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return cv2.resize(panel, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
