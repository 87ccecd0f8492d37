"""Which pairs the network learns from, which choose the blend, and which the final test sees for the first time."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..data.datasets.pairs import Pair

LEAST = 20  # own pairs; with fewer, the test can hardly tell better from luck
LEAST_GENERAL = 40


class TooFewPairs(ValueError):
    """A set cannot be split into three useful parts."""


@dataclass(frozen=True)
class Parts:
    """Disjoint parts of a set of pairs."""

    learn: tuple[Pair, ...]
    choose: tuple[Pair, ...]
    test: tuple[Pair, ...]


def split_own(pairs: Sequence[Pair], seed: int) -> Parts:
    """A third for the test (7 to 60 pairs), a fifth to choose (4 to 40), the rest to learn from.

    Depends on the number of pairs and the seed alone. Raises TooFewPairs for fewer than LEAST pairs.
    """
    if len(pairs) < LEAST:
        raise TooFewPairs(
            f"{len(pairs)} pairs are too few: a third of them is kept for the test, and fewer than {LEAST} pairs leave a "
            "test that cannot tell an improvement from luck; add pairs"
        )
    return _parts(pairs, seed, _within(len(pairs) / 5, 4, 40), _within(0.35 * len(pairs), 7, 60))


def split_general(pairs: Sequence[Pair], seed: int) -> Parts:
    """Half for the test (at most 120 pairs), a sixth to choose (at most 30), the rest to be repeated in training.

    Raises TooFewPairs for fewer than LEAST_GENERAL pairs.
    """
    if len(pairs) < LEAST_GENERAL:
        raise TooFewPairs(
            f"--general has {len(pairs)} pairs; at least {LEAST_GENERAL} are needed to see whether the network got worse"
        )
    return _parts(pairs, seed, _within(len(pairs) / 6, 1, 30), _within(len(pairs) / 2, 1, 120))


def _within(share: float, least: int, most: int) -> int:
    return min(max(round(share), least), most)


def _parts(pairs: Sequence[Pair], seed: int, choose: int, test: int) -> Parts:
    order = np.random.default_rng((seed, 0x7E57)).permutation(len(pairs)).tolist()
    groups = (order[choose + test :], order[:choose], order[choose : choose + test])
    learn, chosen, tested = (tuple(pairs[i] for i in sorted(group)) for group in groups)
    return Parts(learn, chosen, tested)
