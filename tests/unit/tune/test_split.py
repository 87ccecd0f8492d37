"""Parts of the user's and of the general pairs: disjoint, complete, of useful sizes."""

from pathlib import Path

import pytest

from inspyrenet.data.datasets.pairs import Pair
from inspyrenet.tune.split import TooFewPairs, split_general, split_own


def pairs(count: int) -> list[Pair]:
    return [Pair(Path(f"{i}.jpg"), Path(f"{i}.png"), str(i), "own") for i in range(count)]


@pytest.mark.parametrize(("count", "sizes"), [(20, (9, 4, 7)), (100, (45, 20, 35)), (300, (200, 40, 60))])
def test_own_pairs_are_split_without_overlap(count, sizes):
    parts = split_own(pairs(count), 0)
    assert (len(parts.learn), len(parts.choose), len(parts.test)) == sizes
    assert {*parts.learn, *parts.choose, *parts.test} == {*pairs(count)}


def test_the_split_depends_on_the_seed_alone():
    assert split_own(pairs(50), 3) == split_own(pairs(50), 3) != split_own(pairs(50), 4)


def test_general_pairs_serve_the_test_first():
    parts = split_general(pairs(60), 0)
    assert (len(parts.learn), len(parts.choose), len(parts.test)) == (20, 10, 30)
    assert len(split_general(pairs(1000), 0).test) == 120


def test_too_few_pairs_are_refused_with_the_number():
    with pytest.raises(TooFewPairs, match="19 pairs are too few"):
        split_own(pairs(19), 0)
    with pytest.raises(TooFewPairs, match="--general has 39 pairs"):
        split_general(pairs(39), 0)
