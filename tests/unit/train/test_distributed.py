"""Several processes as one run, on loopback with gloo: coverage, agreement, resuming, and the death of one of them."""

import os
import signal
import time
from collections import Counter
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from hypothesis import given, settings
from hypothesis import strategies as st

from inspyrenet.utils.optim.ema import EMA
from inspyrenet.utils.train import distributed, heartbeat
from inspyrenet.utils.train.loader import ShardedBatches, TrainLoader
from tests.processes import finish, start_group
from tests.toy_training import CPU, ToyData, ToyNet, criterion, make_trainer, same, weights

# -- the order of samples -----------------------------------------------------------------------------------------


def indices(length: int, batch: int, rank: int, world: int, epoch: int = 0, start: int = 0, **more) -> list[list[int]]:
    sampler = ShardedBatches(length, batch, seed=3, rank=rank, world=world, **more)
    sampler.set_epoch(epoch)
    sampler.start_at(start)
    found = list(sampler)
    assert all(key[0] == epoch for keys in found for key in keys)
    if not start:
        assert len(found) == len(sampler)
    return [[key[1] for key in keys] for keys in found]


@given(length=st.integers(1, 40), batch=st.integers(1, 7), world=st.integers(1, 4))
@settings(max_examples=60)
def test_every_epoch_covers_every_sample(length: int, batch: int, world: int) -> None:
    shards = [indices(length, batch, rank, world) for rank in range(world)]
    counts = Counter(index for shard in shards for keys in shard for index in keys)
    assert set(counts) == set(range(length))
    assert sum(counts.values()) - length < world  # only the last step is filled up
    assert len({tuple(map(len, shard)) for shard in shards}) == 1  # the same number of equal batches everywhere


@given(length=st.integers(8, 40), batch=st.integers(1, 3), world=st.integers(1, 3), epoch=st.integers(0, 5))
@settings(max_examples=40)
def test_the_order_is_shared_and_can_be_entered_anywhere(length, batch, world, epoch) -> None:
    steps = list(zip(*(indices(length, batch, rank, world, epoch) for rank in range(world)), strict=True))
    alone = [index for keys in indices(length, batch, 0, 1, epoch) for index in keys]
    together = [index for step in steps for keys in step for index in keys]
    assert together[:length] == alone
    for skipped in range(len(steps)):
        rest = [indices(length, batch, rank, world, epoch, start=skipped * batch * world) for rank in range(world)]
        assert list(zip(*rest, strict=True)) == steps[skipped:]


