"""A network, a data set and a trainer that are small enough for tests."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from inspyrenet.utils.optim.lr_schedule import Schedule
from inspyrenet.utils.train import distributed
from inspyrenet.utils.train.checkpoint import CheckpointFolder
from inspyrenet.utils.train.loader import TrainLoader
from inspyrenet.utils.train.trainer import Trainer, TrainOptions

CPU = torch.device("cpu")


class ToyNet(nn.Module):
    """Convolutions, a BatchNorm and a dropout: everything that has state or draws random numbers."""

    def __init__(self, width: int = 4) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(), nn.Dropout(0.3))
        self.head = nn.Conv2d(width, 1, 1)

    def forward(self, image: Tensor) -> tuple[Tensor]:
        return (self.head(self.body(image)),)


class ToyData:
    """Random images and masks that depend on (epoch, index) alone."""

    def __init__(self, length: int = 10, bad: int | None = None) -> None:
        self.length, self.bad, self.epoch = length, bad, 0

    def __len__(self) -> int:
        return self.length

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __getitem__(self, index: int) -> dict[str, Any]:
        generator = torch.Generator().manual_seed(1000 * self.epoch + index)
        image = torch.randn(3, 8, 8, generator=generator)
        if index == self.bad:
            image[0, 0, 0] = float("nan")
        return {"image": image, "mask": (image[:1] > 0).float(), "index": index}


def criterion(output: tuple[Tensor], mask: Tensor) -> Mapping[str, Tensor]:
    loss = nn.functional.binary_cross_entropy_with_logits(output[0], mask)
    return {"bce": loss, "total": loss + 0.1 * output[0].square().mean()}


def make_trainer(folder: Path, *, epochs: int = 2, data: ToyData | None = None, **changes: Any) -> Trainer:
    """A trainer over the toys, always from the same random start; `changes` replace its arguments."""
    torch.manual_seed(0)
    model = distributed.prepare(changes.pop("model", None) or ToyNet(), CPU)
    options = TrainOptions(**{"epochs": epochs, **changes.pop("options", {})})
    loader = TrainLoader(data or ToyData(), 2, num_workers=changes.pop("workers", 0), seed=5)
    total = options.epochs * -(-len(loader) // options.accumulate)
    ema = changes.pop("ema", None)
    arguments = {
        "model": model,
        "criterion": criterion,
        "optimizer": torch.optim.Adam(model.parameters(), lr=1e-2),
        "schedule": Schedule("PolyLr", total),
        "loader": loader,
        "device": CPU,
        "options": options,
        "folder": CheckpointFolder(folder, keep=2),
        "ema": ema(model) if ema else None,
        "config": {"name": "toy", "Model": {"name": "Toy"}},
        "fingerprint": "data",
    }
    return Trainer(**{**arguments, **changes})


def weights(trainer: Trainer) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in trainer.model.state_dict().items()}


def same(left: Mapping[str, Tensor], right: Mapping[str, Tensor]) -> bool:
    """Equal to the bit."""
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)
