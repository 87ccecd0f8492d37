"""Composes a training run out of a config: data, network, criterion, optimizer, schedule, trainer."""

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from ..data.datasets.pairs import Pair
from ..data.datasets.scenes import check_labels
from ..data.images.preprocess import Preprocess, resize
from ..data.images.read import read_image
from ..lib.checkpoints.fitting import load_fitting
from ..lib.checkpoints.state_dict import load_state
from ..lib.losses.birefnet import BiRefNetCriterion
from ..lib.losses.build import SCENES, build_criterion
from ..lib.modules.lora import add_lora, merged
from ..lib.modules.norm import recompute_encoder
from ..parsing.confusion import METRICS as SCENE_METRICS
from ..parsing.pictures import ScenePictures
from ..parsing.validate import SceneValidator
from ..plugins import trained as outside
from ..plugins.metrics import register_metrics
from ..plugins.training import OwnCriterion
from ..utils.config.load import filled_in
from ..utils.config.schema import Config, TrainSection
from ..utils.metrics import METRICS, check_metrics
from ..utils.optim.ema import EMA
from ..utils.optim.lr_schedule import Schedule, plan_lr
from ..utils.optim.optimizer import build_optimizer, parameter_groups
from ..utils.report.visualize import pyramid_picture
from ..utils.train import distributed
from ..utils.train.checkpoint import EVENTS, CheckpointFolder, read_weights
from ..utils.train.epoch_pictures import EpochPictures
from ..utils.train.loader import TrainLoader
from ..utils.train.state import fingerprint
from ..utils.train.trackers import TRACKERS, SafeTracker
from ..utils.train.trainer import EpochEnd, Trainer, TrainOptions, steps_per_epoch
from . import build
from .config_checks import resumes
from .options import Options
from .presets import weights_at

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

Pairs = Sequence[Pair]
ENCODERS = ("backbone.", "bb.", "layer")  # how the names of encoder parameters begin, in all models
FRESH = (".pyramid.", ".parametrizations.")  # parts of an encoder that start from nothing, and learn as a head does


def checkpoint_dir(config: Config) -> str:
    """Where this run's checkpoints go."""
    return filled_in(build.section(config, "Train").Checkpoint.checkpoint_dir, "Train.Checkpoint.checkpoint_dir")


def build_trainer(
    config: Config,
    options: Options,
    device: torch.device,
    log: logging.Logger,
    split: tuple[Pairs, Pairs] | None = None,
) -> Trainer:
    """Everything that `Trainer` needs. Data are checked before the network is built, which may take a download.

    split: (pairs to learn from, pairs held out), in place of those that the config names.
    """
    train = build.section(config, "Train")
    register_metrics([config])
    folder = Path(checkpoint_dir(config))
    learn, held_out = split or split_pairs(train, config.seed)
    scenes = build.section(config, "Model").classes
    if scenes is not None:
        check_labels([*learn, *held_out], scenes, train.Dataset.ignore_label)
    labels, classes = build.class_labels(train.Dataset.labels, learn)
    dataset = build.train_dataset(train.Dataset, learn, config.seed, config.Debug.pipeline, labels)
    build.seed_everything(config.seed)
    model = distributed.prepare(start_network(config, log, resumes(train, options.resume)), device)
    build.check_classes(model, classes)
    loader = TrainLoader(
        dataset,
        **train.Dataloader.model_dump(),
        seed=config.seed,
        drop_last=drops_last(train, learn),
        collate=dataset.collate,
        shares=shares_of(train, learn),
    )
    schedule, note = build_lr_schedule(train, len(loader))
    if note:
        log.warning(note)
    build.seed_everything(config.seed + 1 + distributed.rank())  # stochastic depth differs between processes
    log.info("%d training pairs, %d held out, %d steps per epoch", len(learn), len(held_out), len(loader))
    return Trainer(
        model=model,
        criterion=criterion_of(config).to(device),
        optimizer=optimizer_of(model, train),
        schedule=schedule,
        loader=loader,
        device=device,
        options=train_options(config, options, fingerprint(files_of(held_out))),
        folder=CheckpointFolder(folder, train.Checkpoint.keep, merged),
        precision=train.precision,
        ema=EMA(model, train.ema) if train.ema else None,
        validate=validation(config, held_out, device) if held_out else None,
        hooks=[pictures(config, learn, folder / "debug" if options.debug else None, device)],
        describe=dataset.names,
        config=config.model_dump(mode="json"),
        fingerprint=fingerprint(files_of(learn)),
        log=log,
        writer=tensorboard(folder),
        tracker=tracker_of(config, folder, log) if distributed.is_main() else None,
        curves=Path(config.Eval.result_path) / config.name / "curves.png",
    )


