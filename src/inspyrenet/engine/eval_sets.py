"""Which folders hold the maps, masks and photographs of the data sets that are scored, and how their masks are read."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ..data.datasets.checking import say_coding, survey_masks
from ..data.datasets.layout import MASK_FOLDERS, image_folder, mask_folder, set_folder
from ..data.datasets.packed import unpacked
from ..data.images.masks import Coding
from ..utils.metrics.files import EXTENSIONS, DatasetPairs, PairingError, SetFolders, listing

log = logging.getLogger(__name__)


def find_sets(pred_root: Path | str, gt_root: Path | str, datasets: Sequence[str] | None = None) -> list[SetFolders]:
    """Folders of the sets <pred_root>/<dataset> and <gt_root>/<dataset>, which may be packed, as in training.

    The masks may also lie in the data set's folder itself.
    Without `datasets`, gt_root is one set if it holds masks; else its sub-folders that pred_root has too are the sets.
    Raises PairingError where a root is missing or no set is named, ArchiveError for a packed set that is damaged.
    """
    pred_root, gt_root = Path(pred_root), Path(gt_root)
    for root, what in ((pred_root, "predictions"), (gt_root, "masks")):
        if not root.is_dir():
            raise PairingError(f"{root}: no such folder (it should hold the {what})")
    if datasets is not None and not datasets:
        raise PairingError("no data set is named: say which, e.g. Eval.datasets=[ECSSD]")
    if datasets is None:
        datasets = _common(pred_root, gt_root)
    if datasets:
        return [_folders(name, set_folder(pred_root, name), set_folder(gt_root, name)) for name in datasets]
    where = gt_root.resolve()
    name = where.parent.name if where.name.lower() in MASK_FOLDERS else where.name
    there = set_folder(pred_root, name)
    return [_folders(name, there if there.is_dir() else pred_root, gt_root)]


def _common(pred_root: Path, gt_root: Path) -> list[str]:
    """The sets that both roots have; empty where gt_root is a set itself."""
    entries = sorted(gt_root.iterdir())
    if mask_folder(gt_root) or any(e.is_file() and e.suffix.lower() in EXTENSIONS for e in entries):
        return []
    sets = [e.name for e in entries if e.is_dir() and set_folder(pred_root, e.name).is_dir()]
    others = [e.name for e in entries if e.is_dir() and e.name not in sets]
    if sets and others:
        log.warning("not scored, because %s has no folder of that name: %s", pred_root, listing(others))
    return sets


def _folders(dataset: str, predictions: Path, folder: Path) -> SetFolders:
    folder = unpacked(folder)
    masks = mask_folder(folder)
    return SetFolders(dataset, predictions, masks or folder, image_folder(folder if masks else folder.parent))


def with_readers(sets: Sequence[DatasetPairs], known: dict[tuple[Path, ...], Coding]) -> list[DatasetPairs]:
    """The sets with pairs that know how to read their masks, after all masks have been looked at.

    `known` keeps the codings, by the files of a set, for other methods on the same masks.
    Raises MaskError where it is not certain what a set's masks mean; scoring says which files cannot be read.
    """
    return [_with_reader(matched, known) for matched in sets]


def _with_reader(matched: DatasetPairs, known: dict[tuple[Path, ...], Coding]) -> DatasetPairs:
    files = tuple(pair.truth for pair in matched.pairs if isinstance(pair.truth, Path))
    if files not in known:
        known[files] = say_coding(matched.dataset, survey_masks(files)[0])
    return replace(matched, pairs=tuple(replace(pair, reader=known[files]) for pair in matched.pairs))
