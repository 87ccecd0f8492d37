"""What in a config does not fit together, or names what the schema does not know; found before anything is built."""

import inspect
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

from ..data.datasets.files import place_of, present
from ..data.hub.huggingface import PREFIX
from ..data.hub.registry import how_to_fetch
from ..lib.backbones.timm_features import check_name
from ..lib.build import MODELS
from ..lib.losses.build import CRITERIA, SCENES, criterion_choices
from ..lib.sizes import rule_for
from ..lib.types import SizeError
from ..parsing.config_checks import scene_errors
from ..parsing.confusion import METRICS as SCENE_METRICS
from ..plugins.named import is_own
from ..plugins.trained import family as family_of
from ..plugins.trained import has_pyramid, named_in
from ..utils.config.load import pretrained_candidates
from ..utils.config.names import suggest
from ..utils.config.schema import TYPES, Config, DatasetSection, ModelSection, TestSection, TrainSection
from ..utils.metrics import GROUPS, METRICS, check_metrics, need_photo
from ..utils.train.checkpoint import CheckpointFolder
from ..utils.train.trackers import TRACKERS, is_absent


def cross_field_errors(config: Config) -> Iterator[tuple[str, str]]:
    """(dotted key, what is wrong with it)."""
    wanted = {"Eval.metrics": config.Eval.metrics}
    if config.Train is not None and config.Train.Validation is not None:
        wanted["Train.Validation.metric"] = (config.Train.Validation.metric,)
    parsing = config.Model is not None and config.Model.classes is not None
    for key, names in wanted.items():
        for name in names:
            single = key == "Train.Validation.metric"
            scenes = single and parsing
            known = SCENE_METRICS if scenes else (*METRICS, *(() if single else GROUPS))
            if is_own("metric", name) and not scenes:
                continue
            if name.lower() not in {word.lower() for word in known}:
                hint = suggest(name, known) or f"; there is {', '.join(known)}"
                yield key, f"unknown metric {name!r}{hint}"
            elif single and not scenes and need_photo(check_metrics([name])):
                yield key, f"{name} needs the photograph, which validation does not read; choose another metric"
    for one in named_in(config):
        yield from one.errors()
    types = f"; there is {', '.join(TYPES)}"
    for key, section in (("Train.Dataset", config.Train), ("Test.Dataset", config.Test)):
        kind = section.Dataset.type if section is not None else TYPES[0]
        if section is not None and kind in TYPES and section.Dataset.arguments:
            yield f"{key}.arguments", f"are of data set types from outside this package; {kind} takes none"
        if kind not in TYPES and not is_own("data set type", kind):
            yield f"{key}.type", f"unknown data set type {kind!r}{suggest(kind, TYPES) or types}"
    yield from scene_errors(config)
    tracker = config.Train.Tracker if config.Train is not None else None
    if tracker is not None and tracker not in TRACKERS and not is_own("tracker", tracker):
        hint = suggest(tracker, TRACKERS) or f"; there is {', '.join(TRACKERS)}"
        yield "Train.Tracker", f"unknown tracker {tracker!r}{hint}"
    if config.Model is not None:
        yield from _encoder_errors(config.Model)
    if config.Model is not None and config.Test is not None:
        yield from _test_errors(config.Model, config.Test)
    if config.Model is not None and config.Train is not None:
        yield from _training_errors(config.Model, config.Train)


def _encoder_errors(model: ModelSection) -> Iterator[tuple[str, str]]:
    """An encoder that timm does not have, or of a model that has its own."""
    if model.encoder_arguments and (model.encoder is None or not is_own("encoder", model.encoder)):
        yield "Model.encoder_arguments", "are of encoders from outside this package, and Model.encoder names none"
    if model.encoder is None or is_own("model", model.name, MODELS):
        return
    if model.name in MODELS and "encoder" not in inspect.signature(MODELS[model.name]).parameters:
        takers = [name for name, build in MODELS.items() if "encoder" in inspect.signature(build).parameters]
        yield "Model.encoder", f"{model.name} has its own: set it to null, or Model.name to {' or '.join(takers)}"
        return
    if is_own("encoder", model.encoder):
        return
    try:
        check_name(model.encoder)
    except ValueError as error:
        yield "Model.encoder", str(error)


def _test_errors(model: ModelSection, test: TestSection) -> Iterator[tuple[str, str]]:
    if model.threshold is not None or test.patch_merging:
        if not has_pyramid(model.name):
            yield (
                "Test.patch_merging" if model.threshold is None else "Model.threshold",
                f"{model.name} has no pyramid to blend: set Model.threshold to null and Test.patch_merging to false",
            )
        reason = "averages one-pass predictions: set Model.threshold to null and patch_merging to false"
        if test.scales != (1.0,):
            yield "Test.scales", reason


