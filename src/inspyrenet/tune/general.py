"""Images that stand for everything else than the user's subject: repeated in training, and tested before and after."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from ..data.datasets.pairs import Pair, find_pairs
from ..data.datasets.synthetic import HELD_OUT_SEED, TRAIN_SEED, ensure_dataset
from ..data.images.masks import Coding
from ..data.images.write import write_map
from ..utils.config.schema import Config
from .measure import maps
from .split import Parts, split_general

PAINTED, PAINTED_TEST = 60, 120


def pairs_of(folder: Path) -> list[Pair]:
    """The pairs of one set. Raises PreflightError where it is none."""
    folder = folder.resolve()
    return find_pairs(folder.parent, [folder.name])


def check_sets(own: Path, given: Sequence[Path]) -> None:
    """Raises ValueError where a set would count twice, or could not be told from another by its name."""
    names = Counter(folder.resolve().name for folder in given)
    twice = [name for name, count in names.items() if count > 1]
    if own.resolve() in [folder.resolve() for folder in given]:
        raise ValueError(f"--general {own}: these are the pairs of --data; name sets that show other things")
    if twice:
        raise ValueError(f"--general: two sets are called {twice[0]}; rename one of the folders")


def general_parts(given: Sequence[Path], place: Path, seed: int) -> Parts:
    """The given sets in three parts; where none is given, painted pictures, which have exact masks, to choose and to test."""
    if given:
        return split_general([pair for folder in given for pair in pairs_of(folder)], seed)
    parts = split_general(pairs_of(ensure_dataset(place, "painted_test", PAINTED_TEST, HELD_OUT_SEED)), seed)
    return Parts((), (*parts.choose, *parts.learn), parts.test)


def painted_replay(config: Config, start: nn.Module, place: Path, device: torch.device) -> list[Pair]:
    """Painted pictures whose masks are the start's own maps, written below `place`.

    They hold the network where it was (Li and Hoiem, Learning without Forgetting, ECCV 2016); the painted masks themselves
    would teach what an object is anew.
    """
    pairs = pairs_of(ensure_dataset(place, "painted", PAINTED, TRAIN_SEED))
    replay = []
    for pair, saliency in maps(config, start, pairs, device):
        file = place / "start_maps" / f"{pair.name}.png"
        write_map(saliency, file)
        replay.append(replace(pair, mask=file, coding=Coding()))
    return sorted(replay, key=lambda pair: pair.name)
