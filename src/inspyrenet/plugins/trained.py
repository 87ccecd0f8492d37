"""Models, encoders, losses and trackers from outside this package that a config names; and all that it names of any kind."""

from collections.abc import Iterator

from ..lib.build import MODELS
from ..lib.losses.build import CRITERIA
from ..utils.config.schema import Config, ModelSection, TrainSection
from ..utils.train.trackers import TRACKERS
from .named import Named, augmentations, dataset, is_own, metrics

FAMILY = "InSPyReNet"  # the rules that hold for models from outside: sides in multiples of 32, losses of any pyramid


def family(name: str) -> str:
    """InSPyReNet, BiRefNet or PSPNet: whose losses and image sizes a model has."""
    return name.split("_")[0] if name.split("_")[0] in CRITERIA and not is_own("model", name) else FAMILY


def has_pyramid(name: str) -> bool:
    """Whether the model is an InSPyReNet, whose maps can be blended and whose patches can be merged."""
    return not is_own("model", name, MODELS) and family(name) == "InSPyReNet"


def model(section: ModelSection, fast: bool = True) -> Named | None:
    """The model, where it is not one of MODELS."""
    if not is_own("model", section.name, MODELS):
        return None
    written = {"depth": section.depth, "encoder": section.encoder}
    arguments = {**{name: value for name, value in written.items() if value is not None}, **section.arguments}
    offered = {"base_size": section.base_size, "pretrained": section.pretrained is True, "fast": fast}
    keys = {name: f"Model.{name}" for name in written if name not in section.arguments}
    return Named("model", "Model.name", section.name, "Model.arguments", arguments, offered, keys=keys)


def encoder(section: ModelSection) -> Named | None:
    """The encoder of one of our models, where its name is `package.module:Name` or of an installed entry point."""
    if section.encoder is None or section.name not in MODELS or not is_own("encoder", section.encoder):
        return None
    offered = {"pretrained": section.pretrained is True}
    return Named(
        "encoder", "Model.encoder", section.encoder, "Model.encoder_arguments", section.encoder_arguments, offered
    )


def loss(train: TrainSection) -> Named | None:
    """The loss, where it is none of ours; a function is called with the network's output and the mask."""
    known = [name for criterion in CRITERIA.values() for name in criterion.losses]
    if not is_own("loss", train.Loss, known):
        return None
    arguments = train.LossArguments.arguments or {}
    return Named("loss", "Train.Loss", train.Loss, "Train.LossArguments.arguments", arguments, {}, skip=2)


def tracker(train: TrainSection) -> Named | None:
    """The tracker, where it is none of ours."""
    if train.Tracker is None or not is_own("tracker", train.Tracker, TRACKERS):
        return None
    return Named("tracker", "Train.Tracker", train.Tracker, "Train.TrackerArguments", train.TrackerArguments, {})


def named_in(config: Config) -> Iterator[Named]:
    """All of them."""
    found: list[Named | None] = []
    if config.Model is not None:
        found += [model(config.Model), encoder(config.Model)]
    if config.Train is not None:
        found += [loss(config.Train), tracker(config.Train), dataset(config.Train.Dataset, "Train.Dataset")]
        found += augmentations(config.Train.Dataset, "Train.Dataset")
    if config.Test is not None:
        found += [dataset(config.Test.Dataset, "Test.Dataset"), *augmentations(config.Test.Dataset, "Test.Dataset")]
    found += metrics(config)
    yield from (one for one in found if one is not None)
