"""Data set types from outside this package: which files are images and which their masks."""

from collections.abc import Sequence
from pathlib import Path

from ..data.datasets.pairs import Match, Pair, PreflightError
from ..utils.config.plugins import PluginError
from ..utils.config.schema import DatasetSection
from ..utils.metrics.files import DatasetPairs, PairingError, ScorePair, listing
from . import named as names


def lister(section: DatasetSection) -> Match | None:
    """(root, set, whether masks are needed) → (pairs, problems), as the type says; None for our own types."""
    named = names.dataset(section, "Dataset")
    if named is None:
        return None
    pairs_of = named.make()

    def match(root: Path, name: str, need_masks: bool) -> tuple[list[Pair], list[str]]:
        found = [_pair(named.name, entry, name, need_masks) for entry in pairs_of(root, name)]
        if not found:
            raise PreflightError([f"{root}: {named.name} finds no pair of the set {name}"], "repair it")
        return _without_doubles(found)

    return match


def _pair(type_name: str, entry: object, dataset: str, need_masks: bool) -> Pair:
    if not isinstance(entry, tuple) or len(entry) != 2 or entry[0] is None or (need_masks and entry[1] is None):
        raise PluginError(f"{type_name} must give (image file, mask file) for each pair, not {entry!r}")
    image, mask = (None if one is None else Path(one) for one in entry)
    assert image is not None
    return Pair(image, mask if need_masks else None, image.stem, dataset)


def _without_doubles(pairs: Sequence[Pair]) -> tuple[list[Pair], list[str]]:
    """Pairs by their names, which are those of the maps, and a line for each name that comes again."""
    first: dict[str, Pair] = {}
    problems = []
    for pair in pairs:
        if first.setdefault(pair.name, pair) is not pair:
            problems.append(f"{pair.image}: {first[pair.name].image} has the same name; keep one of them")
    return list(first.values()), problems


def scored_sets(section: DatasetSection, pred_root: Path, allow_missing: bool) -> list[DatasetPairs] | None:
    """The sets with their maps <pred_root>/<set>/<name>.png; None for our own types.

    Raises PairingError where maps are missing.
    """
    match = lister(section)
    if match is None:
        return None
    found = [
        _scored(match(Path(section.root), name, True)[0], name, pred_root, Path(section.root)) for name in section.sets
    ]
    for one in found:
        if one.without_prediction and not (allow_missing and one.pairs):
            raise PairingError(
                f"{one.dataset}: no prediction in {one.prediction_folder} for {listing(one.without_prediction)}"
            )
    return found


def _scored(pairs: Sequence[Pair], name: str, pred_root: Path, root: Path) -> DatasetPairs:
    maps = {pair.name: pred_root / name / f"{pair.name}.png" for pair in pairs}
    made = {name for name, path in maps.items() if path.is_file()}
    there = [pair for pair in pairs if pair.name in made]
    return DatasetPairs(
        name,
        tuple(ScorePair(name, pair.name, maps[pair.name], pair.mask_file, pair.image) for pair in there),
        tuple(pair.name for pair in pairs if pair.name not in made),
        (),
        pred_root / name,
        root,
    )
