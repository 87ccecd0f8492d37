"""What in a config does not fit together: the parts of a training that only some models know."""

from collections.abc import Iterator

from ..lib.optim.criteria import criterion_choices
from ..utils.explain import suggest
from ..utils.schema import Config


def misfits(config: Config) -> Iterator[tuple[str, str]]:
    """(dotted key, what is wrong with it) for losses and data that the model's criterion does not take."""
    train = config.Train
    if train is None or config.Model is None:
        return
    losses, arguments, extras = criterion_choices(config.Model.name)
    family = config.Model.name.split("_")[0]
    if train.Loss not in losses:
        hint = suggest(train.Loss, losses) or f"; there is {', '.join(losses)}"
        yield "Train.Loss", f"{family} has no loss called {train.Loss!r}{hint}"
    for name in train.LossArguments.model_dump(exclude_none=True):
        if name not in arguments:
            yield f"Train.LossArguments.{name}", f"the losses of {family} do not take it, but {', '.join(arguments)}"
    finetune = train.LossArguments.finetune
    if finetune is not None and finetune > train.Scheduler.epoch:
        yield "Train.LossArguments.finetune", f"{finetune} epochs are more than the run has ({train.Scheduler.epoch})"
    if train.Dataset.transforms.random_crop is not None and "valid" not in extras:
        yield "Train.Dataset.transforms.random_crop", f"pads images, and the losses of {family} would count the padding"
    if train.Dataset.labels != "none" and "label" not in extras:
        yield "Train.Dataset.labels", f"{family} learns no classes: leave labels out"
