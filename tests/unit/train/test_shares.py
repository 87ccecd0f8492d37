"""Sets drawn by weight: exact counts in every epoch, every pair as often as its set's others, the same after a resume."""

from collections import Counter

import pytest

from inspyrenet.utils.train.loader import ShardedBatches, TrainLoader
from inspyrenet.utils.train.shares import counts_of
from tests.toy_training import ToyData


@pytest.mark.parametrize(
    ("weights", "total", "counts"),
    [([1, 1], 10, [5, 5]), ([3, 1], 10, [8, 2]), ([1, 1, 1], 10, [4, 3, 3]), ([1e-3, 1], 10, [0, 10]), ([2], 7, [7])],
)
def test_counts_follow_the_weights_and_fill_the_epoch(weights, total, counts):
    assert counts_of(weights, total) == counts


SHARES = [(list(range(16)), 1.0), (list(range(16, 20)), 3.0)]  # 16 pairs and 4 pairs → 5 and 15 of 20 samples


def epoch(number: int, **more) -> list:
    sampler = ShardedBatches(20, 3, seed=1, shares=SHARES, **{"rank": 0, "world": 1, **more})
    sampler.set_epoch(number)
    return [drawn for keys in sampler for _, drawn in keys]


def test_an_epoch_has_the_share_of_each_set():
    for number in range(3):
        drawn = epoch(number)
        plain = [one if isinstance(one, int) else one[0] for one in drawn]
        assert len(drawn) == len(set(drawn)) == 20  # a repetition has its own number, so its own augmentation
        counts = Counter(plain)
        assert sum(count for index, count in counts.items() if index < 16) == 5
        assert sorted(counts[index] for index in range(16, 20)) == [3, 4, 4, 4]
    assert epoch(0) != epoch(1)


def test_without_shuffling_sets_come_in_their_order():
    plain = [one if isinstance(one, int) else one[0] for one in epoch(0, shuffle=False)]
    assert plain[:5] == sorted(plain[:5]) and max(plain[:5]) < 16 <= min(plain[5:])


@pytest.mark.parametrize("world", [1, 2])
def test_an_epoch_can_be_entered_anywhere(world):
    whole, rest = [], []
    for rank in range(world):
        sampler = ShardedBatches(20, 2, seed=1, shares=SHARES, rank=rank, world=world)
        whole.append(list(sampler))
        sampler.start_at(2 * 2 * world)
        rest.append(list(sampler))
    assert rest == [keys[2:] for keys in whole]


class Repeats(ToyData):
    """Items that say how often their index has come."""

    def __getitem__(self, key):
        index, repeat = key if isinstance(key, tuple) else (key, 0)
        return {**super().__getitem__(index), "repeat": repeat}


@pytest.mark.parametrize("workers", [0, 1])
def test_the_loader_passes_repetitions_on(workers):
    loader = TrainLoader(Repeats(6), 2, num_workers=workers, shares=[([0, 1, 2, 3], 1.0), ([4, 5], 2.0)])
    found = [
        (int(i), int(n)) for batch in loader.batches(0) for i, n in zip(batch["index"], batch["repeat"], strict=True)
    ]
    loader.close()
    assert Counter(n for i, n in found if i >= 4) == {0: 2, 1: 2}
    assert sum(i < 4 for i, _ in found) == 2


def test_a_set_that_is_drawn_less_than_once_changes_from_epoch_to_epoch():
    seen = {one for number in range(12) for one in epoch(number) if isinstance(one, int) and one < 16}
    assert len(seen) > 12
