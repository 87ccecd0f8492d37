"""Which prediction belongs to which mask, and reading the two as the field's toolboxes do."""

import io
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from .prepare import MapError
from .registry import MetricError

EXTENSIONS = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".avif", ".npy")
MASK_FOLDERS = ("masks", "gt", "GT", "mask", "Mask", "gts")
IMAGE_FOLDERS = ("images", "im", "image", "imgs", "Imgs", "Image")
log = logging.getLogger(__name__)

_LISTED = 50  # names that an error message shows per set


class PairingError(MetricError):
    """Predictions and masks that do not match; the message lists the names."""


@dataclass(frozen=True)
class ScorePair:
    """What to score. `prediction` and `truth` are files or arrays; `image` only serves pictures and reports."""

    dataset: str
    name: str
    prediction: Path | np.ndarray
    truth: Path | np.ndarray
    image: Path | None = None


@dataclass(frozen=True)
class DatasetPairs:
    """One data set: the pairs, and what has no partner."""

    dataset: str
    pairs: tuple[ScorePair, ...]
    without_prediction: tuple[str, ...]
    without_truth: tuple[str, ...]
    prediction_folder: Path
    truth_folder: Path

    @property
    def masks(self) -> int:
        """Number of masks in the set, scored or not."""
        return len(self.pairs) + len(self.without_prediction)


def match_folders(
    pred_root: Path | str,
    gt_root: Path | str,
    datasets: Sequence[str] | None = None,
    allow_missing: bool = False,
    locate: Callable[[Path], Path] = Path,
) -> list[DatasetPairs]:
    """Pairs of <pred_root>/<dataset>/**/name.png and <gt_root>/<dataset>/{masks,gt}/**/name.png, by path without extension.

    The mask folder may also be the data set's folder itself, and names that occur once may lie in other sub-folders.
    Without `datasets`, gt_root is one set if it holds masks; else its sub-folders that pred_root has too are the sets.
    PairingError lists every missing prediction and mask; with `allow_missing` a set needs only one complete pair.
    `locate` maps the folder of a set's masks to the one that has the files, for sets that are packed; else it is the same.
    """
    pred_root, gt_root = Path(pred_root), Path(gt_root)
    for root, what in ((pred_root, "predictions"), (gt_root, "masks")):
        if not root.is_dir():
            raise PairingError(f"{root}: no such folder (it should hold the {what})")
    if datasets is not None and not datasets:
        raise PairingError("no data set is named: say which, e.g. Eval.datasets=[ECSSD]")
    found, problems = [], []
    for dataset, predictions, truths in _folders(pred_root, gt_root, datasets):
        try:
            matched = _match(dataset, predictions, locate(truths))
        except PairingError as error:
            problems.append(str(error))
            continue
        found.append(matched)
        if not matched.pairs or not allow_missing:
            problems += _complaints(matched)
    if problems:
        raise PairingError("\n".join(problems))
    return found


def _folders(pred_root: Path, gt_root: Path, datasets: Sequence[str] | None) -> list[tuple[str, Path, Path]]:
    if datasets is not None:
        return [(name, pred_root / name, gt_root / name) for name in datasets]
    entries = sorted(gt_root.iterdir())
    one_set = any(e.name in MASK_FOLDERS or (e.is_file() and e.suffix.lower() in EXTENSIONS) for e in entries)
    sets = [] if one_set else [e.name for e in entries if e.is_dir() and (pred_root / e.name).is_dir()]
    if sets:
        others = [e.name for e in entries if e.is_dir() and e.name not in sets]
        if others:
            log.warning("not scored, because %s has no folder of that name: %s", pred_root, _listing(others))
        return [(name, pred_root / name, gt_root / name) for name in sets]
    name = gt_root.resolve().parent.name if gt_root.name in MASK_FOLDERS else gt_root.resolve().name
    return [(name, pred_root / name if (pred_root / name).is_dir() else pred_root, gt_root)]


def _match(dataset: str, predictions: Path, root: Path) -> DatasetPairs:
    truths = next((root / name for name in MASK_FOLDERS if (root / name).is_dir()), root)
    for folder, what in ((predictions, "predictions"), (truths, "masks")):
        if not folder.is_dir():
            raise PairingError(f"{dataset}: no folder {folder} with {what}")
    there, masks = _by_stem(predictions), _by_stem(truths)
    if not masks:
        raise PairingError(f"{dataset}: no mask in {truths} (of {', '.join(EXTENSIONS)})")
    partner = {name: name for name in masks if name in there}
    partner |= _by_unique_name(masks.keys() - partner.keys(), there.keys() - partner.keys())
    images = _images(root if truths != root else truths.parent)
    pairs = tuple(
        ScorePair(dataset, name, there[partner[name]], masks[name], images.get(name))
        for name in masks
        if name in partner
    )
    used = set(partner.values())
    return DatasetPairs(
        dataset,
        pairs,
        tuple(name for name in masks if name not in partner),
        tuple(name for name in there if name not in used),
        predictions,
        truths,
    )


