"""Which folders hold the maps, masks and photographs of the data sets that are scored."""

import logging
from collections.abc import Sequence
from pathlib import Path

from ..data.datasets.layout import MASK_FOLDERS, image_folder, mask_folder
from ..data.datasets.packed import unpacked
from ..utils.metrics.files import EXTENSIONS, PairingError, SetFolders, listing

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
        return [_folders(name, pred_root / name, gt_root / name) for name in datasets]
    where = gt_root.resolve()
    name = where.parent.name if where.name.lower() in MASK_FOLDERS else where.name
    return [_folders(name, pred_root / name if (pred_root / name).is_dir() else pred_root, gt_root)]


def _common(pred_root: Path, gt_root: Path) -> list[str]:
    """The sets that both roots have; empty where gt_root is a set itself."""
    entries = sorted(gt_root.iterdir())
    if mask_folder(gt_root) or any(e.is_file() and e.suffix.lower() in EXTENSIONS for e in entries):
        return []
    sets = [e.name for e in entries if e.is_dir() and (pred_root / e.name).is_dir()]
    others = [e.name for e in entries if e.is_dir() and e.name not in sets]
    if sets and others:
        log.warning("not scored, because %s has no folder of that name: %s", pred_root, listing(others))
    return sets


def _folders(dataset: str, predictions: Path, folder: Path) -> SetFolders:
    folder = unpacked(folder)
    masks = mask_folder(folder)
    return SetFolders(dataset, predictions, masks or folder, image_folder(folder if masks else folder.parent))
