"""Convolutions that a CPU does not train well in bfloat16."""

import functools

import torch
from torch import Tensor, nn

from .purpose import for_training

BLOCK = 16  # channels that oneDNN takes at a time


def train_in_float32(network: nn.Module) -> None:
    """Let convolutions of `network` whose bfloat16 gradients oneDNN does badly compute in float32 where a CPU trains in bfloat16.

    Inference, GPUs and training in float32 are not affected, and parameters keep their names.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d) and (_is_depthwise(module) or _is_broken(module)):
            # Like torch.nn.utils.parametrize: a subclass takes the place of the class, so timm's own convolutions fit too.
            base: type = type(module)
            module.__class__ = _float32_when_training(base)


def _is_depthwise(conv: nn.Conv2d) -> bool:
    """There are no fast kernels for these: they take longer than in float32, with strides several times as long."""
    return 1 < conv.groups == conv.in_channels


def _is_broken(conv: nn.Conv2d) -> bool:
    """With 24 or 40 channels innermost, gradients of dilated kernels are NaN, or the process is killed (torch 2.15)."""
    return max(conv.dilation) > 1 and (conv.in_channels % BLOCK != 0 or conv.out_channels % BLOCK != 0)


class _Float32WhenTraining(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        if x.device.type != "cpu" or not (for_training() and torch.is_autocast_enabled("cpu")):
            return super().forward(x)
        with torch.autocast("cpu", enabled=False):
            return super().forward(x.float())


@functools.cache
def _float32_when_training(base: type) -> type:
    return type(f"Float32WhenTraining{base.__name__}", (_Float32WhenTraining, base), {})
