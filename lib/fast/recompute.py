"""Training in less memory: maps that are cheap to compute again are not kept for the backward pass.

Autograd keeps what every operation reads. Half of that in a decoder is BatchNorm's output, of an encoder LayerNorm's and GELU's:
one pass over a map that is kept anyway gives them again. Inside `recomputing`, `recompute` records how a tensor was made, and
the operations that read the tensor keep that record in its place.
"""

import contextlib
from collections.abc import Callable, Iterator, MutableMapping
from contextvars import ContextVar
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.autograd.graph import saved_tensors_hooks
from torch.nn import functional as F
from torch.utils.weak import WeakTensorKeyDictionary

from .purpose import for_training


class Recomputation(NamedTuple):
    """make(*sources) is the tensor, up to rounding; sources are tensors or recomputations themselves."""

    make: Callable[..., Tensor]
    sources: tuple


Records = MutableMapping[Tensor, Recomputation]  # by identity, and for as long as the tensor lives
_records: ContextVar[Records | None] = ContextVar("records of the innermost recomputing()", default=None)


@contextlib.contextmanager
def recomputing() -> Iterator[Records]:
    """Inside it, recomputations are kept in place of the tensors that have one. Gives the records that it collects."""
    records = WeakTensorKeyDictionary()
    token = _records.set(records)
    try:
        with saved_tensors_hooks(lambda x: records.get(x, x), _made):
            yield records
    finally:
        _records.reset(token)


def recompute(x: Tensor, make: Callable[..., Tensor], *sources: Tensor) -> Tensor:
    """x, with the record that it is make(*sources). Nobody may change x or the sources in place afterwards."""
    if for_training() and (records := _records.get()) is not None:
        records[x] = Recomputation(make, tuple(records.get(source) or source.detach() for source in sources))
    return x


def _made(kept: Tensor | Recomputation) -> Tensor:
    """What was kept as it is, or made again."""
    if not isinstance(kept, Recomputation):
        return kept
    with torch.no_grad(), torch.autocast("cpu", enabled=False), torch.autocast("cuda", enabled=False):
        return kept.make(*(_made(source) for source in kept.sources))


def norm_relu(x: Tensor, norm: nn.BatchNorm2d, relu: bool) -> Tensor:
    """relu(norm(x)) for (B, C, h, w) in training mode, made again from x where the backward pass needs it."""
    norm.get_buffer("num_batches_tracked").add_(1)
    y, scale, shift = _NormReLU.apply(
        x, norm.weight, norm.bias, norm.running_mean, norm.running_var, norm.momentum, norm.eps, relu
    )
    return recompute(y, _scaled_relu if relu else _scaled, x, scale, shift)


def _scaled(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """x·scale + shift with one factor and summand per channel, rounded once, as BatchNorm's forward pass did it.

    BatchNorm with mean 0 and variance 1 has a kernel for channels innermost; element-wise operations that spread the factors
    over the map are several times slower in bfloat16, and round the factors to it.
    """
    return torch.native_batch_norm(x, scale, shift, torch.zeros_like(shift), torch.ones_like(scale), False, 0.0, 0.0)[0]


def _scaled_relu(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    return _scaled(x, scale, shift).relu_()


class _NormReLU(torch.autograd.Function):
    """BatchNorm with the statistics of the batch, and ReLU; keeps the input only. Gradients have the channels innermost."""

    @staticmethod
    def forward(ctx, x, weight, bias, running_mean, running_var, momentum, eps, relu):
        y, mean, inverse = torch.native_batch_norm(x, weight, bias, running_mean, running_var, True, momentum, eps)
        scale = weight * inverse
        shift = bias - mean * scale
        ctx.save_for_backward(x, weight, mean, inverse, scale, shift)
        ctx.eps, ctx.relu = eps, relu
        ctx.mark_non_differentiable(scale, shift)
        return y.relu_() if relu else y, scale, shift

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient, *_):
        x, weight, mean, inverse, scale, shift = ctx.saved_tensors
        gradient = gradient.contiguous(memory_format=torch.channels_last)
        if ctx.relu:
            gradient = torch.ops.aten.threshold_backward(gradient, _scaled(x, scale, shift), 0)
        # The running statistics play no part in training, but CUDA takes from them the type of all that belongs to a channel.
        statistics = (mean, inverse)
        return *torch.ops.aten.native_batch_norm_backward(
            gradient, x, weight, *statistics, *statistics, True, ctx.eps, [True, True, True]
        ), *(None,) * 5


def layer_norm(x: Tensor, norm: nn.LayerNorm) -> Tensor:
    """norm(x), made again from x."""
    shape, weight, bias, eps = norm.normalized_shape, norm.weight, norm.bias, norm.eps
    return recompute(norm(x), lambda x, w, b: F.layer_norm(x, shape, w, b, eps), x, weight, bias)
