"""What in a config does not fit together, or names what the schema does not know; found before anything is built."""

from collections.abc import Iterator

from ..lib.losses.build import criterion_choices
from ..utils.config.errors import suggest
from ..utils.config.schema import Config, ModelSection, TestSection, TrainSection
from ..utils.metrics import METRICS


def cross_field_errors(config: Config) -> Iterator[tuple[str, str]]:
    """(dotted key, what is wrong with it)."""
    wanted = {"Eval.metrics": config.Eval.metrics}
    if config.Train is not None and config.Train.Validation is not None:
        wanted["Train.Validation.metric"] = (config.Train.Validation.metric,)
    for key, names in wanted.items():
        for name in names:
            if name.lower() not in {metric.lower() for metric in METRICS}:
                hint = suggest(name, METRICS) or f"; there is {', '.join(METRICS)}"
                yield key, f"unknown metric {name!r}{hint}"
    if config.Model is not None and config.Test is not None:
        yield from _test_errors(config.Model, config.Test)
    if config.Model is not None and config.Train is not None:
        yield from _training_errors(config.Model, config.Train)


def _test_errors(model: ModelSection, test: TestSection) -> Iterator[tuple[str, str]]:
    if model.threshold is not None or test.patch_merging:
        reason = "averages one-pass predictions: set Model.threshold to null and patch_merging to false"
        if test.scales != (1.0,):
            yield "Test.scales", reason


def _training_errors(model: ModelSection, train: TrainSection) -> Iterator[tuple[str, str]]:
    """Losses and data that the model's criterion does not take."""
    losses, arguments, extras = criterion_choices(model.name)
    family = model.name.split("_")[0]
    if train.Loss not in losses:
        hint = suggest(train.Loss, losses) or f"; there is {', '.join(losses)}"
        yield "Train.Loss", f"{family} has no loss called {train.Loss!r}{hint}"
    for name in train.LossArguments.model_dump(exclude_none=True):
        if name not in arguments:
            yield f"Train.LossArguments.{name}", f"the losses of {family} do not take it, but {', '.join(arguments)}"
    further = [name for name in ("ssim", "haze") if getattr(train.LossArguments, name)]
    if further and train.Loss != "region" and family == "InSPyReNet":
        yield f"Train.LossArguments.{further[0]}", f"is a term of the loss region, not of {train.Loss}"
    finetune = train.LossArguments.finetune
    if finetune is not None and finetune > train.Scheduler.epoch:
        yield "Train.LossArguments.finetune", f"{finetune} epochs are more than the run has ({train.Scheduler.epoch})"
    if train.Dataset.transforms.random_crop is not None and "valid" not in extras:
        yield "Train.Dataset.transforms.random_crop", f"pads images, and the losses of {family} would count the padding"
    if train.Dataset.transforms.coarse_map is not None and family != "InSPyReNet":
        yield "Train.Dataset.transforms.coarse_map", f"{family} has no coarse map to start from: leave it out"
    if train.Dataset.labels != "none" and "label" not in extras:
        yield "Train.Dataset.labels", f"{family} learns no classes: leave labels out"
