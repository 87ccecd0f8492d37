"""Which prediction belongs to which mask, and reading the two as the field's toolboxes do."""

import io
import os
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from .prepare import MapError, check_map
from .registry import MetricError

EXTENSIONS = (  # of images, the same as everywhere (a test compares), and of arrays
    ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".webp", ".avif", ".avifs", ".bmp", ".dib", ".tif", ".tiff",
    ".gif", ".jp2", ".j2k", ".jpc", ".jpf", ".jpx", ".j2c", ".ppm", ".pgm", ".pbm", ".pnm", ".pfm", ".ico", ".icns", ".dds",
    ".psd", ".qoi", ".pcx", ".sgi", ".ras", ".tga", ".heic", ".heif", ".hif", ".jxl", ".npy",
)  # fmt: skip

_NEARLY_GRAY = 16 / 255  # by which channels differ through JPEG
_LISTED = 50  # names that an error message shows per set


class PairingError(MetricError):
    """Predictions and masks that do not match; the message lists the names."""


class TruthReader(Protocol):
    """How the masks of a set are read. `key` names it, for scores that are kept."""

    @property
    def key(self) -> str: ...

    def read(self, data: bytes, name: str) -> np.ndarray:
        """The mask, uint8 (H, W) of 0..255, out of the bytes of the file `name`; raises ValueError where that fails."""
        ...


@dataclass(frozen=True)
class ScorePair:
    """What to score. `prediction` and `truth` are files or arrays; `image` serves pictures, reports and wCm.

    Without a `reader`, the gray values of a mask's file are taken as they are.
    """

    dataset: str
    name: str
    prediction: Path | np.ndarray
    truth: Path | np.ndarray
    image: Path | None = None
    reader: TruthReader | None = None


@dataclass(frozen=True)
class SetFolders:
    """Where the maps and masks of one data set are; `images` has its photographs, where there are any.

    `named_masks` and `named_images`: name of a map → file, where these do not simply have the map's name in their folder.
    """

    dataset: str
    predictions: Path
    masks: Path
    images: Path | None = None
    named_masks: Mapping[str, Path] | None = None
    named_images: Mapping[str, Path] | None = None


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


def match_folders(sets: Iterable[SetFolders], allow_missing: bool = False) -> list[DatasetPairs]:
    """Pairs of <predictions>/**/name.png and <masks>/**/name.png, by path without extension.

    Names that occur once may lie in other sub-folders.
    PairingError lists every missing prediction and mask; with `allow_missing` a set needs only one complete pair.
    """
    found, problems = [], []
    for folders in sets:
        try:
            matched = _match(folders)
        except PairingError as error:
            problems.append(str(error))
            continue
        found.append(matched)
        if not matched.pairs or not allow_missing:
            problems += _complaints(matched)
    if problems:
        raise PairingError("\n".join(problems))
    return found


def _match(folders: SetFolders) -> DatasetPairs:
    dataset, predictions, truths = folders.dataset, folders.predictions, folders.masks
    for folder, what in ((predictions, "predictions"), (truths, "masks")):
        if not folder.is_dir():
            raise PairingError(f"{dataset}: no folder {folder} with {what}")
    if predictions.resolve() == truths.resolve():
        raise PairingError(f"{dataset}: {predictions} is named for the predictions and for the masks; name two folders")
    there = _by_stem(predictions)
    masks = _by_stem(truths) if folders.named_masks is None else dict(folders.named_masks)
    if not masks:
        raise PairingError(f"{dataset}: no mask in {truths} (of {', '.join(EXTENSIONS)})")
    partner = {name: name for name in masks if name in there}
    partner |= _by_unique_name(masks.keys() - partner.keys(), there.keys() - partner.keys())
    images = _images(folders.images) if folders.named_images is None else folders.named_images
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
    for path in _files(folder):
        key = _key(path, folder)
        if key in found:
            twice.append(f"{found[key]} and {path}")
        found[key] = path
    if twice:
        raise PairingError(f"{folder}: files that differ only in their extension: {listing(twice)}")
    return found


def _files(folder: Path) -> list[Path]:
    """Images and arrays below a folder, sorted: links are followed, hidden files and folders left out, as where data are read."""
    found, visited = [], set()
    for parent, folders, names in os.walk(folder, followlinks=True):
        if (real := os.path.realpath(parent)) in visited:  # a link to a folder above
            folders.clear()
            continue
        visited.add(real)
        folders[:] = [name for name in folders if not name.startswith(".")]
        paths = (Path(parent, name) for name in names if not name.startswith("."))
        found += [path for path in paths if path.suffix.lower() in EXTENSIONS and path.is_file()]
    return sorted(found)


def _key(path: Path, folder: Path) -> str:
    """Path below the folder without extension, with accented letters in one form (NFC): disks and archives differ in it."""
    return unicodedata.normalize("NFC", path.relative_to(folder).with_suffix("").as_posix())


def _by_unique_name(names: set[str], others: set[str]) -> dict[str, str]:
    """Partners among names in different sub-folders, where the last part occurs once on both sides."""
    sides = []
    for side in (names, others):
        count = Counter(name.rsplit("/", 1)[-1] for name in side)
        sides.append({name.rsplit("/", 1)[-1]: name for name in side if count[name.rsplit("/", 1)[-1]] == 1})
    return {sides[0][last]: sides[1][last] for last in sides[0].keys() & sides[1].keys()}


def _images(folder: Path | None) -> dict[str, Path]:
    """Photographs by path without extension, for pictures."""
    if folder is None:
        return {}
    return {_key(path, folder): path for path in _files(folder)}


