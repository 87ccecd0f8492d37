"""The sampler covers everything, differs by epoch and continues where it stopped."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inspyrenet.data.sampler import EpochSampler
from torch.utils.data import DataLoader

shapes = {
    "length": st.integers(1, 200),
    "world": st.integers(1, 9),
    "batch": st.integers(1, 12),
    "seed": st.integers(0, 2**31),
    "epoch": st.integers(0, 1000),
    "shuffle": st.booleans(),
}


def ranks(length, world, batch, seed, shuffle, drop_last=False):
    return [EpochSampler(length, seed, shuffle, rank, world, batch, drop_last) for rank in range(world)]


@settings(deadline=None)
@given(**shapes)
def test_all_processes_together_cover_every_sample(length, world, batch, seed, epoch, shuffle):
    samplers = ranks(length, world, batch, seed, shuffle)
    for sampler in samplers:
        sampler.set_epoch(epoch)
    parts = [list(sampler) for sampler in samplers]
    assert {len(part) for part in parts} == {len(samplers[0])}
    counts = Counter(index for part in parts for index in part)
    assert set(counts) == set(range(length))
    assert sum(counts.values()) - length < world
    if length >= world:
        assert max(counts.values()) <= 2


@settings(deadline=None)
@given(**shapes)
def test_drop_last_gives_full_batches_without_repeats(length, world, batch, seed, epoch, shuffle):
    if length < world * batch:
        with pytest.raises(ValueError, match="lower batch_size"):
            EpochSampler(length, seed, shuffle, 0, world, batch, drop_last=True)
        return
    samplers = ranks(length, world, batch, seed, shuffle, drop_last=True)
    for sampler in samplers:
        sampler.set_epoch(epoch)
    seen = [index for sampler in samplers for index in sampler]
    assert len(set(seen)) == len(seen)
    assert len(samplers[0]) % batch == 0
    assert length - len(seen) < world * batch


@settings(deadline=None)
@given(**shapes, data=st.data())
def test_resuming_continues_the_same_order(length, world, batch, seed, epoch, shuffle, data):
    for sampler in ranks(length, world, batch, seed, shuffle):
        sampler.set_epoch(epoch)
        whole = list(sampler)
        done = data.draw(st.integers(0, sampler.batches))
        fresh = EpochSampler(length, seed, shuffle, sampler.rank, world, batch)
        fresh.set_epoch(epoch)
        fresh.start_at(done)
        assert list(fresh) == whole[done * batch :]
        assert len(fresh) == len(whole[done * batch :])
        fresh.set_epoch(epoch + 1)  # the next epoch is whole again
        assert len(fresh) == len(whole)


def test_orders_differ_by_epoch_and_seed():
    def order(seed, epoch):
        sampler = EpochSampler(50, seed)
        sampler.set_epoch(epoch)
        return tuple(sampler)

    assert len({order(seed, epoch) for seed in range(3) for epoch in range(10)}) == 30
    assert order(1, 2) == order(1, 2)
    assert list(EpochSampler(5, shuffle=False)) == [0, 1, 2, 3, 4]


def test_it_drives_a_loader():
    sampler = EpochSampler(10, shuffle=False, batch_size=3)
    loader = DataLoader(range(10), batch_size=3, sampler=sampler)
    assert (len(loader), sampler.batches) == (4, 4)
    sampler.start_at(2)
    assert [batch.tolist() for batch in loader] == [[6, 7, 8], [9]]


@pytest.mark.parametrize(
    "arguments", [{"length": 0}, {"length": 5, "rank": 2, "world": 2}, {"length": 5, "batch_size": 0}]
)
def test_impossible_settings_are_refused(arguments):
    with pytest.raises(ValueError):
        EpochSampler(**arguments)
    with pytest.raises(ValueError, match="4 batches"):
        EpochSampler(8, batch_size=2).start_at(5)