def split_pairs(train: TrainSection, seed: int) -> tuple[list[Pair], list[Pair]]:
    """(pairs to learn from, pairs held out for validation); the split depends on the names and the split's seed alone.

    Raises ValueError where an image would be in both.
    """
    learn, held_out = _split(train, seed)
    learned = {pair.image.resolve() for pair in learn} if held_out else set()
    both = [pair.image for pair in held_out if pair.image.resolve() in learned]
    if both:
        raise ValueError(
            f"Train.Validation: {len(both)} of the {len(held_out)} images held out are also learned from, e.g. {both[0]}: name "
            "each image once, as Train.Dataset.sets=[Own/train.txt] and Train.Validation.sets=[Own/val.txt] do"
        )
    return learn, held_out


def _split(train: TrainSection, seed: int) -> tuple[list[Pair], list[Pair]]:
    found = build.pairs(train.Dataset)
    validation = train.Validation
    if validation is None:
        return found, []
    if validation.sets is not None:
        root, masks = validation.root, validation.mask_root
        if root is None:
            root, masks = train.Dataset.root, masks or train.Dataset.mask_root
        build.paint(train.Dataset, root, validation.sets, train.Dataset.limit, anew=False)  # or as Test painted them
        return found, build.found_in(train.Dataset, root, validation.sets, mask_root=masks)
    own = validation.split_seed
    order = np.random.default_rng((seed if own is None else own, 0x5A11)).permutation(len(found))
    if validation.folds is not None:
        if validation.folds > len(found):
            raise ValueError(f"Train.Validation.folds: {validation.folds} parts of {len(found)} pairs")
        chosen = set(np.array_split(order, validation.folds)[validation.fold].tolist())
    else:
        count = max(1, round(len(found) * (validation.fraction or 0)))
        if count >= len(found):
            raise ValueError(f"Train.Validation.fraction leaves none of {len(found)} pairs to learn from")
        chosen = set(order[:count].tolist())
    return (
        [pair for i, pair in enumerate(found) if i not in chosen],
        [pair for i, pair in enumerate(found) if i in chosen],
    )


def shares_of(train: TrainSection, learn: Pairs) -> list[tuple[list[int], float]] | None:
    """(places of a set's pairs in `learn`, its weight) for each set of Train.Dataset.weights; None without weights.

    Raises ValueError where a set has no pair to learn from.
    """
    if train.Dataset.weights is None:
        return None
    shares = []
    for name, weight in zip(train.Dataset.sets, train.Dataset.weights, strict=True):
        places = [i for i, pair in enumerate(learn) if pair.dataset == name]
        if not places:
            raise ValueError(f"Train.Dataset.weights: {name} has no pair left to learn from")
        shares.append((places, weight))
    return shares


def drops_last(train: TrainSection, learn: Pairs) -> bool:
    """A last batch of one image for a process has no batch statistics to speak of: it is left out, unless all are so small."""
    size = train.Dataloader.batch_size * distributed.world_size()
    return train.Dataloader.batch_size > 1 and 0 < len(learn) % size <= distributed.world_size() and len(learn) > size