def _by_stem(folder: Path) -> dict[str, Path]:
    """Path below the folder without extension -> file, sorted."""
    found: dict[str, Path] = {}
    twice = []
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() not in EXTENSIONS or path.name.startswith("."):
            continue
        key = path.relative_to(folder).with_suffix("").as_posix()
        if key in found:
            twice.append(f"{found[key]} and {path}")
        found[key] = path
    if twice:
        raise PairingError(f"{folder}: files that differ only in their extension: {_listing(twice)}")
    return found


def _by_unique_name(names: set[str], others: set[str]) -> dict[str, str]:
    """Partners among names in different sub-folders, where the last part occurs once on both sides."""
    sides = []
    for side in (names, others):
        count = Counter(name.rsplit("/", 1)[-1] for name in side)
        sides.append({name.rsplit("/", 1)[-1]: name for name in side if count[name.rsplit("/", 1)[-1]] == 1})
    return {sides[0][last]: sides[1][last] for last in sides[0].keys() & sides[1].keys()}


def _images(root: Path) -> dict[str, Path]:
    """The photographs beside the masks, for pictures; empty where there are none."""
    folder = next((root / name for name in IMAGE_FOLDERS if (root / name).is_dir()), None)
    if folder is None:
        return {}
    paths = (path for path in sorted(folder.rglob("*")) if path.suffix.lower() in EXTENSIONS)
    return {path.relative_to(folder).with_suffix("").as_posix(): path for path in paths}


def _complaints(matched: DatasetPairs) -> list[str]:
    lines = []
    if matched.without_prediction:
        names, folder = matched.without_prediction, matched.prediction_folder
        lines.append(
            f"{matched.dataset}: {len(names)} of {matched.masks} masks have no prediction in {folder}: {_listing(names)}"
        )
    if matched.without_truth:
        names, folder = matched.without_truth, matched.truth_folder
        lines.append(f"{matched.dataset}: {len(names)} predictions have no mask in {folder}: {_listing(names)}")
    if not matched.pairs:
        lines.append(f"{matched.dataset}: no prediction has the name of a mask")
    return lines


def _listing(names: Sequence[str]) -> str:
    rest = len(names) - _LISTED
    return ", ".join(names[:_LISTED]) + (f" … and {rest} more" if rest > 0 else "")


# -- reading ------------------------------------------------------------------------------------------------------


def read_pair(pair: ScorePair) -> tuple[np.ndarray, np.ndarray, bool]:
    """(prediction, mask, whether the prediction was resized to the mask: bilinear, as the field does).

    Predictions are uint8, uint16 or float in 0..1, masks uint8. Colour becomes grey, alpha is dropped, EXIF is applied.
    MapError names a file that is not an image.
    """
    return decode_pair(pair, load(pair.prediction), load(pair.truth))


def load(source: Path | np.ndarray) -> np.ndarray:
    """The bytes of a file, (n,) uint8; an array as it is."""
    return source if isinstance(source, np.ndarray) else np.fromfile(source, np.uint8)


def decode_pair(pair: ScorePair, prediction: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray, bool]:
    """`read_pair` of what `load` gave."""
    prediction = _decode(pair.prediction, prediction, cv2.IMREAD_GRAYSCALE | cv2.IMREAD_ANYDEPTH)
    truth = _decode(pair.truth, truth, cv2.IMREAD_GRAYSCALE)
    if prediction.shape == truth.shape or prediction.ndim != 2 or truth.ndim != 2:
        return prediction, truth, False
    if prediction.dtype.kind == "f" and not np.isfinite(prediction).all():
        return prediction, truth, False  # `prepare` says what is wrong
    if prediction.dtype == bool:
        prediction = prediction.astype(np.uint8) * 255
    height, width = truth.shape
    return cv2.resize(prediction, (width, height), interpolation=cv2.INTER_LINEAR), truth, True


def _decode(source: Path | np.ndarray, data: np.ndarray, flags: int) -> np.ndarray:
    if isinstance(source, np.ndarray):
        return source
    if source.suffix.lower() == ".npy":
        try:
            return np.load(io.BytesIO(data.tobytes()), allow_pickle=False)
        except ValueError as error:
            raise MapError(f"{source}: not a NumPy array file ({error})") from error
    image = cv2.imdecode(data, flags) if data.size else None
    if image is None:
        raise MapError(f"{source}: {'empty file' if not data.size else 'not an image that OpenCV can read'}")
    return image
