"""Normalization of decoders: which kind is the user's choice, never a consequence of the batch size."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class FrozenBatchNorm2d(nn.Module):
    """BatchNorm that always uses its running statistics, in training too; scale and shift still learn.

    For batches of one image. It has the names of nn.BatchNorm2d, so weights are interchangeable, and is not one of its
    subclasses, so that no conversion to synchronized statistics touches it.
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int, eps: float = 1e-5):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))
        self.register_buffer("num_batches_tracked", torch.tensor(0, dtype=torch.long))

    def forward(self, x: Tensor) -> Tensor:
        return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, False, 0.0, self.eps)


def no_norm(channels: int) -> nn.Module:
    """Nothing; for files that were trained one image at a time, which have no norm in squeeze and decoder."""
    return nn.Identity()


NORMS: dict[str, Callable[[int], nn.Module]] = {"batch": nn.BatchNorm2d, "frozen": FrozenBatchNorm2d, "none": no_norm}


def make_norm(kind: str, channels: int) -> nn.Module:
    """A norm over `channels`: "batch", "frozen" (running statistics only) or "none"."""
    if kind not in NORMS:
        raise ValueError(f"norm is {', '.join(NORMS)}, not {kind!r}")
    return NORMS[kind](channels)
