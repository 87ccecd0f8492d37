"""How to train on few pairs: sizes and rates from the number of pairs, the free memory and the time that is left."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..data.datasets.cache import available_memory
from ..lib.sizes import SizeRule
from ..utils.system.timing import peak_memory
from ..utils.train.state import set_train_mode

BATCH = 8  # pairs of one optimizer step
MOST_EPOCHS = 10
ENOUGH = 300  # pairs that training should see at least; else images are shown smaller
MOST_TIMES = 40  # that one pair is seen in all
SMALLER = 0.75
LARGE = 20_000_000  # weights of a network that learns more slowly
RATE, RATE_LARGE = 1e-4, 1e-5  # of the encoder, at 100 pairs or more
REPEATED = 0.5  # general pairs for each own one


@dataclass(frozen=True)
class Cost:
    """What one pair costs in a training step at some size: seconds, and bytes at the peak."""

    seconds: float
    memory: int


@dataclass(frozen=True)
class Plan:
    """The numbers of a training. `own` and `general` are draws of one epoch."""

    size: tuple[int, int]
    batch: int
    accumulate: int
    epochs: int
    own: int
    general: int
    freeze_stages: int
    lr: float

    @property
    def steps(self) -> int:
        """Optimizer steps in all."""
        return self.epochs * -(-(self.own + self.general) // (self.batch * self.accumulate))

    @property
    def text(self) -> str:
        """For people."""
        return (
            f"{self.epochs} epochs of {self.own} own and {self.general} general pairs at {self.size[1]}×{self.size[0]}, "
            f"{self.steps} steps of {self.batch * self.accumulate}, encoder rate {self.lr:.1e}, "
            f"{self.freeze_stages} encoder stages frozen"
        )


def frozen_stages(pairs: int) -> int:
    """Of the encoder: fewer pairs can teach fewer weights, and what is frozen takes no backward pass."""
    return 3 if pairs < 100 else 2


def make_plan(
    pairs: int,
    size: tuple[int, int],
    rule: SizeRule,
    weights: int,
    freeze_stages: int,
    cost: Cost,
    seconds: float,
    device: torch.device,
) -> Plan:
    """The plan for so many pairs and seconds.

    size: of the images that the network was trained for; cost: of a pair at that size.
    """
    draws = seconds / cost.seconds
    if draws < ENOUGH:
        smaller = rule.nearest((SMALLER * size[0], SMALLER * size[1]))
        draws *= size[0] * size[1] / (smaller[0] * smaller[1])
        size = smaller
    draws = max(BATCH, min(int(draws), round(MOST_TIMES * pairs * (1 + REPEATED))))
    epochs = min(MOST_EPOCHS, max(1, round(draws / (pairs * (1 + REPEATED)))))
    own = max(1, round(draws / epochs / (1 + REPEATED)))
    batch = max(1, min(BATCH, _fitting(cost, device)))
    lr = (RATE if weights <= LARGE else RATE_LARGE) * min(1.0, max(0.25, pairs / 100)) ** 0.5
    return Plan(size, batch, -(-BATCH // batch), epochs, own, round(REPEATED * own), freeze_stages, lr)


def _fitting(cost: Cost, device: torch.device) -> int:
    """Pairs whose steps take at most half of the free memory."""
    free = torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else available_memory()
    return BATCH if free is None else int(free / 2 / max(cost.memory, 1))


def measure_cost(
    model: nn.Module,
    criterion: Callable[..., Mapping[str, Tensor]],
    size: tuple[int, int],
    device: torch.device,
    batch: int = 2,
) -> Cost:
    """Two training steps on noise without a change of the weights: the larger peak, and the time of the second."""
    image = torch.randn(batch, 3, *size, generator=torch.Generator().manual_seed(0)).to(device)
    mask = (image[:, :1] > 0).float()
    set_train_mode(model, freeze_batchnorm=True)
    memory = 0
    for _ in range(2):
        started = time.monotonic()
        with peak_memory(device) as found:
            criterion(model(image), mask)["total"].backward()
            if device.type == "cuda":
                torch.cuda.synchronize(device)
        seconds = time.monotonic() - started
        memory = max(memory, found["above"])
        model.zero_grad(set_to_none=True)
    model.eval()
    return Cost(seconds / batch, memory // batch)


def training_section(plan: Plan, own: Mapping[str, Any], source: Path, loss: str, held_out: float) -> dict[str, Any]:
    """The section Train of the plan. own: root, sets and normalization of the user's pairs; source: the start's weights."""
    transforms = {
        "static_resize": {"size": list(plan.size)},
        "random_scale_crop": {"range": [0.75, 1.25]},
        "random_flip": {},
        "random_rotate": {},
        "random_image_enhance": {"range": [-0.2, 0.2]},
        "normalize": own["normalize"],
    }
    return {
        "Dataset": {"root": own["root"], "sets": own["sets"], "transforms": transforms},
        "Dataloader": {"batch_size": plan.batch, "num_workers": own["num_workers"]},
        "Optimizer": {
            "type": "AdamW",
            "lr": plan.lr,
            "head_factor": 3,
            "weight_decay": 0.01,
            "clip_norm": 5,
            "accumulate": plan.accumulate,
        },
        "Scheduler": {
            "type": "Cosine",
            "epoch": plan.epochs,
            "warmup_iteration": plan.steps // 10,
            "minimum_lr": 0,
        },
        "Validation": {"fraction": held_out, "metric": own["metric"], "patience": 3},
        "FineTune": {"weights": str(source), "freeze_stages": plan.freeze_stages, "freeze_batchnorm": True},
        "Loss": loss,
        "ema": 0.95,
        "precision": own["precision"],
    }