def start_network(config: Config, log: logging.Logger, resumed: bool = False) -> nn.Module:
    """The network as training starts with it: fine-tuning weights, LoRA, frozen stages, activation checkpointing.

    resumed: a checkpoint will replace all weights, so that none are fetched or read.
    """
    train = build.section(config, "Train")
    model = build.network(config, start=not resumed and train.FineTune.weights is None)
    if train.FineTune.weights is not None and not resumed:
        source = weights_at(train.FineTune.weights)
        path = CheckpointFolder(source).weights_file() if source.is_dir() else source
        if train.FineTune.strict:
            load_state(model, read_weights(path), str(path))
            log.info("starting from the weights in %s", path)
        else:
            log.warning("starting from %s: %s", path, load_fitting(model, read_weights(path), str(path)))
    if train.FineTune.lora is not None:
        count = add_lora(model.get_submodule("backbone"), **train.FineTune.lora.model_dump())
        log.info("LoRA: the encoder learns corrections of %d linear layers, with the head's rate", count)
    build.freeze(model, train.FineTune.freeze_stages)
    build.freeze_parts(model, train.FineTune.freeze)
    freeze_idle(model, criterion_of(config), labeled=train.Dataset.labels != "none")
    if train.activation_checkpointing:
        if not hasattr(model, "backbone"):
            raise ValueError(
                f"Train.activation_checkpointing: {type(model).__name__} has no part `backbone` to recompute"
            )
        recompute_encoder(model.get_submodule("backbone"))
    return model


def freeze_idle(model: nn.Module, criterion: nn.Module, labeled: bool) -> None:
    """Take out of training what the criterion has no loss for: several processes would wait for its gradients in vain.

    labeled: whether images have a class.
    """
    if isinstance(criterion, BiRefNetCriterion):
        for name, parameter in model.named_parameters():
            if name.startswith(criterion.idle(labeled)):
                parameter.requires_grad_(False)


def build_lr_schedule(train: TrainSection, batches: int) -> tuple[Schedule, str | None]:
    """The learning-rate schedule over all optimizer steps, and a note where its warm-up was shortened."""
    scheduler = train.Scheduler
    total = scheduler.epoch * steps_per_epoch(batches, train.Optimizer.accumulate)
    return plan_lr(
        scheduler.type,
        total,
        scheduler.warmup_iteration,
        minimum=scheduler.minimum_lr,
        power=scheduler.gamma,
        fit_warmup=scheduler.fit_warmup,
    )


def optimizer_of(model: nn.Module, train: TrainSection) -> torch.optim.Optimizer:
    """Two groups: the encoder at Optimizer.lr, all else at lr · head_factor; or one for each layer of the encoder."""
    settings = train.Optimizer
    layers = build.encoder_layers(model) if settings.layer_decay < 1 else ()
    return build_optimizer(
        parameter_groups(model, ENCODERS, FRESH, layers),
        settings.type,
        settings.lr,
        head_factor=settings.head_factor,
        layer_decay=settings.layer_decay,
        weight_decay=settings.weight_decay,
        momentum=settings.momentum,
        betas=settings.betas,
        scale_lr=settings.scale_lr,
        processes=distributed.world_size(),
    )


def criterion_of(config: Config) -> nn.Module:
    """The losses of Train.Loss, with what Train.LossArguments says beside it."""
    model, train = build.section(config, "Model"), build.section(config, "Train")
    if (own := outside.loss(train)) is not None:
        return OwnCriterion(own)
    given = train.LossArguments.model_dump(exclude_none=True)
    if model.classes is not None:
        return build_criterion(SCENES, train.Loss, ignore_label=train.Dataset.ignore_label, **given)
    return build_criterion(outside.family(model.name), train.Loss, **given)


def train_options(config: Config, options: Options, validated_on: str | None = None) -> TrainOptions:
    """The numbers of a run, out of four YAML sections; validated_on: the fingerprint of the pairs that are held out."""
    train = build.section(config, "Train")
    validation = train.Validation
    chosen: dict[str, Any] = {}
    if validation is not None:
        metric, mode = metric_and_mode(config, validation.metric)
        chosen = {
            "validate_every": validation.every,
            "metric": metric,
            "mode": validation.mode or mode,
            "patience": validation.patience,
            "validated_on": validated_on,
        }
    return TrainOptions(
        epochs=train.Scheduler.epoch,
        accumulate=train.Optimizer.accumulate,
        clip_norm=train.Optimizer.clip_norm,
        checkpoint_epochs=train.Checkpoint.checkpoint_epoch,
        checkpoint_steps=train.Checkpoint.every_steps,
        checkpoint_minutes=train.Checkpoint.every_minutes,
        freeze_batchnorm=train.FineTune.freeze_batchnorm,
        cuda_graph=train.cuda_graph,
        overwrite=options.extra.overwrite,
        bars=options.verbose,
        **chosen,
    )


