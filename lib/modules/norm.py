"""Normalization of decoders: which kind is the user's choice, never a consequence of the batch size."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class BatchSizeError(ValueError):
    """A batch from which BatchNorm cannot learn."""


@contextlib.contextmanager
def enough_values() -> Iterator[None]:
    """Say what to do where torch's BatchNorm is given one value per channel: one image, and a map or a mean of one cell.

    Raises BatchSizeError in place of torch's ValueError.
    """
    try:
        yield
    except ValueError as error:
        if "more than 1 value per channel" not in str(error):
            raise
        raise BatchSizeError(
            "BatchNorm cannot learn from a batch of one image here (it has one value per channel): set "
            "Train.Dataloader.batch_size to 2 or more, and have as many pairs to learn from; BiRefNet also takes "
            "Model.arguments.norm=frozen"
        ) from error


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


def recompute_encoder(encoder: nn.Module) -> None:
    """Activation checkpointing: have an encoder's stages computed again in the backward pass.

    BatchNorms take note of the statistics of every pass through them. They do so in the forward pass alone, as without it.
    """
    recomputed: Any = encoder
    recomputed.checkpointing = True
    for norm in encoder.modules():
        if isinstance(norm, nn.modules.batchnorm._NormBase):
            norm.register_forward_pre_hook(_hold_in_backward)
            norm.register_forward_hook(_let_go, always_call=True)


def _hold_in_backward(norm: nn.Module, args: tuple) -> None:
    batchnorm: Any = norm
    in_backward = torch._C._current_graph_task_id() != -1  # as torch.utils.checkpoint asks
    if not in_backward or batchnorm.num_batches_tracked is None:
        return
    batchnorm.held = batchnorm.momentum, batchnorm.num_batches_tracked
    batchnorm.momentum, batchnorm.num_batches_tracked = 0.0, batchnorm.num_batches_tracked.clone()


def _let_go(norm: nn.Module, args: tuple, output: Tensor) -> None:
    batchnorm: Any = norm
    if hasattr(batchnorm, "held"):
        batchnorm.momentum, batchnorm.num_batches_tracked = batchnorm.held
        del batchnorm.held


NORMS: dict[str, Callable[[int], nn.Module]] = {"batch": nn.BatchNorm2d, "frozen": FrozenBatchNorm2d, "none": no_norm}


def make_norm(kind: str, channels: int) -> nn.Module:
    """A norm over `channels`: "batch", "frozen" (running statistics only) or "none"."""
    if kind not in NORMS:
        raise ValueError(f"norm is {', '.join(NORMS)}, not {kind!r}")
    return NORMS[kind](channels)
