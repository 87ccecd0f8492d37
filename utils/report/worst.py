"""Pictures of the pairs that score worst, and of those on which two methods differ most."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from ..metrics import GT_THRESHOLD, METRICS, ScorePair
from ..metrics.files import read_pair
from .tables import writing

_HEIGHT = 160  # of each panel, pixels
_CAPTION = 20
_GAP = 4


def worst_names(names: Sequence[str], values: np.ndarray, metric: str, count: int) -> list[str]:
    """The `count` names with the worst values of the metric, worst first; images without a value are left out."""
    sign = 1 if METRICS[metric].better == "higher" else -1
    order = np.argsort(sign * np.asarray(values), kind="stable")  # NaN sorts last
    return [names[i] for i in order if not np.isnan(values[i])][:count]


def write_worst(path: Path | str, pairs: Sequence[ScorePair], captions: Sequence[str]) -> None:
    """Write one picture with a line per pair: image, mask, map, error. ReportError says where and why not."""
    lines = []
    for pair, caption in zip(pairs, captions, strict=True):
        gray, truth = read_panels(pair)
        lines.append(_line([image_or_mask(pair, truth), truth, gray, error_map(gray, truth)], caption))
    _save(path, lines)


def write_differences(path: Path | str, both: Sequence[tuple[ScorePair, ScorePair]], captions: Sequence[str]) -> None:
    """Write one picture with a line per image: image, mask, map of the first method, map of the second."""
    lines = []
    for (first, second), caption in zip(both, captions, strict=True):
        (gray, truth), (other, _) = read_panels(first), read_panels(second)
        lines.append(_line([image_or_mask(first, truth), truth, gray, other], caption))
    _save(path, lines)


def _save(path: Path | str, lines: Sequence[np.ndarray]) -> None:
    path = Path(path)
    _, data = cv2.imencode(".png", np.concatenate(lines))
    with writing(path.parent):
        path.write_bytes(data.tobytes())


def read_panels(pair: ScorePair) -> tuple[np.ndarray, np.ndarray]:
    """Map and mask as they are scored, but for the stretch: (H, W) uint8, the mask with 0 and 255."""
    prediction, truth, _ = read_pair(pair)
    truth = truth if truth.dtype == bool else truth > GT_THRESHOLD
    return eight_bit(prediction), truth.astype(np.uint8) * 255


def image_or_mask(pair: ScorePair, truth: np.ndarray) -> np.ndarray:
    """The photograph, or the mask again where there is none that can be read: no score needs it."""
    try:
        image = None if pair.image is None else cv2.imdecode(np.fromfile(pair.image, np.uint8), cv2.IMREAD_COLOR)
    except (OSError, cv2.error):
        return truth
    return truth if image is None else image


def _line(panels: Sequence[np.ndarray], caption: str) -> np.ndarray:
    line = np.full((_HEIGHT + _CAPTION + _GAP, len(panels) * (_HEIGHT * 2 + _GAP), 3), 255, np.uint8)
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
