"""Which image belongs to which mask, and everything that is wrong with a data set, said before the first step.

How a set may lie is told in `files.py`; most often an image and its mask have the same path below the folders `images` and
`masks` but for the extension. Sizes come from file headers, and only masks are decoded, so ten thousand pairs take
a few seconds.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from ..hub.archives import ArchiveError
from ..images.damage import check_whole, is_jpeg, warned_jpegs
from ..images.masks import Coding, MaskError, read_mask
from ..images.read import ImageError, upright_size
from .checking import answers, say_coding, survey_masks
from .files import Files, LayoutError
from .sets import find_set

log = logging.getLogger(__name__)

_PER_PROCESS = 512  # JPEG files that one process decodes: starting it takes as long as 200 of them


@dataclass(frozen=True)
class Pair:
    """One image and its mask. `name` is the path below the image folder without extension, with `/` between folders.

    `coding` says how the masks of its set are read; without one, each mask is a set of its own.
    """

    image: Path
    mask: Path | None
    name: str
    dataset: str
    coding: Coding | None = None

    @property
    def mask_file(self) -> Path:
        """The mask. Raises ImageError where there is none."""
        if self.mask is None:
            raise ImageError(f"{self.image}: has no mask; look for pairs with need_masks=True")
        return self.mask

    def read_mask(self) -> np.ndarray:
        """The mask, uint8 (H, W), 255 where the object is. Raises ImageError where there is none or it cannot be read."""
        return read_mask(self.mask_file, self.coding)


Match = Callable[
    [Path, str, bool], tuple[list[Pair], list[str]]
]  # (root, set, need masks) → (pairs, problems of others)


class PreflightError(ValueError):
    """A data set cannot be used as it is. `problems` has one readable line each; the message has all of them."""

    def __init__(self, problems: Sequence[str], remedy: str):
        self.problems = tuple(problems)
        count = f"{len(self.problems)} problem{'s' if len(self.problems) > 1 else ''}"
        lines = "\n".join(f"  {problem}" for problem in self.problems)
        super().__init__(f"{count} in the data; {remedy}:\n{lines}")

    def __reduce__(self) -> tuple:
        return _rebuild_error, (self.problems, str(self))


def _rebuild_error(problems: tuple[str, ...], message: str) -> PreflightError:
    """The error again, after it crossed a process boundary."""
    error = PreflightError(problems, "")
    error.args = (message,)
    return error


def find_pairs(
    root: Path | str,
    sets: Iterable[str],
    on_bad_pair: Literal["error", "skip"] = "error",
    need_masks: bool = True,
    limit: int | None = None,
    mask_root: Path | str | None = None,
    match: Match | None = None,
) -> list[Pair]:
    """All pairs of all sets, in the order of `sets` and then of names; with `limit`, that many of them, evenly spread.

    match: finds the pairs of one set; None: `match_folders`.
    Without `need_masks` only images are looked for, `Pair.mask` is None and a set may be a plain folder of images.
    mask_root: the root of the masks, where they lie apart from the images.
    Raises PreflightError with every problem of every set. With on_bad_pair="skip" a bad pair is logged and left out, and all
    images are decoded to find damage in their middle, too; a set that is absent, has nothing left or has masks whose
    meaning is not certain is an error even then, and so are masks that are all empty.
    """
    if on_bad_pair not in ("error", "skip"):
        raise ValueError(f"on_bad_pair must be 'error' or 'skip', not {on_bad_pair!r}")
    pairs, bad_sets, bad_pairs = check_pairs(root, sets, need_masks, on_bad_pair == "skip", mask_root, match)
    if bad_sets or (bad_pairs and on_bad_pair == "error"):
        remedy = "repair them" if bad_sets else "repair them, or set on_bad_pair: skip to go on without"
        raise PreflightError([*bad_sets, *bad_pairs], remedy)
    for problem in bad_pairs:
        log.warning("skipped: %s", problem)
    if bad_pairs:
        log.warning("skipped %d, %d pairs left", len(bad_pairs), len(pairs))
    return pick_evenly(pairs, limit)


def check_pairs(
    root: Path | str,
    sets: Iterable[str],
    need_masks: bool = True,
    whole: bool = False,
    mask_root: Path | str | None = None,
    match: Match | None = None,
) -> tuple[list[Pair], list[str], list[str]]:
    """(good pairs, problems of whole sets, problems of single pairs), without raising.

    Masks are decoded to learn their coding; with `whole`, images are decoded as well.
    """
    root, sets = Path(root), [sets] if isinstance(sets, str) else list(sets)
    if not root.is_dir():
        return [], [f"{root}: no such folder (the root of the data sets)"], []
    candidates: list[Pair] = []
    bad_sets, bad_pairs = ([] if sets else [f"{root}: no set of it is named"]), []
    for position, dataset in enumerate(sets):
        if dataset in sets[:position]:
            bad_sets.append(f"{root / dataset}: the set is listed twice")
            continue
        try:
            if match is None:
                found, problems = match_folders(
                    root, dataset, need_masks, None if mask_root is None else Path(mask_root)
                )
            else:
                found, problems = match(root, dataset, need_masks)
        except PreflightError as error:
            bad_sets += error.problems
            continue
        candidates += found
        bad_pairs += problems
    good, problems = _check_files(candidates, whole, surveyed=need_masks)
    bad_pairs += problems
    coded: list[Pair] = []
    for dataset in dict.fromkeys(pair.dataset for pair in candidates):
        members = [pair for pair in good if pair.dataset == dataset]
        try:
            members, problems = _with_coding(dataset, members) if need_masks else (members, [])
        except MaskError as error:
            bad_sets.append(str(error))
            continue
        bad_pairs += problems
        coded += members
        if not members:
            bad_sets.append(f"{root / dataset}: no usable pair is left")
    if need_masks and coded and all(pair.coding and pair.coding.without_objects for pair in coded):
        bad_sets.append(
            f"{root}: all masks of {', '.join(dict.fromkeys(p.dataset for p in coded))} are empty: no object in them"
        )
    return coded, bad_sets, bad_pairs


def _with_coding(dataset: str, pairs: list[Pair]) -> tuple[list[Pair], list[str]]:
    """(pairs of a set with its coding, problems of masks that cannot be read). Raises MaskError where there is no one coding."""
    layers, problems = survey_masks([pair.mask_file for pair in pairs])
    if not layers:
        return [], list(problems.values())
    coding = say_coding(dataset, layers)
    return [replace(pair, coding=coding) for pair in pairs if pair.mask not in problems], list(problems.values())


def pick_evenly(items: Sequence, limit: int | None) -> list:
    """`limit` of the items, evenly spread and in order; all of them where there are fewer or limit is None."""
    if limit is None or limit >= len(items):
        return list(items)
    return [items[index * len(items) // limit] for index in range(limit)]


def match_folders(
    root: Path, dataset: str, need_masks: bool, mask_root: Path | None = None
) -> tuple[list[Pair], list[str]]:
    """Pairs of one set by name and the problems of finding partners; PreflightError where the set has no pair."""
    try:
        files = find_set(root, dataset, need_masks, mask_root)
    except (LayoutError, ArchiveError) as error:
        raise PreflightError(getattr(error, "problems", [str(error)]), "repair it") from error
    log.info("%s: %s", dataset, files.text)
    images, masks, problems = files.images, files.masks, files.problems
    if not need_masks:
        return [Pair(path, None, name, dataset) for name, path in images.items() if path], problems
    problems += _partnerless(images, masks, "mask", files.mask_place)
    problems += _partnerless(masks, images, "image", files.image_place)
    pairs = [
        Pair(path, mask, name, dataset)
        for name, path in images.items()
        if path and (mask := masks.get(name)) is not None
    ]
    if not pairs:
        raise PreflightError([*problems, f"{root / dataset}: no image has a mask of the same name"], "repair it")
    return pairs, problems


def _partnerless(files: Files, others: Files, kind: str, folder: Path | None) -> list[str]:
    return [f"{path}: no {kind} {name}.* in {folder}" for name, path in files.items() if path and name not in others]


def _check_files(pairs: list[Pair], whole: bool, surveyed: bool) -> tuple[list[Pair], list[str]]:
    """(readable pairs of equal size, problems). surveyed: whether masks are decoded afterwards in any case."""
    good, problems = [], []
    found = list(answers(lambda pair: _check_pair(pair, whole, surveyed), pairs, "pairs"))
    readable = [pair for pair, answer in zip(pairs, found, strict=True) if not answer]
    damaged = _damaged_jpegs(readable) if whole else {}
    for pair, answer in zip(pairs, found, strict=True):
        answer += [damaged[path] for path in (pair.image, pair.mask) if path in damaged]
        if answer:
            problems += answer
        else:
            good.append(pair)
    return good, problems


def _damaged_jpegs(pairs: list[Pair]) -> dict[Path | None, str]:
    """File -> problem, of the images and masks that are JPEG files with damage in their middle, whatever their names say."""
    files = [path for pair in pairs for path in (pair.image, pair.mask) if path is not None]
    jpegs = [path for path in files if is_jpeg(path)]
    parts = [jpegs[start : start + _PER_PROCESS] for start in range(0, len(jpegs), _PER_PROCESS)]
    return {
        path: problem
        for found in answers(warned_jpegs, parts, "groups of JPEG files", 1)
        for path, problem in found.items()
    }


def _check_pair(pair: Pair, whole: bool, surveyed: bool) -> list[str]:
    sizes, problems = [], []
    for path in (pair.image, pair.mask):
        if path is None:
            continue
        try:
            sizes.append(upright_size(path))
            if whole and (path == pair.image or not surveyed):
                check_whole(path)
        except ImageError as error:
            problems.append(str(error))
    if len(sizes) == 2 and sizes[0] != sizes[1]:
        (height, width), (mask_height, mask_width) = sizes
        problems.append(f"{pair.image}: is {width}x{height} but its mask {pair.mask} is {mask_width}x{mask_height}")
    return problems
