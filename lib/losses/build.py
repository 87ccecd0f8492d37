"""One criterion per family of models: (output, mask) → named losses with their total."""

import inspect
from typing import Any

from .birefnet import BiRefNetCriterion
from .inspyrenet import PyramidCriterion
from .pspnet import PSPNetCriterion
from .scenes import SceneCriterion

Criterion = PyramidCriterion | BiRefNetCriterion | PSPNetCriterion | SceneCriterion
SCENES = "Scenes"  # in place of a family: the criterion of scene parsing, whatever the model

CRITERIA: dict[str, type[Criterion]] = {
    "InSPyReNet": PyramidCriterion,
    "BiRefNet": BiRefNetCriterion,
    "PSPNet": PSPNetCriterion,
    SCENES: SceneCriterion,
}


def build_criterion(name: str, loss: str = "released", **arguments: Any) -> Criterion:
    """The criterion of a model or of its family: build_criterion("InSPyReNet") and ("InSPyReNet_SwinB") are the same.

    arguments: whatever else the family's criterion takes. A criterion may have set_epoch(epoch, epochs), to be called at
    the start of every epoch (from 0) with the number of epochs of the whole run.
    """
    return _criterion(name)(loss, **arguments)


def criterion_choices(name: str) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """(losses, further arguments, what it can be given of a batch beside the mask) of a model's or family's criterion."""
    criterion = _criterion(name)
    arguments = tuple(inspect.signature(criterion).parameters)[1:]  # the first one is the loss
    return criterion.losses, arguments, tuple(inspect.signature(criterion.forward).parameters)[3:]


def _criterion(name: str) -> type[Criterion]:
    family = name.split("_")[0]
    if family not in CRITERIA:
        raise ValueError(f"no criterion for {name!r} (known: {', '.join(CRITERIA)})")
    return CRITERIA[family]