def _training_errors(model: ModelSection, train: TrainSection) -> Iterator[tuple[str, str]]:
    """Losses and data that the model's criterion does not take; of an unknown model, losses that none has."""
    family = SCENES if model.classes is not None else family_of(model.name)
    if model.name not in MODELS and not is_own("model", model.name):
        known = {loss for name in CRITERIA for loss in criterion_choices(name)[0]}
        if train.Loss not in known:
            hint = suggest(train.Loss, known) or f"; there is {', '.join(sorted(known))}"
            yield "Train.Loss", f"no model has a loss called {train.Loss!r}{hint}"
        return
    sized = train.Dataset.transforms.static_resize
    for key, size in (
        ("Model.base_size", model.base_size),
        ("Train.Dataset.transforms.static_resize.size", sized.size if sized else model.base_size),
    ):
        try:
            rule_for(family_of(model.name), model.arguments).check(size)
        except SizeError as error:
            yield key, str(error)
    batch = train.Dataloader.batch_size
    if train.Dataset.transforms.dynamic_resize is not None and batch > 1:
        reason = "dynamic_resize gives each image a size of its own, and a batch has one size"
        yield "Train.Dataloader.batch_size", f"{reason}: set it to 1 (and Train.Optimizer.accumulate to {batch})"
    losses, arguments, extras = criterion_choices(family)
    if is_own("loss", train.Loss, losses):
        yield from ((f"Train.LossArguments.{name}", f"{train.Loss} takes its arguments in LossArguments.arguments")
                    for name in train.LossArguments.model_dump(exclude_none=True) if name != "arguments")  # fmt: skip
        return
    if train.Loss not in losses:
        hint = suggest(train.Loss, losses) or f"; there is {', '.join(losses)}"
        yield "Train.Loss", f"{family} has no loss called {train.Loss!r}{hint}"
    for name in train.LossArguments.model_dump(exclude_none=True):
        if name not in arguments:
            yield f"Train.LossArguments.{name}", f"the losses of {family} do not take it, but {', '.join(arguments)}"
    for name in train.LossArguments.weights.model_dump(exclude_none=True) if train.LossArguments.weights else ():
        if name not in CRITERIA[family].terms and "weights" in arguments:
            terms = ", ".join(CRITERIA[family].terms)
            yield f"Train.LossArguments.weights.{name}", f"is no term of the losses of {family}, which has {terms}"
    further = [name for name in ("ssim", "haze") if getattr(train.LossArguments, name)]
    if further and train.Loss != "region" and family == "InSPyReNet":
        yield f"Train.LossArguments.{further[0]}", f"is a term of the loss region, not of {train.Loss}"
    finetune = train.LossArguments.finetune
    if finetune is not None and finetune > train.Scheduler.epoch:
        yield "Train.LossArguments.finetune", f"{finetune} epochs are more than the run has ({train.Scheduler.epoch})"
    if train.Dataset.transforms.random_crop is not None and "valid" not in extras and family != SCENES:
        yield "Train.Dataset.transforms.random_crop", f"pads images, and the losses of {family} would count the padding"
    if train.Dataset.transforms.coarse_map is not None and family != "InSPyReNet":
        yield "Train.Dataset.transforms.coarse_map", f"{family} has no coarse map to start from: leave it out"
    if train.Dataset.labels != "none" and "label" not in extras:
        yield "Train.Dataset.labels", f"{family} learns no classes: leave labels out"


# -- files --------------------------------------------------------------------------------------------------------


def resumes(train: TrainSection, resume: bool) -> bool:
    """Whether a run that is started with or without --resume has a checkpoint to go on from."""
    folder = train.Checkpoint.checkpoint_dir
    return resume and folder is not None and bool(CheckpointFolder(folder).files())


def missing_paths(
    config: Config, steps: Collection[str], made: set[str], resume: bool = False
) -> Iterator[tuple[str, str]]:
    """(dotted key, what is wrong) for the folders and files that these steps of train, test and eval read.

    made: folders that an earlier run of the same command will have made; those of this one are added.
    resume: training goes on from a checkpoint where there is one, which needs no other weights.
    """
    train, test = config.Train, config.Test
    if "train" in steps and train is not None:
        yield from _missing_training(train)
        if not resumes(train, resume):
            yield from _missing_weights(config, train, made)
        made.add(str(train.Checkpoint.checkpoint_dir))
    if "test" in steps and test is not None:
        yield from _missing_sets("Test.Dataset", test.Dataset)
        source = str(test.Checkpoint.checkpoint_dir)
        known = train is not None or "train" not in steps  # else its folder is not
        if known and source not in made and not (source.startswith(PREFIX) or Path(source).exists()):
            yield "Test.Checkpoint.checkpoint_dir", f"no such folder or weights file {source}: train first"
    painted = test is not None and test.Dataset.painted
    listed = test is not None and test.Dataset.type not in TYPES  # by code that knows where its files are
    if "eval" in steps and config.Eval.gt_root is not None and not painted and not listed:
        root, sets = config.Eval.gt_root, config.Eval.datasets or ()
        tested = test is not None and (root, sets) == (test.Dataset.root, test.Dataset.sets)  # as where left out
        keys = ("Test.Dataset.root", "Test.Dataset.sets") if tested else ("Eval.gt_root", "Eval.datasets")
        apart = test is not None and root == test.Dataset.mask_root
        yield from _missing_masks(keys[0], root) if apart else _missing_folders(*keys, root, sets)


