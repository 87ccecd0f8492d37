"""Which folders hold the maps, masks and photographs of the data sets that are scored, and how their masks are read."""

import json
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..data.datasets.checking import say_coding, survey_masks
from ..data.datasets.files import LayoutError, Place, SetFiles, files_in, is_set, place_of
from ..data.datasets.layout import MASK_FOLDERS, mask_folder, one_form, set_folder
from ..data.datasets.sets import find_set
from ..data.images.masks import Coding
from ..utils.config.schema import DatasetSection
from ..utils.metrics.files import EXTENSIONS, DatasetPairs, PairingError, ScorePair, SetFolders, listing

log = logging.getLogger(__name__)

RECORD = "predicted.json"  # in Eval.pred_root: what the maps were made of
UNFINISHED = "unfinished"  # its entry with the sets whose maps are being made


def unfinished_sets(record: Path) -> set[str]:
    """The sets for which Test was begun and did not come to its end."""
    try:
        content = json.loads(record.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return set()
    return set(content.get(UNFINISHED, ())) if isinstance(content, Mapping) else set()


def check_finished(predictions: Path, datasets: Sequence[str] | None, allow_missing: bool) -> None:
    """Raises PairingError where Test was stopped in one of these sets: maps of now may lie beside those of another network."""
    stopped = unfinished_sets(predictions / RECORD)
    stopped = stopped if datasets is None else stopped & set(datasets)
    if stopped:
        where = ", ".join(str(predictions / name) for name in sorted(stopped))
        trouble = f"{where}: Test was stopped before all maps were made, and others may be of an earlier run"
        if not allow_missing:
            raise PairingError(f"{trouble}: run it again, or score what is there with --allow-missing")
        log.warning(trouble)


def find_sets(
    pred_root: Path | str,
    gt_root: Path | str,
    datasets: Sequence[str] | None = None,
    image_root: Path | str | None = None,
) -> list[SetFolders]:
    """Folders of the sets <pred_root>/<dataset> and <gt_root>/<dataset>, in any layout of training.

    The masks may also lie in the data set's folder itself.
    image_root: where the images of the same sets are, if they are apart from the masks.
    Without `datasets`, gt_root is one set if it holds masks; else its sub-folders that pred_root has too are the sets.
    Raises PairingError where a root is missing or no set is named, LayoutError where it is not certain which files are masks,
    ArchiveError for a packed set that is damaged.
    """
    pred_root, gt_root = Path(pred_root), Path(gt_root)
    for root, what in ((pred_root, "predictions"), (gt_root, "masks")):
        if not root.is_dir():
            raise PairingError(f"{root}: no such folder (it should hold the {what})")
    if datasets is not None and not datasets:
        raise PairingError("no data set is named: say which, e.g. Eval.datasets=[ECSSD]")
    if twice := [name for name, count in Counter(datasets or ()).items() if count > 1]:
        raise PairingError(f"Eval.datasets: {twice[0]} is listed twice")
    if datasets is None:
        datasets = _common(pred_root, gt_root)
    if datasets:
        return [_named(name, set_folder(pred_root, name), gt_root, image_root) for name in datasets]
    where = gt_root.resolve()
    name = where.parent.name if where.name.lower() in MASK_FOLDERS else where.name
    there = set_folder(pred_root, name)
    return [_folders(name, there if there.is_dir() else pred_root, files_in(Place(gt_root), need_images=False))]


@dataclass(frozen=True)
class Limit:
    """The images that Test.Dataset.limit chooses: only their maps are scored, since others are of an earlier, larger run.

    chosen: set → names of its images. Sets that are not in `all_sets` are not concerned.
    """

    chosen: Mapping[str, set[str]]
    all_sets: tuple[str, ...]

    def sets(self, asked: Sequence[str] | None) -> list[str]:
        """Those of the sets that have chosen images. Raises PairingError where none has."""
        asked = self.all_sets if asked is None else asked
        kept = [name for name in asked if name in self.chosen or name not in self.all_sets]
        if not kept:
            raise PairingError(f"Test.Dataset.limit chooses no image of {', '.join(asked)}: there is nothing to score")
        return kept

    def applied(self, found: Sequence[DatasetPairs], allow_missing: bool) -> list[DatasetPairs]:
        """The sets with the chosen images alone. Raises PairingError where a map or a mask of one of these is missing."""
        return [_limited(one, self.chosen.get(one.dataset), allow_missing) for one in found]


def limit_of(dataset: DatasetSection) -> Limit:
    """Raises PreflightError where the images are not there."""
    from .build import pairs

    chosen: dict[str, set[str]] = {}
    for pair in pairs(dataset, need_masks=False):
        chosen.setdefault(pair.dataset, set()).add(one_form(pair.name))
    return Limit(chosen, tuple(dataset.sets))


def _limited(matched: DatasetPairs, chosen: set[str] | None, allow_missing: bool) -> DatasetPairs:
    if chosen is None:
        return matched
    maps = {pair.name: _map_name(pair, matched.prediction_folder) for pair in matched.pairs}
    kept = [pair for pair in matched.pairs if maps[pair.name] in chosen]
    missing = sorted(chosen - {name for name in maps.values() if name is not None})
    if not kept or (missing and not allow_missing):
        raise PairingError(
            f"{matched.dataset}: {len(missing)} of the {len(chosen)} images of Test.Dataset.limit have no map in "
            f"{matched.prediction_folder}, or no mask: {listing(missing)}"
        )
    names = {pair.name for pair in kept}
    others = [pair.name for pair in matched.pairs if pair.name not in names]
    return replace(matched, pairs=tuple(kept), without_prediction=(*matched.without_prediction, *others))


def _map_name(pair: ScorePair, folder: Path) -> str | None:
    """Path of the map below the folder of its set, without extension; None for an array."""
    if not isinstance(pair.prediction, Path):
        return None
    return one_form(pair.prediction.relative_to(folder).with_suffix("").as_posix())


def _common(pred_root: Path, gt_root: Path) -> list[str]:
    """The sets that both roots have; empty where gt_root is a set itself."""
    entries = sorted(gt_root.iterdir())
    if mask_folder(gt_root) or is_set(gt_root) or any(e.is_file() and e.suffix.lower() in EXTENSIONS for e in entries):
        return []
    sets = [e.name for e in entries if e.is_dir() and set_folder(pred_root, e.name).is_dir()]
    others = [e.name for e in entries if e.is_dir() and e.name not in sets]
    if sets and others:
        log.warning("not scored, because %s has no folder of that name: %s", pred_root, listing(others))
    return sets


def _named(dataset: str, predictions: Path, root: Path, image_root: Path | str | None) -> SetFolders:
    if image_root is not None:
        return _folders(dataset, predictions, find_set(Path(image_root), dataset, mask_root=root))
    if place_of(root, dataset) is None:
        return SetFolders(dataset, predictions, set_folder(root, dataset))  # matching says that it is not there
    return _folders(dataset, predictions, find_set(root, dataset, need_images=False))


def _folders(dataset: str, predictions: Path, files: SetFiles) -> SetFolders:
    if files.plain:
        return SetFolders(dataset, predictions, files.mask_place, files.image_place)
    if files.problems:
        raise LayoutError(files.problems)
    log.info("%s: %s", dataset, files.text)
    masks, images = ({name: path for name, path in found.items() if path} for found in (files.masks, files.images))
    return SetFolders(dataset, predictions, files.mask_place, files.image_place, masks, images)


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