def test_orders_differ_between_epochs_and_seeds_and_may_be_plain() -> None:
    assert indices(30, 5, 0, 1, epoch=0) != indices(30, 5, 0, 1, epoch=1)
    assert indices(7, 3, 0, 1, shuffle=False) == [[0, 1, 2], [3, 4, 5], [6]]
    assert indices(7, 3, 0, 1, shuffle=False, drop_last=True) == [[0, 1, 2], [3, 4, 5]]
    first, second = (list(ShardedBatches(30, 5, seed=seed)) for seed in (0, 1))
    assert first != second


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"length": 0, "batch_size": 2}, "training set is empty"),
        ({"length": 3, "batch_size": 0}, "at least 1"),
        ({"length": 3, "batch_size": 4, "drop_last": True}, "less than one batch of 4"),
    ],
)
def test_orders_that_cannot_be_are_refused(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ShardedBatches(**arguments)


@pytest.mark.parametrize("workers", [0, 2])
def test_workers_that_live_on_learn_of_the_next_epoch(workers: int) -> None:
    loader = TrainLoader(ToyData(6), 3, num_workers=workers, shuffle=False)
    state = torch.get_rng_state()
    for epoch in (0, 1, 5):
        batches = list(loader.batches(epoch, start=3 if epoch == 5 else 0))
        data = ToyData(6)
        data.set_epoch(epoch)
        assert torch.equal(batches[-1]["image"][0], data[3]["image"])
        assert len(batches) == (1 if epoch == 5 else 2)
    assert torch.equal(state, torch.get_rng_state())
    loader.close()


# -- alone --------------------------------------------------------------------------------------------------------


def test_helpers_work_without_a_group() -> None:
    assert (distributed.rank(), distributed.world_size(), distributed.is_main()) == (0, 1, True)
    assert distributed.gather("x") == ["x"]
    assert distributed.broadcast("x") == "x"
    assert distributed.maximum([1.0, 2.0]) == [1.0, 2.0]
    assert distributed.mean({"a": 1.0}) == {"a": 1.0}
    distributed.barrier()
    with distributed.session(CPU):
        assert not distributed.active()
    net = ToyNet()
    assert distributed.wrap(net, CPU) is net
    assert distributed.local_rank() == distributed.launched_rank() == 0


# -- two processes ------------------------------------------------------------------------------------------------


def results(folder: Path) -> list[dict]:
    return [torch.load(folder / f"rank_{rank}.pt") for rank in range(2)]


def train(folder: Path, name: str, stop_at: int | None) -> None:
    """One process of a training run; rank 1 asks to stop at its batch number `stop_at`."""
    with distributed.session(CPU):
        rank, seen = distributed.rank(), []

        def step(output, mask):
            seen.append(1)
            if rank == 1 and len(seen) == stop_at:
                os.kill(os.getpid(), signal.SIGTERM)
            return criterion(output, mask)

        trainer = make_trainer(
            folder / name, epochs=3, data=ToyData(11), criterion=step, ema=lambda model: EMA(model, 0.9)
        )
        resumed = trainer.resume()
        outcome = trainer.fit()
        average = {f"ema.{name}": value for name, value in trainer.ema.weights.items()}
        torch.save(
            {
                "weights": {**weights(trainer), **average},
                "reason": outcome.reason,
                "at": outcome.iteration,
                "resumed": resumed,
            },
            folder / f"rank_{rank}.pt",
        )


def test_two_processes_agree_and_resume_to_the_bit(tmp_path: Path) -> None:
    def run(name: str, stop_at: int | None) -> list[dict]:
        group = start_group(train, tmp_path, name, stop_at, folder=tmp_path)
        assert [finish(process) for process in group] == [0, 0], [p.read_text() for p in tmp_path.glob("error*")]
        return results(tmp_path)

    straight = run("straight", None)
    assert same(straight[0]["weights"], straight[1]["weights"])
    assert [(end["reason"], end["at"]) for end in straight] == [("done", 9)] * 2
    stopped = run("run", 5)
    assert [(end["reason"], end["at"]) for end in stopped] == [("terminated", 5)] * 2
    resumed = run("run", None)
    assert [(end["reason"], end["resumed"]) for end in resumed] == [("done", True)] * 2
    assert same(resumed[0]["weights"], straight[0]["weights"])
    assert same(resumed[1]["weights"], straight[0]["weights"])


def cover(folder: Path) -> None:
    """Which samples this process sees in two epochs, and what the helpers make of the ranks."""
    with distributed.session(CPU):
        rank = distributed.rank()
        loader = TrainLoader(ToyData(11), 2)
        epochs = [[index for batch in loader.batches(e) for index in batch["index"].tolist()] for e in (0, 1)]
        helpers = {
            "gather": distributed.gather(rank),
            "broadcast": distributed.broadcast(f"from {rank}"),
            "maximum": distributed.maximum([float(rank), -float(rank)]),
            "mean": distributed.mean({"a": float(rank)}),
            "main": distributed.is_main(),
        }
        model = torch.nn.Sequential(torch.nn.Conv2d(1, 1, 1), torch.nn.BatchNorm2d(1))
        distributed.prepare(model, CPU)
    if rank == 0:  # the slower of the two: the other begins the next session before this one has left
        leave = dist.destroy_process_group
        dist.destroy_process_group = lambda: (time.sleep(0.5), leave())
    for _ in range(2):  # more commands in the same processes
        with distributed.session(CPU):
            assert distributed.gather(rank) == [0, 1]
    torch.save({"epochs": epochs, **helpers, "norm": type(model[1]).__name__}, folder / f"rank_{rank}.pt")


def test_two_processes_cover_every_sample_and_helpers_agree(tmp_path: Path) -> None:
    group = start_group(cover, tmp_path, folder=tmp_path)
    assert [finish(process) for process in group] == [0, 0]
    ends = results(tmp_path)
    for epoch in (0, 1):
        assert set(ends[0]["epochs"][epoch]) | set(ends[1]["epochs"][epoch]) == set(range(11))
    assert ends[0]["epochs"][0] != ends[0]["epochs"][1]
    for rank, end in enumerate(ends):
        assert end["gather"] == [0, 1]
        assert end["broadcast"] == "from 0"
        assert end["maximum"] == [1.0, 0.0]
        assert end["mean"] == {"a": 0.5}
        assert end["main"] == (rank == 0)
        assert end["norm"] == "BatchNorm2d"  # there is no SyncBatchNorm on a CPU


def fail(folder: Path, how: str) -> None:
    """Rank 1 ends in the middle of training, one way or another."""
    heartbeat.TIMEOUT, heartbeat.GRACE = 4.0, 1.0

    def step(output, mask):
        if distributed.rank() == 1 and trainer.progress.iteration == 2:
            if how == "killed":
                os.kill(os.getpid(), signal.SIGKILL)
            elif how == "frozen":
                os.kill(os.getpid(), signal.SIGSTOP)
            else:
                raise OSError("picture 17 cannot be read")
        return criterion(output, mask)

    with distributed.session(CPU):
        trainer = make_trainer(folder / "run", criterion=step)
        trainer.fit()


@pytest.mark.parametrize(
    ("how", "reason"),
    [("killed", "process 1 of this run has gone"), ("error", "process 1 of this run has failed (OSError: picture 17")],
)
def test_the_death_of_one_process_ends_the_other_with_the_reason(tmp_path: Path, how: str, reason: str) -> None:
    began = time.monotonic()
    group = start_group(fail, tmp_path, how, folder=tmp_path)
    assert finish(group[0]) == 1
    assert finish(group[1]) == (-signal.SIGKILL if how == "killed" else 1)
    assert time.monotonic() - began < 60
    message = (tmp_path / "error_0.txt").read_text()
    assert "PeerLost" in message
    assert reason in message


def test_a_process_that_hangs_ends_the_other_too(tmp_path: Path) -> None:
    group = start_group(fail, tmp_path, "frozen", folder=tmp_path)
    try:
        assert finish(group[0]) == 1
    finally:
        group[1].kill()
        group[1].join()
    assert not (tmp_path / "error_0.txt").exists()  # it waited in a collective, and was ended from aside


def poison(folder: Path) -> None:
    with distributed.session(CPU):
        data = ToyData(8, bad=5)
        trainer = make_trainer(folder / "run", data=data, describe=lambda found: [f"{i}.jpg" for i in found])
        trainer.fit()


def test_a_bad_batch_of_one_process_is_named_by_all(tmp_path: Path) -> None:
    group = start_group(poison, tmp_path, folder=tmp_path)
    assert [finish(process) for process in group] == [1, 1]
    for rank in range(2):
        message = (tmp_path / f"error_{rank}.txt").read_text()
        assert "NonFiniteError" in message
        assert "5.jpg" in message
