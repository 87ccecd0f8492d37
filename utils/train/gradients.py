"""Losses and gradients of one batch: the forward and the backward pass of a training step; and how large the gradients are."""

import contextlib
import logging
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from ..system.precision import Precision, to_float32
from .cuda_graph import GraphedSteps
from .types import Batch, extras, inputs


class Gradients:
    """Adds a batch's gradients to those of the parameters.

    Args:
        network: what is trained; wrapped, where several processes train it (`distributed.wrap`).
        criterion: (output, mask) → {"total": scalar, …}; runs in float32, outside autocast.
        cuda_graph: run both passes as a CUDA graph where that is possible: one process on a GPU, no float16, no accumulation.
    """

    def __init__(
        self,
        network: nn.Module,
        criterion: Callable[..., Mapping[str, Tensor]],
        precision: Precision,
        cuda_graph: bool,
        accumulate: int,
        log: logging.Logger,
    ) -> None:
        self.network, self.criterion, self.precision = network, criterion, precision
        self._replicas = network if isinstance(network, nn.parallel.DistributedDataParallel) else None
        self._whole: Callable[[Batch], dict[str, Tensor]] = self._passes
        alone = self._replicas is None and accumulate == 1
        if cuda_graph and alone and precision.device.type == "cuda" and precision.name != "float16":
            self._whole = GraphedSteps(self._passes, network, log)
        elif cuda_graph:
            log.info("Train.cuda_graph has no effect: it takes one process on a GPU, no float16, and no accumulation")

    def __call__(self, batch: Batch, share: int, last: bool) -> dict[str, Tensor]:
        """Losses of a batch on the device, one of `share` in an optimizer step; after the `last` one, processes exchange."""
        with contextlib.nullcontext() if last or self._replicas is None else self._replicas.no_sync():
            return self._whole(batch) if share == 1 else self._passes(batch, share)

    def set_epoch(self, epoch: int, epochs: int) -> None:
        """Tell a criterion that changes with the epochs. Its numbers are frozen into a CUDA graph, which is captured anew."""
        if not hasattr(self.criterion, "set_epoch"):
            return
        self.criterion.set_epoch(epoch, epochs)
        if isinstance(self._whole, GraphedSteps):
            self._whole.renew()

    def _passes(self, batch: Batch, share: int = 1) -> dict[str, Tensor]:
        with self.precision.autocast():
            output = self.network(batch["image"], **inputs(batch))
        losses = self.criterion(to_float32(output), batch["mask"], **extras(batch))
        self.precision.scaler.scale(losses["total"] / share).backward()
        return {name: value.detach().float() for name, value in losses.items()}


def gradient_norms(optimizer: torch.optim.Optimizer, device: torch.device) -> Tensor:
    """(groups + 1,) on the device: the norm of the gradients of each parameter group, and of all."""
    groups = [[p.grad for p in group["params"] if p.grad is not None] for group in optimizer.param_groups]
    norms = torch.stack([nn.utils.get_total_norm(gradients).to(device) for gradients in groups])
    return torch.cat([norms, torch.linalg.vector_norm(norms)[None]])


def group_names(optimizer: torch.optim.Optimizer) -> list[str]:
    """What the parameter groups are called, or group_0, group_1 and so on."""
    return [group.get("name", f"group_{number}") for number, group in enumerate(optimizer.param_groups)]
