"""Losses and augmentations from outside this package."""

import inspect
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from ..data.augment.outside import OutsideTransform
from ..utils.config.plugins import PluginError
from ..utils.config.schema import DatasetSection
from ..utils.train.types import EXTRAS
from . import named as names
from .named import Bound, Named


class OwnCriterion(nn.Module):
    """(output, mask) → named losses with their total, by a loss that gives these or a scalar.

    The loss is also given those of `label` and `valid` that the data set has and its signature names.
    """

    def __init__(self, named: Named):
        super().__init__()
        self.name, self.loss = named.name, named.make()
        self.takes = extras_of(self.loss)

    def set_epoch(self, epoch: int, epochs: int) -> None:
        """Passed on to a loss that has it."""
        if hasattr(self.loss, "set_epoch"):
            self.loss.set_epoch(epoch, epochs)

    def forward(self, out: Any, mask: Tensor, **extras: Tensor) -> dict[str, Tensor]:
        """Raises PluginError where the loss gives neither a scalar nor a dictionary of scalars with total."""
        found = self.loss(out, mask, **{name: value for name, value in extras.items() if name in self.takes})
        parts = dict(found) if isinstance(found, Mapping) else {"total": found}
        if not isinstance(parts.get("total"), Tensor) or any(value.ndim for value in parts.values()):
            raise PluginError(
                f"Train.Loss: {self.name} must give a scalar tensor, or a dictionary of them with `total`, not {found!r}"
            )
        return parts


def extras_of(loss: Any) -> tuple[str, ...]:
    """Which of `label` and `valid` a loss takes."""
    call = loss.function if isinstance(loss, Bound) else loss.forward if isinstance(loss, nn.Module) else loss
    return tuple(name for name in EXTRAS if name in inspect.signature(call).parameters)


def own_augmentations(section: DatasetSection) -> list[OutsideTransform]:
    """The steps of transforms.plugins."""
    return [OutsideTransform(one.make(), one.name) for one in names.augmentations(section, "Train.Dataset")]
