"""What a trainer is given and what it gives back."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import nn

Batch = Mapping[
    str, Any
]  # "image" (B,3,H,W), "mask" (B,1,H,W), "index" (B,), and of INPUTS and EXTRAS what the data set has
INPUTS = (
    "coarse",
)  # for the network beside the image: (B, 1, H/8, W/8) logits in place of its first map, NaN where it has none
EXTRAS = ("label", "valid")  # for the criterion: (B,) class numbers; (B,1,H,W) 1 where the image is, 0 in padding


class Loader(Protocol):
    """Where batches come from (`TrainLoader`)."""

    @property
    def global_batch(self) -> int: ...

    def __len__(self) -> int: ...

    def batches(self, epoch: int, start: int = 0) -> Iterator[Batch]: ...

    def close(self) -> None: ...


class LRSchedule(Protocol):
    """Writes the learning rates of an iteration into an optimizer (`lr_schedule.Schedule`)."""

    @property
    def total(self) -> int: ...

    def apply(self, optimizer: torch.optim.Optimizer, iteration: int) -> list[float]: ...

    def state_dict(self) -> dict[str, Any]: ...


@dataclass(frozen=True)
class TrainOptions:
    """How long, how often, when to stop."""

    epochs: int  # in total: a resumed run trains up to this one
    accumulate: int = 1  # batches per optimizer step
    clip_norm: float | None = None
    checkpoint_epochs: int = 1
    checkpoint_steps: int | None = None
    checkpoint_minutes: float | None = None
    validate_every: int = 1  # epochs
    metric: str | None = None  # chooses the best checkpoint
    mode: str = "max"
    validated_on: str | None = None  # fingerprint of the pairs that validation scores
    patience: int | None = None  # validations without progress before the run stops
    freeze_batchnorm: bool = False  # keep running statistics as they are
    cuda_graph: bool = False  # on one GPU: forward and backward pass as a CUDA graph, where they can be captured
    find_unused: bool = False  # several processes: some parameters take no part in some steps
    overwrite: bool = False  # start afresh in a folder that holds checkpoints
    bars: bool = False


@dataclass(frozen=True)
class EpochEnd:
    """What a hook is given: the model is in eval mode (averaged weights where there are any), gradients are off."""

    epoch: int  # from 1
    iteration: int
    model: nn.Module
    batch: Batch | None  # the last one of the epoch, on the device
    losses: Mapping[str, float]
    metrics: Mapping[str, float]
    # (name, uint8 (H, W, 3), iteration) for TensorBoard and the tracker; None: nobody wants pictures
    picture: Callable[[str, Any, int], None] | None


@dataclass(frozen=True)
class Outcome:
    """How a run ended: "done", "early" (no progress), "interrupted" (Ctrl-C) or "terminated" (SIGTERM)."""

    reason: str
    epoch: int  # finished epochs
    iteration: int
    checkpoint: Path | None
    best: Mapping[str, Any] | None  # entry of the history
    message: str

    @property
    def stopped(self) -> bool:
        """Whether somebody asked it to end before it was done."""
        return self.reason in ("interrupted", "terminated")

    @property
    def exit_code(self) -> int:
        """130 after Ctrl-C, else 0."""
        return 130 if self.reason == "interrupted" else 0


def on_device(batch: Batch, device: torch.device) -> Batch:
    """The batch with everything that network and criterion take on this device."""
    moved = {
        name: batch[name].to(device, non_blocking=True) for name in ("image", "mask", *INPUTS, *EXTRAS) if name in batch
    }
    return {**batch, **moved}


def inputs(batch: Batch) -> dict[str, torch.Tensor]:
    """What the network is given beside the image."""
    return {name: batch[name] for name in INPUTS if name in batch}


def extras(batch: Batch) -> dict[str, torch.Tensor]:
    """What the criterion is given beside the mask."""
    return {name: batch[name] for name in EXTRAS if name in batch}


def steps_per_epoch(batches: int, accumulate: int = 1) -> int:
    """Optimizer steps of an epoch of `batches` batches; what is left at its end makes one step more."""
    return math.ceil(batches / accumulate)
