"""Depthwise convolutions of a training step in bfloat16 on a CPU."""

import functools

import torch
from torch import Tensor, nn


def train_depthwise_in_float32(network: nn.Module) -> None:
    """Let the depthwise convolutions of `network` compute in float32 where a CPU trains in bfloat16.

    oneDNN has no fast bfloat16 kernels for their gradients with channels innermost: they take longer than in float32, with
    strides several times as long, and a light encoder consists of little else. Inference, GPUs and training in float32 are
    not affected, and parameters keep their names.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d) and 1 < module.groups == module.in_channels:
            # Like torch.nn.utils.parametrize: a subclass takes the place of the class, so timm's own convolutions fit too.
            module.__class__ = _float32_when_training(type(module))


class _Float32WhenTraining:
    def forward(self, x: Tensor) -> Tensor:
        if x.device.type != "cpu" or not (torch.is_grad_enabled() and torch.is_autocast_enabled("cpu")):
            return super().forward(x)
        with torch.autocast("cpu", enabled=False):
            return super().forward(x.float())


@functools.cache
def _float32_when_training(base: type[nn.Conv2d]) -> type[nn.Conv2d]:
    return type(f"Float32WhenTraining{base.__name__}", (_Float32WhenTraining, base), {})
