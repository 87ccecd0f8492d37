"""From a validated config to finished objects: the one place that translates YAML into arguments."""

import contextlib
import fnmatch
import logging
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, overload

import huggingface_hub
import torch
from huggingface_hub.errors import HTTPError
from torch import nn

from ..data.datasets.build import build_train_dataset
from ..data.datasets.files import place_of
from ..data.datasets.labels import dis5k_labels
from ..data.datasets.painted_scenes import PaintedScenes
from ..data.datasets.pairs import Pair, find_pairs
from ..data.datasets.scenes import build_scene_dataset, find_scenes
from ..data.datasets.synthetic import HELD_OUT_SEED, TRAIN_SEED, SyntheticShapes, ensure_dataset
from ..data.datasets.torch_datasets import TrainDataset
from ..data.hub.registry import load
from ..data.images.preprocess import Preprocess
from ..lib.build import build_model
from ..lib.checkpoints.state_dict import load_backbone, load_state
from ..lib.sizes import rule_for
from ..plugins import trained as outside
from ..plugins.datasets import lister
from ..plugins.networks import own_encoder, own_model
from ..plugins.training import own_augmentations
from ..utils.config.load import filled_in, pretrained_candidates
from ..utils.config.schema import (
    Config,
    DatasetSection,
    ModelSection,
    Pipeline,
    Section,
    TestSection,
    TrainSection,
    Transforms,
)
from ..utils.system.failures import is_expected
from ..utils.system.network import no_route
from ..utils.train.checkpoint import CheckpointFolder, read_weights
from .config_checks import missing_pretrained
from .presets import weights_at

LOG = logging.getLogger(__name__)
PREPARED = ("tonumpy", "totensor")  # steps that always happen
BEYOND_ONE = (
    "random_size",
    "copy_paste",
    "coarse_map",
    "plugins",
)  # what is not one of our steps of one image and mask


class MissingSection(ValueError):
    """The config lacks what this command needs."""


class ModelError(ValueError):
    """A network cannot be built with these arguments."""


class PretrainedError(OSError):
    """ImageNet weights cannot be fetched."""


@overload
def section(config: Config, name: Literal["Model"]) -> ModelSection: ...
@overload
def section(config: Config, name: Literal["Train"]) -> TrainSection: ...
@overload
def section(config: Config, name: Literal["Test"]) -> TestSection: ...
def section(config: Config, name: str) -> Section:
    """config.<name>; raises MissingSection where the file has none."""
    value = getattr(config, name)
    if value is None:
        raise MissingSection(f"{config.name}: the config has no section {name}, which this command needs")
    return value


# -- models -------------------------------------------------------------------------------------------------------


def model_arguments(model: ModelSection) -> dict:
    """Arguments of lib.build_model; options that a family does not have are left out while they are at their default."""
    arguments = {"base_size": model.base_size, **model.arguments, "pretrained": model.pretrained is True}
    if model.depth is not None:
        arguments["depth"] = model.depth
    if model.encoder is not None:
        arguments["encoder"] = model.encoder
    if model.classes is not None:
        arguments["scene_classes"] = model.classes
    if model.attention != "as_trained":
        arguments["attention"] = model.attention
    if (own := outside.encoder(model)) is not None:
        arguments["encoder"] = own_encoder(own, model)
    return arguments


def network(config: Config, start: bool = True) -> nn.Module:
    """The untrained network; with `start`, its encoder from Model.pretrained.

    Weights that a checkpoint will replace anyway are not fetched: pass start=False.
    """
    model = section(config, "Model")
    pretrained = model.pretrained if start else False
    started = model.model_copy(update={"pretrained": pretrained})
    with _fetched(model) if pretrained is True else contextlib.nullcontext():
        if (own := outside.model(started, config.Debug.fast)) is not None:
            net = own_model(own, started)
        else:
            net = _built(model, {**model_arguments(started), **({} if config.Debug.fast else {"fast": False})})
    if isinstance(pretrained, str):
        path = pretrained_file(pretrained)
        left = load_backbone(net, read_weights(path), str(path))
        LOG.info("encoder from %s; %d entries stay at their start values", pretrained, len(left))
    return net


def _built(model: ModelSection, arguments: dict) -> nn.Module:
    """The network by its name. Raises ModelError, naming the key, for an argument that it does not take."""
    try:
        return build_model(model.name, **arguments)
    except TypeError as error:
        unknown = re.search(r"unexpected keyword argument '(\w+)'", str(error))
        if unknown is None or unknown[1] not in arguments:
            raise
        key = f"Model.arguments.{unknown[1]}" if unknown[1] in model.arguments else f"Model.{unknown[1]}"
        raise ModelError(f"{key}: {model.name} does not take it: leave it out, or set it to null") from error


