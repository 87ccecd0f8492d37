"""The order of samples: shuffled anew each epoch, shared out over processes, and resumable in mid-epoch."""

from collections.abc import Iterator

import numpy as np
from torch.utils.data import Sampler


class EpochSampler(Sampler[int]):
    """This process's indices for one epoch; the order depends on (seed, epoch) alone, never on global random state.

    `world` processes share one permutation; process `rank` takes every world-th entry of it. Without `drop_last` each
    epoch covers every sample: where `length` is not a multiple of `world`, the permutation's first entries are repeated
    at its end, so that all processes have equally many (at most world − 1 samples are seen twice). With `drop_last` the
    permutation ends after the last batch that is full on every process.

    Pass it to a DataLoader with the same batch_size and drop_last. `len()` is what the next iteration yields; `batches`
    is the number of batches of a whole epoch.
    """

    def __init__(
        self,
        length: int,
        seed: int = 0,
        shuffle: bool = True,
        rank: int = 0,
        world: int = 1,
        batch_size: int = 1,
        drop_last: bool = False,
    ):
        if length < 1 or batch_size < 1:
            raise ValueError(f"needs at least one sample and one per batch, not {length} and {batch_size}")
        if not 0 <= rank < world:
            raise ValueError(f"rank {rank} is not one of {world} processes")
        if drop_last and length < world * batch_size:
            raise ValueError(
                f"{length} samples do not fill one batch of {batch_size} on each of {world} processes; "
                "lower batch_size or keep the last batch"
            )
        self.length, self.seed, self.shuffle, self.rank, self.world = length, seed, shuffle, rank, world
        self.batch_size, self.drop_last = batch_size, drop_last
        self.epoch = self.start = 0

    @property
    def samples(self) -> int:
        """Samples of this process in a whole epoch; the same on every process."""
        if self.drop_last:
            return self.length // (self.world * self.batch_size) * self.batch_size
        return -(-self.length // self.world)

    @property
    def batches(self) -> int:
        """Batches of this process in a whole epoch, the last one perhaps smaller."""
        return -(-self.samples // self.batch_size)

    def set_epoch(self, epoch: int) -> None:
        """Chooses the epoch's order, from its first batch on. Call on every process before iterating."""
        self.epoch, self.start = epoch, 0

    def start_at(self, batch: int) -> None:
        """Leaves out the first `batch` batches of the epoch set last: they were trained on before an interruption."""
        if not 0 <= batch <= self.batches:
            raise ValueError(f"an epoch has {self.batches} batches; it cannot start at batch {batch}")
        self.start = batch

    def __len__(self) -> int:
        return max(0, self.samples - self.start * self.batch_size)

    def __iter__(self) -> Iterator[int]:
        order = np.arange(self.length)
        if self.shuffle:
            order = np.random.default_rng((self.seed, self.epoch)).permutation(self.length)
        shared = np.resize(order, self.samples * self.world)  # repeats from the start, or cuts
        mine = shared[self.rank :: self.world]
        return iter(mine[self.start * self.batch_size :].tolist())
