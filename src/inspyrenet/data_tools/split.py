"""Divides a set into training, validation and test pairs, or into folds, and writes the lists."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..data.datasets.files import LayoutError, place_of
from ..data.datasets.lists import write_list
from ..data.datasets.near_duplicates import fingerprints, groups_of, near_duplicates
from ..data.datasets.pairs import Pair, find_pairs

_SHARES = re.compile(r"(train|val|test)\.txt")
_FOLDS = re.compile(r"fold\d+_(train|val)\.txt")


@dataclass(frozen=True)
class SplitOptions:
    """validation, test: shares of the pairs, 0 … 1; folds: number of folds in place of both."""

    validation: float = 0.1
    test: float = 0.0
    folds: int | None = None
    seed: int = 0
    overwrite: bool = False


def split(root: Path, name: str, options: SplitOptions) -> dict[Path, int]:
    """Write the lists of a set into its folder (beside it, where it has none); list → number of its names.

    Pictures that are nearly the same come to the same list. The lists depend on the pictures, their names and the seed alone.
    Raises LayoutError where lists cannot be used there or are there already, or where lists of another division would overlap
    with them, PreflightError for bad data, ValueError for shares that leave a list empty.
    """
    place = place_of(root, name)
    if place is not None and place.split is not None:
        raise LayoutError(
            [f"{root / name}: a list cannot choose from a split of parquet files; copy it into images and masks"]
        )
    pairs = find_pairs(root, [name])
    beside = place is not None and place.pair is not None
    folder = root if beside or place is None else place.folder
    prefix = (
        f"{Path(name).name}_" if beside else f"{place.listing.stem}_" if place is not None and place.listing else ""
    )
    lists = {folder / f"{prefix}{kind}.txt": part for kind, part in divide(pairs, options).items()}
    there = [str(path) for path in lists if path.exists()]
    if there and not options.overwrite:
        raise LayoutError([f"{', '.join(there)}: there already; --overwrite replaces them"])
    kinds = _SHARES if options.folds is None else _FOLDS
    names = {path.name.removeprefix(prefix) for path in folder.glob(f"{prefix}*.txt") if path not in lists}
    if stale := sorted(name for name in names if kinds.fullmatch(name)):
        others = ", ".join(str(folder / f"{prefix}{name}") for name in stale)
        raise LayoutError(
            [f"{others}: of another division, whose pairs would also be in the new lists; remove it first"]
        )
    for path, part in lists.items():
        write_list(path, (_line(pair, root) if beside else pair.name for pair in part))
    return {path: len(part) for path, part in lists.items()}


def _line(pair: Pair, root: Path) -> str:
    return f"{pair.image.relative_to(root).as_posix()}\t{pair.mask_file.relative_to(root).as_posix()}"


def divide(pairs: Sequence[Pair], options: SplitOptions) -> dict[str, list[Pair]]:
    """Name of a list → its pairs, in their order. Raises ValueError where a list would be empty."""
    twice = [(a, b) for a, b, _ in near_duplicates(fingerprints([pair.image for pair in pairs]))]
    groups = groups_of(len(pairs), twice)
    if options.folds is not None:
        parts = _assign(groups, [1 / options.folds] * options.folds, options.seed)
        _check({f"fold {number}": part for number, part in enumerate(parts)}, len(pairs), "fewer folds")
        lists = {}
        for number, part in enumerate(parts):
            lists[f"fold{number}_train"] = sorted(i for other in parts if other is not part for i in other)
            lists[f"fold{number}_val"] = part
    else:
        shares = {"train": 1 - options.validation - options.test, "val": options.validation, "test": options.test}
        for kind, share in (("validation", options.validation), ("test", options.test)):
            if not 0 <= share < 1:
                raise ValueError(f"the share of {kind} must be at least 0 and less than 1, not {share}")
        if not shares["train"] > 0:
            raise ValueError(
                f"shares of validation and test of {options.validation + options.test} leave nothing to train on"
            )
        wanted = {kind: share for kind, share in shares.items() if share > 0}
        lists = dict(zip(wanted, _assign(groups, list(wanted.values()), options.seed), strict=True))
        _check(lists, len(pairs), "larger shares")
    return {kind: [pairs[i] for i in part] for kind, part in lists.items()}


def _assign(groups: Sequence[Sequence[int]], shares: Sequence[float], seed: int) -> list[list[int]]:
    """Members of the groups in parts of about these shares: each group, large ones first, goes where most is missing."""
    total = sum(map(len, groups))
    order = np.random.default_rng((seed, 0x5A11)).permutation(len(groups)).tolist()
    parts: list[list[int]] = [[] for _ in shares]
    for place in sorted(order, key=lambda place: -len(groups[place])):
        missing = [share * total - len(part) for share, part in zip(shares, parts, strict=True)]
        parts[missing.index(max(missing))] += groups[place]
    return [sorted(part) for part in parts]


def _check(lists: Mapping[str, Sequence[int]], count: int, instead: str) -> None:
    empty = [kind for kind, part in lists.items() if not part]
    if empty:
        raise ValueError(
            f"{count} pairs are too few: nothing is left for {' and '.join(empty)}; take {instead}, or add pairs"
        )