@contextlib.contextmanager
def _fetched(model: ModelSection) -> Iterator[None]:
    """While timm gets ImageNet weights: from the cache alone where there is no network, in place of a minute of retries.

    Raises PretrainedError where they cannot be had.
    """
    settings: Any = huggingface_hub.constants  # its functions read this setting anew
    before = settings.HF_HUB_OFFLINE
    reason = None if before else no_route(settings.ENDPOINT)
    settings.HF_HUB_OFFLINE = before or reason is not None
    try:
        yield
    except (OSError, RuntimeError, HTTPError) as error:
        if isinstance(error, RuntimeError) and is_expected(error):
            raise
        raise PretrainedError(_without_pretrained(model, reason or str(error).splitlines()[0])) from error
    finally:
        settings.HF_HUB_OFFLINE = before


def _without_pretrained(model: ModelSection, reason: str) -> str:
    wanted = (f"encoder-{model.name.partition('_')[2]}", model.encoder or "")
    published = next((entry for name, entry in load("weights").items() if name in wanted), None)
    fetch = f"`inspyrenet d {published.name}` with Model.pretrained={published.file}" if published else ""
    return (
        f"Model.pretrained: the encoder's ImageNet weights cannot be had ({reason}). Train without them "
        "(Model.pretrained=false), or with a file that was fetched where there is a network "
        f"({fetch or 'Model.pretrained=FILE'})"
    )


def pretrained_file(name: str) -> Path:
    """A path as it is, or a file of that name in data/backbone_ckpt. Raises FileNotFoundError."""
    found = next((path for path in pretrained_candidates(name) if path.is_file()), None)
    if found is None:
        raise FileNotFoundError(f"Model.pretrained: {missing_pretrained(name)}")
    return found


def loaded(config: Config, weights: Path) -> nn.Module:
    """The network with these weights. Raises WeightsError where they do not fit."""
    return load_state(network(config, start=False), read_weights(weights), str(weights))


def trained_network(config: Config) -> tuple[nn.Module, Path]:
    """The network with the weights that Test.Checkpoint names: a run folder (its best, else newest file) or a file."""
    source = weights_at(filled_in(section(config, "Test").Checkpoint.checkpoint_dir, "Test.Checkpoint.checkpoint_dir"))
    path = source if source.is_file() else CheckpointFolder(source).weights_file()
    return loaded(config, path), path


def freeze(net: nn.Module, stages: int) -> None:
    """Take the modules behind the first encoder maps out of training. Raises ValueError where the encoder has no stages."""
    if not stages:
        return
    encoder: Any = next((part for name, part in net.named_children() if name in ("backbone", "bb")), net)
    if not hasattr(encoder, "stages"):
        raise ValueError(f"Train.FineTune.freeze_stages: {type(encoder).__name__} has no stages that can be frozen")
    for part in [module for group in encoder.stages()[:stages] for module in group]:
        part.requires_grad_(False)


def freeze_parts(net: nn.Module, patterns: Sequence[str]) -> None:
    """Take the modules with these names, which may have wildcards, out of training.

    Raises ValueError for a pattern that fits no module, and where nothing is left to learn.
    """
    modules = dict(net.named_modules())
    for pattern in patterns:
        found = fnmatch.filter(modules, pattern)
        if not found:
            parts = ", ".join(name for name, _ in net.named_children())
            raise ValueError(
                f"Train.FineTune.freeze: {type(net).__name__} has no module {pattern!r}; its parts are {parts}"
            )
        for name in found:
            modules[name].requires_grad_(False)
    if patterns and not any(parameter.requires_grad for parameter in net.parameters()):
        raise ValueError("Train.FineTune.freeze leaves nothing to learn")


def encoder_layers(net: nn.Module) -> list[list[nn.Parameter]]:
    """The encoder's parameters layer by layer, first to last. Raises ValueError where it does not tell its layers."""
    encoder: Any = net.get_submodule("backbone")
    if not hasattr(encoder, "stages"):
        raise ValueError(f"Train.Optimizer.layer_decay: {type(encoder).__name__} has no layers; set it to 1")
    groups = encoder.layers() if hasattr(encoder, "layers") and callable(encoder.layers) else encoder.stages()
    layers = [[parameter for part in group for parameter in part.parameters()] for group in groups]
    return [layer for layer in layers if layer]


# -- data ---------------------------------------------------------------------------------------------------------