def _complaints(matched: DatasetPairs) -> list[str]:
    lines = []
    if matched.without_prediction:
        names, folder = matched.without_prediction, matched.prediction_folder
        lines.append(
            f"{matched.dataset}: {len(names)} of {matched.masks} masks have no prediction in {folder}: {listing(names)}"
        )
    if matched.without_truth:
        names, folder = matched.without_truth, matched.truth_folder
        lines.append(f"{matched.dataset}: {len(names)} predictions have no mask in {folder}: {listing(names)}")
    if not matched.pairs:
        lines.append(f"{matched.dataset}: no prediction has the name of a mask")
    return lines


def listing(names: Sequence[str]) -> str:
    """The names in a line, at most 50 of them."""
    rest = len(names) - _LISTED
    return ", ".join(names[:_LISTED]) + (f" … and {rest} more" if rest > 0 else "")


# -- reading ------------------------------------------------------------------------------------------------------


def read_pair(pair: ScorePair) -> tuple[np.ndarray, np.ndarray, bool]:
    """(prediction, mask, whether the prediction was resized to the mask: bilinear, as the field does).

    Predictions are gray: uint8, uint16 or float in 0..1; EXIF is applied. Masks are uint8, read by `pair.reader`.
    MapError names a file that cannot be read, and a prediction that is a picture and no map.
    """
    return decode_pair(pair, load(pair.prediction), load(pair.truth))


def load(source: Path | np.ndarray) -> np.ndarray:
    """The bytes of a file, (n,) uint8; an array as it is."""
    return source if isinstance(source, np.ndarray) else np.fromfile(source, np.uint8)


def decode_pair(pair: ScorePair, prediction: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray, bool]:
    """`read_pair` of what `load` gave."""
    if not isinstance(pair.prediction, np.ndarray):
        _refuse_pictures(pair.prediction, prediction)
    prediction = _decode(pair.prediction, prediction, cv2.IMREAD_GRAYSCALE | cv2.IMREAD_ANYDEPTH)
    truth = _decode_truth(pair, truth)
    if prediction.shape == truth.shape or prediction.ndim != 2 or truth.ndim != 2:
        return prediction, truth, False
    _check(pair.prediction, prediction)
    if prediction.dtype == bool:
        prediction = prediction.astype(np.uint8) * 255
    if prediction.dtype == np.float16:  # which OpenCV does not resize
        prediction = prediction.astype(np.float32)
    height, width = truth.shape
    return cv2.resize(prediction, (width, height), interpolation=cv2.INTER_LINEAR), truth, True


def _check(source: Path | np.ndarray, prediction: np.ndarray) -> None:
    """What would make no sense once it is resized. MapError, with the name of the file."""
    try:
        check_map(prediction)
    except MapError as error:
        raise MapError(f"{'' if isinstance(source, np.ndarray) else f'{source}: '}{error}") from error


def _refuse_pictures(source: Path, data: np.ndarray) -> None:
    """MapError for a prediction in color or with transparency: a cut-out, or a label map in a palette, is no saliency map."""
    gray_png = data[:8].tobytes() == b"\x89PNG\r\n\x1a\n" and data[25:26].tobytes() == b"\0"
    if gray_png or source.suffix.lower() == ".npy" or not data.size:
        return
    pixels = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.ndim == 2:
        return
    color, most = pixels[..., :3], {"uint8": 255, "uint16": 65535}.get(pixels.dtype.name, 1)
    if pixels.shape[2] == 4 and pixels[..., 3].min() < most:
        raise MapError(f"{source}: is a picture with transparency and no map; make maps (--type map) and score those")
    if np.ptp(color, axis=2).max() > most * _NEARLY_GRAY:
        raise MapError(f"{source}: is a picture in color and no map; save maps as gray PNG, 0 to 255")


def read_photo(pair: ScorePair) -> np.ndarray:
    """The photograph of a pair, (H, W, 3) uint8 RGB, upright. MapError where there is none or it cannot be read."""
    if pair.image is None:
        raise MapError(f"{pair.truth}: wCm needs the photograph, and none has this name; add it, or leave wCm out")
    pixels = cv2.imdecode(load(pair.image), cv2.IMREAD_COLOR)
    if pixels is None:
        raise MapError(f"{pair.image}: not an image that OpenCV can read")
    return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)


def is_faint(prediction: np.ndarray) -> bool | None:
    """Whether an integer map holds nothing above 1 of 255 (255 of 65535), as masks of 0 and 1 do; None: it is all 0."""
    most = {np.dtype(np.uint8): 1, np.dtype(np.uint16): 255}.get(prediction.dtype)
    highest = prediction.max(initial=0)
    return None if highest == 0 else most is not None and bool(highest <= most)


def _decode_truth(pair: ScorePair, data: np.ndarray) -> np.ndarray:
    if pair.reader is None or isinstance(pair.truth, np.ndarray) or not data.size:
        return _decode(pair.truth, data, cv2.IMREAD_GRAYSCALE)
    try:
        return pair.reader.read(data.tobytes(), str(pair.truth))
    except ValueError as error:
        raise MapError(str(error)) from error


def _decode(source: Path | np.ndarray, data: np.ndarray, flags: int) -> np.ndarray:
    if isinstance(source, np.ndarray):
        return source
    if source.suffix.lower() == ".npy":
        try:
            array = np.load(io.BytesIO(data.tobytes()), allow_pickle=False)
            return array.astype(array.dtype.newbyteorder("="), copy=False)  # OpenCV reads bytes in this machine's order
        except ValueError as error:
            raise MapError(f"{source}: not a NumPy array file ({error})") from error
    image = cv2.imdecode(data, flags) if data.size else None
    if image is None:
        raise MapError(f"{source}: {'empty file' if not data.size else 'not an image that OpenCV can read'}")
    return image