def metric_and_mode(config: Config, name: str) -> tuple[str, str]:
    """(metric as it is spelled, max or min): which values of it are better."""
    if build.section(config, "Model").classes is not None:
        return next(metric for metric in SCENE_METRICS if metric.lower() == name.lower()), "max"
    (metric,) = check_metrics([name])
    return metric, "max" if METRICS[metric].better == "higher" else "min"


def files_of(pairs: Pairs) -> list[tuple[str, Path | None]]:
    """(name that does not depend on where the data lies, file) of every image and mask."""
    named = [(f"{pair.dataset}/{pair.name}", pair) for pair in pairs]
    return [(f"{name} image", pair.image) for name, pair in named] + [(f"{name} mask", p.mask) for name, p in named]


def tensorboard(folder: Path) -> "Callable[[int], SummaryWriter]":
    """Iteration → SummaryWriter that voids what an interrupted run wrote after it."""

    def make(iteration: int) -> "SummaryWriter":
        from torch.utils.tensorboard import SummaryWriter

        return SummaryWriter(str(folder / EVENTS), purge_step=iteration or None)

    return make


def tracker_of(config: Config, folder: Path, log: logging.Logger) -> SafeTracker | None:
    """What Train.Tracker names, not yet started. Raises PluginError for arguments that do not fit."""
    train = build.section(config, "Train")
    if train.Tracker is None:
        return None
    own = outside.tracker(train)
    tracker = TRACKERS[train.Tracker](**train.TrackerArguments) if own is None else own.make()
    return SafeTracker(tracker, train.Tracker, config.name, config.model_dump(mode="json"), folder, log)


def validation(config: Config, held_out: Pairs, device: torch.device) -> Callable[[nn.Module], Mapping[str, float]]:
    """Model → metrics on the held-out pairs at the training size, with the code that Eval uses."""
    from .validate import Validator

    model, train = build.section(config, "Model"), build.section(config, "Train")
    if train.Validation is None:
        raise build.MissingSection(f"{config.name}: Train has no section Validation, which says what to measure")
    if model.classes is not None:
        ignored = train.Dataset.ignore_label
        return SceneValidator(held_out, training_preprocess(config), model.classes, ignored, device, train.precision)
    return Validator(
        held_out,
        training_preprocess(config),
        train.Validation.metric,
        device,
        train.precision,
        train.Dataloader.num_workers,
    )


def training_preprocess(config: Config) -> Preprocess:
    """Images at the size that training shows them, without augmentation."""
    transforms = build.section(config, "Train").Dataset.transforms
    sized = transforms.static_resize or transforms.dynamic_resize
    size = transforms.static_resize.size if transforms.static_resize else build.section(config, "Model").base_size
    backend = sized.backend if sized else "pillow"
    return Preprocess("static", size, None, transforms.normalize.mean, transforms.normalize.std, backend)


def pictures(config: Config, learn: Pairs, folder: Path | None, device: torch.device) -> Callable[[EpochEnd], None]:
    """The hook that shows what the network makes of the first training images."""
    preprocess, model = training_preprocess(config), build.section(config, "Model")
    if model.classes is None:
        return PyramidPictures(learn, preprocess, folder, device)
    return ScenePictures(learn, preprocess, folder, device)


class PyramidPictures(EpochPictures):
    """After each epoch: the pyramid of the first training images, to TensorBoard, a tracker and, with a folder, as PNG files."""

    name = "pyramid"

    def __init__(self, pairs: Pairs, preprocess: Preprocess, folder: Path | None, device: torch.device, count: int = 2):
        self.pairs, self.preprocess = pairs[:count], preprocess
        super().__init__(folder)
        self.device = device

    def drawn(self, model: nn.Module) -> np.ndarray:
        """See `EpochPictures`."""
        return np.vstack([self._picture(model, pair) for pair in self.pairs])

    def _picture(self, model: nn.Module, pair: Pair) -> np.ndarray:
        image = read_image(pair.image)
        array, _ = self.preprocess(image)
        out = model(torch.from_numpy(array)[None].to(self.device))
        size = (array.shape[-2], array.shape[-1])
        mask = resize(pair.read_mask(), size)
        return pyramid_picture(out, resize(image, size), mask, height=min(192, size[0]))
