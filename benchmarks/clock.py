"""Training by the clock: rates that follow the time that is left instead of a number of steps."""

import math
import time
from collections.abc import Iterator

import torch

from inspyrenet.utils.train.trainer import Trainer
from inspyrenet.utils.train.types import Batch

RAMP = 100  # steps


class ByTheClock:
    """A schedule over the time that is left instead of over steps; like `Schedule`, as far as a trainer's step needs it.

    A short ramp, then a cosine down to nothing as the time runs out. first: the iteration at which the ramp begins.
    """

    def __init__(self, seconds: float, first: int = 0):
        self.seconds, self.first, self.started = seconds, first, time.monotonic()

    @property
    def passed(self) -> float:
        """The share of the time that is gone, in 0..1."""
        return min((time.monotonic() - self.started) / self.seconds, 1.0)

    def apply(self, optimizer: torch.optim.Optimizer, iteration: int) -> list[float]:
        """Write the rates of now into the optimizer's groups."""
        ramp = (iteration - self.first + 1) / RAMP
        factor = min(ramp, 0.5 * (1 + math.cos(math.pi * self.passed)))
        for group in optimizer.param_groups:
            group["lr"] = factor * group.setdefault("initial_lr", group["lr"])
        return [group["lr"] for group in optimizer.param_groups]


def batches(trainer: Trainer, epoch: int = 0) -> Iterator[Batch]:
    """Of one epoch after the other, from this one on, without an end."""
    while True:
        yield from trainer.loader.batches(epoch, 0)
        epoch += 1