def transform_steps(transforms: Transforms) -> list[tuple[str, dict]]:
    """(name, parameters) in the published order, without those that are off."""
    steps = transforms.model_dump(exclude_none=True, exclude={*PREPARED, *BEYOND_ONE})
    return [(name, steps[name]) for name in type(transforms).model_fields if name in steps]


def pairs(dataset: DatasetSection, need_masks: bool = True) -> list[Pair]:
    """Checked pairs of all sets; generated sets are painted first where they are absent."""
    paint(dataset, dataset.root, dataset.sets, dataset.limit)
    limit = None if dataset.painted else dataset.limit  # painted sets have no more
    return found_in(dataset, dataset.root, dataset.sets, need_masks, limit, dataset.mask_root)


def paint(dataset: DatasetSection, root: str, sets: Sequence[str], limit: int | None, anew: bool = True) -> None:
    """Paint those of the sets that are absent, where the type of `dataset` is painted; sets of another size, where `anew`."""
    if not dataset.painted:
        return
    painter = PaintedScenes if dataset.scenes else SyntheticShapes
    for name in sets:
        if anew or place_of(Path(root), name) is None:
            seed = TRAIN_SEED if name == "train" else HELD_OUT_SEED
            ensure_dataset(root, name, limit or 400, seed, painter=painter)


def found_in(
    dataset: DatasetSection,
    root: str,
    sets: Sequence[str],
    need_masks: bool = True,
    limit: int | None = None,
    mask_root: str | None = None,
) -> list[Pair]:
    """Checked pairs of these sets as the type of `dataset` finds them, with masks of its kind."""
    find = find_scenes if dataset.scenes else find_pairs
    return find(root, sets, dataset.on_bad_pair, need_masks, limit, mask_root, lister(dataset))


def train_dataset(
    dataset: DatasetSection, found: Sequence[Pair], seed: int, pipeline: Pipeline, labels: Sequence[int] | None = None
) -> TrainDataset:
    """Augmented pairs, by the published operations or their fused equivalent, cached where the config says so."""
    if dataset.scenes:
        further = own_augmentations(dataset)
        return build_scene_dataset(found, transform_steps(dataset.transforms), seed, dataset.ignore_label, further)
    sizes, paste = dataset.transforms.random_size, dataset.transforms.copy_paste
    coarse = dataset.transforms.coarse_map
    return build_train_dataset(
        found,
        transform_steps(dataset.transforms),
        seed,
        pipeline,
        dataset.cache,
        random_size=None if sizes is None else sizes.model_dump(),
        labels=labels,
        copy_paste=None if paste is None else paste.model_dump(),
        coarse_map=None if coarse is None else coarse.model_dump(),
        further=own_augmentations(dataset),
    )


def class_labels(kind: str, found: Sequence[Pair]) -> tuple[list[int] | None, int]:
    """(class number of every pair, number of classes) as Train.Dataset.labels says; None and 0 without labels.

    Raises ValueError where a name does not tell a class.
    """
    if kind == "none":
        return None, 0
    try:
        numbers, classes = dis5k_labels([pair.name for pair in found])
    except ValueError as error:
        raise ValueError(f"Train.Dataset.labels: {error}; set labels to none") from error
    return numbers, len(classes)


def check_classes(net: nn.Module, count: int) -> None:
    """Raises ValueError where the network has no place for so many classes."""
    has = getattr(net, "classes", 0)
    if count > has:
        raise ValueError(
            f"Train.Dataset.labels: the names tell {count} classes, the network learns {has}: set "
            f"Model.arguments={{classes: {count}}} (219 for all of DIS5K)"
        )


def preprocess(model: ModelSection, test: TestSection) -> Preprocess:
    """The sizing of Test.Dataset.transforms, with the base-size copy where blending may need it."""
    transforms = test.Dataset.transforms
    dynamic = transforms.dynamic_resize is not None
    sized = transforms.dynamic_resize or transforms.static_resize
    if sized is None:
        raise MissingSection("Test.Dataset.transforms: a test needs static_resize or dynamic_resize")
    return Preprocess(
        sizing="dynamic" if dynamic else "static",
        size=sized.size,
        base_size=model.base_size if model.threshold is not None or test.patch_merging else None,
        mean=transforms.normalize.mean,
        std=transforms.normalize.std,
        backend=sized.backend,
        fit=rule_for(outside.family(model.name), model.arguments).nearest,
    )


def seed_everything(seed: int) -> None:
    """Seed the global generators, which initial weights, dropout and stochastic depth draw from."""
    import random

    import numpy as np

    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 (libraries still draw from it)
    torch.manual_seed(seed)
