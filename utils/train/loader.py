"""Batches in an order that depends on (seed, epoch) alone: for any worker count, from any position."""

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from . import distributed
from .shares import Drawn, Share, draw_shares
from .signals import spare_worker

Key = tuple[int, Drawn]  # (epoch, what is drawn)


class ShardedBatches(Sampler[list[Key]]):
    """Batches of one process out of an order that all processes share.

    An epoch is one permutation, drawn from (seed, epoch). Step k takes its next `batch_size · world` samples and
    gives each process an equal share, so the position in an epoch is one number whatever the world size. In the last,
    shorter step samples from the front of the permutation fill up the shares: every sample comes at least once, and
    without other processes exactly once.

    Args:
        length: samples in the data set.
        batch_size: per process.
        rank, world: of this process; by default from torch.distributed.
        drop_last: leave out the shorter last step.
        shares: groups of samples with the weight of each: an epoch then has as many samples of a group as its weight says
            (`shares.py`), and is as long as without them. None: every sample once.
    """

    def __init__(
        self,
        length: int,
        batch_size: int,
        *,
        shuffle: bool = True,
        seed: int = 0,
        rank: int | None = None,
        world: int | None = None,
        drop_last: bool = False,
        shares: Sequence[Share] | None = None,
    ) -> None:
        if length < 1:
            raise ValueError("the training set is empty: there is nothing to learn from")
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, not {batch_size}")
        self.length = length
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.seed = seed
        self.rank = distributed.rank() if rank is None else rank
        self.world = distributed.world_size() if world is None else world
        self.drop_last = drop_last
        self.shares = shares
        self._epoch = 0
        self._start = 0
        if not self._end():
            raise ValueError(
                f"drop_last leaves nothing: {length} samples are less than one batch of {self.global_batch}"
            )

    @property
    def global_batch(self) -> int:
        """Samples of one step, over all processes."""
        return self.batch_size * self.world

    def set_epoch(self, epoch: int) -> None:
        """Choose the permutation; the next iteration starts at its front."""
        self._epoch = epoch
        self._start = 0

    def start_at(self, samples: int) -> None:
        """Leave out the first `samples` of the epoch (of all processes together)."""
        self._start = samples

    def __len__(self) -> int:
        """Steps of a whole epoch, wherever the next iteration starts."""
        return -(-self._end() // self.global_batch)

    def __iter__(self) -> Iterator[list[Key]]:
        order = self._order()
        epoch, end = self._epoch, self._end()
        for start in range(self._start, end, self.global_batch):
            taken = min(self.global_batch, end - start)
            share = -(-taken // self.world)
            first = start + self.rank * share
            yield [(epoch, order[position % self.length]) for position in range(first, first + share)]

    def _end(self) -> int:
        return self.length // self.global_batch * self.global_batch if self.drop_last else self.length

    def _order(self) -> Sequence[Drawn]:
        generator = torch.Generator().manual_seed((self.seed * 1_000_003 + self._epoch) % 2**63)
        drawn: Sequence[Drawn] = (
            range(self.length) if self.shares is None else draw_shares(self.shares, self.length, generator)
        )
        if not self.shuffle:
            return list(drawn)
        return [drawn[place] for place in torch.randperm(self.length, generator=generator).tolist()]


class _Keyed(Dataset):
    """Lets each key carry its epoch, so that workers which live on learn of a new epoch with the first sample."""

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset
        self._epoch: int | None = None

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, key: Key) -> Any:
        epoch, index = key
        if epoch != self._epoch and hasattr(self.dataset, "set_epoch"):
            self.dataset.set_epoch(epoch)
        self._epoch = epoch
        return self.dataset[index]


def _start_worker(number: int) -> None:
    spare_worker()
    threading.Thread(target=_end_with_parent, name="parent-watch", daemon=True).start()
    torch.set_flush_denormal(True)
    torch.set_num_threads(1)


def _end_with_parent() -> None:
    """End a worker whose loop was killed: torch asks only every five seconds, and asks the wrong one of a fork server."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


class TrainLoader:
    """What `Trainer` draws batches from: a DataLoader that can start anywhere in any epoch.

    Workers stay alive between epochs. The randomness of a sample is the data set's business (it must depend on seed,
    epoch and index alone); the loader itself draws nothing from the global generators.

    Args:
        dataset: a map-style data set; `set_epoch(epoch)` is called where it exists.
        batch_size: per process.
        num_workers: worker processes of this process.
        pin_memory: page-locked batches; only used on CUDA.
        collate: items → batch; None stacks items of equal shapes.
        shares: as in `ShardedBatches`.
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int,
        *,
        num_workers: int = 0,
        shuffle: bool = True,
        seed: int = 0,
        pin_memory: bool = False,
        drop_last: bool = False,
        collate: Callable[[list[Any]], dict[str, Any]] | None = None,
        shares: Sequence[Share] | None = None,
    ) -> None:
        self.sampler = ShardedBatches(
            len(dataset), batch_size, shuffle=shuffle, seed=seed, drop_last=drop_last, shares=shares
        )
        self._loader = DataLoader(
            _Keyed(dataset),
            batch_sampler=self.sampler,
            num_workers=num_workers,
            collate_fn=collate,
            pin_memory=pin_memory and torch.cuda.is_available(),
            persistent_workers=num_workers > 0,
            worker_init_fn=_start_worker,
            generator=torch.Generator().manual_seed(seed),  # otherwise every epoch would draw from the global one
        )

    @property
    def global_batch(self) -> int:
        """Samples of one step, over all processes."""
        return self.sampler.global_batch

    def __len__(self) -> int:
        """Batches of a whole epoch, for each process."""
        return len(self.sampler)

    def batches(self, epoch: int, start: int = 0) -> Iterator[dict[str, Any]]:
        """This process's batches of an epoch, without its first `start` samples (of all processes together)."""
        self.sampler.set_epoch(epoch)
        self.sampler.start_at(start)
        return iter(self._loader)

    def close(self) -> None:
        """End the workers now. Left to the garbage collector after an error, torch waits for them in vain for seconds."""
        iterator, self._loader._iterator = getattr(self._loader, "_iterator", None), None
        if iterator is not None:
            iterator._shutdown_workers()