def _missing_training(train: TrainSection) -> Iterator[tuple[str, str]]:
    yield from _missing_sets("Train.Dataset", train.Dataset)
    held_out = train.Validation
    if held_out is not None and held_out.sets is not None and not train.Dataset.painted:
        root = held_out.root or train.Dataset.root
        sets = held_out.sets if train.Dataset.type in TYPES else ()  # else its code knows where they are
        yield from _missing_folders("Train.Validation.root", "Train.Validation.sets", root, sets)
        yield from _missing_masks("Train.Validation.mask_root", held_out.mask_root)
    if train.Tracker is not None and is_absent(train.Tracker):
        yield "Train.Tracker", f"{train.Tracker} is not installed: pip install {train.Tracker}, or set it to null"


def _missing_weights(config: Config, train: TrainSection, made: Collection[str]) -> Iterator[tuple[str, str]]:
    """Of the weights that the network starts with."""
    pretrained = config.Model.pretrained if config.Model is not None else False
    weights = train.FineTune.weights
    if weights is None and isinstance(pretrained, str) and (missing := missing_pretrained(pretrained)) is not None:
        yield "Model.pretrained", missing
    if weights is not None and weights not in made and not (weights.startswith(PREFIX) or Path(weights).exists()):
        yield "Train.FineTune.weights", f"no such folder or weights file {weights}"


def missing_pretrained(name: str) -> str | None:
    """What is wrong where Model.pretrained names a file that is not there; None where it is."""
    candidates = pretrained_candidates(name)
    if any(path.is_file() for path in candidates):
        return None
    return f"no file {' or '.join(map(str, candidates))}{how_to_fetch(name)}"


def _missing_sets(key: str, dataset: DatasetSection) -> Iterator[tuple[str, str]]:
    if dataset.type not in TYPES:  # whose code knows where its sets are
        yield from _missing_folders(f"{key}.root", f"{key}.sets", dataset.root, ())
    elif not dataset.painted:  # which is painted where it is absent
        yield from _missing_folders(f"{key}.root", f"{key}.sets", dataset.root, dataset.sets)
        yield from _missing_masks(f"{key}.mask_root", dataset.mask_root)


def _missing_masks(key: str, root: str | None) -> Iterator[tuple[str, str]]:
    if root is not None and not Path(root).is_dir():
        yield key, f"no such folder {root} (the root of the masks)"


def _missing_folders(root_key: str, sets_key: str, root: str, sets: Collection[str]) -> Iterator[tuple[str, str]]:
    if not Path(root).is_dir():
        yield root_key, f"no such folder {root} (the root of the data sets)"
        return
    for name in sets:
        if place_of(Path(root), name) is None:
            yield sets_key, f"no such set {Path(root) / name}; {present(Path(root))}"


# -- several runs -------------------------------------------------------------------------------------------------


def shared_folders(configs: Sequence[Config], steps: Collection[str]) -> Iterator[str]:
    """What is wrong where runs of one command share a folder, and one would pass for the result of another."""
    trained = [config for config in configs if "train" in steps and config.Train is not None]
    for a, b, folder in _sharing(trained, _training_folder):
        if _training(a) != _training(b):
            yield f"{a.name} and {b.name} would be trained into one folder, {folder}: leave Train.Checkpoint.checkpoint_dir out"
    tested = [config for config in configs if "test" in steps and config.Test is not None]
    for a, b, folder in _sharing(tested, lambda config: config.Eval.pred_root):
        if _maps(a) != _maps(b):
            yield f"{a.name} and {b.name} would write their maps to one folder, {folder}: leave Eval.pred_root out"
    for a, b, folder in _sharing([config for config in trained if config in tested], _tested_folder):
        if _training_folder(a) != _training_folder(b):
            yield (
                f"{a.name} and {b.name} are trained apart, but both would test the weights in {folder}: "
                "leave Test.Checkpoint.checkpoint_dir out"
            )


def _sharing(
    configs: Sequence[Config], folder_of: Callable[[Config], str | None]
) -> Iterator[tuple[Config, Config, str]]:
    """The first run with a folder, and each other run with the same."""
    first: dict[Path, Config] = {}
    for config in configs:
        folder = folder_of(config)
        if folder is not None and (there := first.setdefault(Path(folder).absolute(), config)) is not config:
            yield there, config, folder


def _training_folder(config: Config) -> str | None:
    return config.Train.Checkpoint.checkpoint_dir if config.Train is not None else None


def _tested_folder(config: Config) -> str | None:
    return config.Test.Checkpoint.checkpoint_dir if config.Test is not None else None


def _training(config: Config) -> tuple:
    train = config.Train
    return config.seed, config.Model, train and train.model_copy(update={"Checkpoint": None})


def _maps(config: Config) -> tuple:
    """What maps depend on, but for which images they are of."""
    test = config.Test
    if test is None:
        return (config.Model,)
    return config.Model, test.Dataset.transforms, test.model_copy(update={"Dataset": None, "Dataloader": None})
