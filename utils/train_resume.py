"""From a trainer to the content of a checkpoint, and back."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import distributed
from .train_history import History
from .train_state import (
    Progress,
    ResumeError,
    differences,
    load_optimizer,
    plain,
    require_same_model,
    rng_state,
    set_rng_state,
)

if TYPE_CHECKING:
    from .trainer import Trainer


def identity(trainer: "Trainer") -> dict[str, Any]:
    """What the best and every other checkpoint hold: the weights, and where they come from."""
    return {
        "model": dict(trainer.model.state_dict()),
        "ema": trainer.ema.state_dict() if trainer.ema is not None else None,
        "config": trainer.config,
        "code": trainer.code,
        "fingerprint": trainer.fingerprint,
        "history": plain(trainer.history.entries),
    }


def snapshot(trainer: "Trainer") -> dict[str, Any]:
    """All that is needed to go on to the bit. Every process takes part."""
    trainer.progress.sums = distributed.mean(trainer.progress.sums)
    return {
        **identity(trainer),
        "optimizer_name": type(trainer.optimizer).__name__,
        "optimizer": trainer.optimizer.state_dict(),
        "schedule": plain(trainer.schedule.state_dict()),
        "precision": trainer.precision.name,
        "scaler": trainer.precision.state_dict(),
        "rng": distributed.gather(rng_state(trainer.device)),
        "progress": trainer.progress.state_dict(),
        "global_batch": trainer.loader.global_batch,
    }


def restore(trainer: "Trainer", content: Mapping[str, Any], path: Path, force: bool) -> None:
    """Put a checkpoint's content into a trainer; say what differs from the run that wrote it.

    Raises:
        ResumeError: another model, optimizer or (without `force`) data set.
    """
    if "progress" not in content:
        raise ResumeError(f"{path} holds weights only: it can start a run (FineTune.weights), but not continue one")
    was, now = (_model_name(config) for config in (content["config"], trainer.config))
    require_same_model(content["model"], trainer.model, path, was, now)
    _check_data(trainer, content, path, force)
    _tell_differences(trainer, content)
    trainer.model.load_state_dict(content["model"])
    _restore_average(trainer, content)
    kind = type(trainer.optimizer).__name__
    if content["optimizer_name"] != kind:
        raise ResumeError(f"{path} was trained with {content['optimizer_name']}, this run uses {kind}")
    for change in load_optimizer(trainer.optimizer, content["optimizer"], path):
        _warn(trainer, f"this run's setting replaces the checkpoint's: {change}")
    trainer.precision.load_state_dict(content["scaler"])
    trainer.progress = Progress(**content["progress"])
    trainer.history = History(content["history"])
    _restore_position(trainer, content)
    _restore_rng(trainer, content)
    progress = trainer.progress
    trainer.report.say(f"going on from {path}: epoch {progress.epoch + 1}, step {progress.iteration}")


def _model_name(config: Mapping[str, Any]) -> str:
    return str((config.get("Model") or {}).get("name") or "a model without a name")


def _warn(trainer: "Trainer", message: str) -> None:
    trainer.report.say(message, logging.WARNING)


def _check_data(trainer: "Trainer", content: Mapping[str, Any], path: Path, force: bool) -> None:
    if content["fingerprint"] == trainer.fingerprint:
        return
    message = f"the training data has changed since {path} was written (files added, removed, renamed or resized)"
    if not force:
        raise ResumeError(f"{message}: restore it, or go on all the same with --force")
    _warn(trainer, f"{message}; going on as --force demands")


def _tell_differences(trainer: "Trainer", content: Mapping[str, Any]) -> None:
    if content["code"] != trainer.code:
        _warn(trainer, f"the code has changed since the checkpoint: {content['code']} → {trainer.code}")
    if content["precision"] != trainer.precision.name:
        _warn(trainer, f"precision has changed since the checkpoint: {content['precision']} → {trainer.precision.name}")
    changes = differences(content["config"], trainer.config)
    if changes:
        _warn(trainer, "the configuration has changed since the checkpoint: " + "; ".join(changes[:20]))


def _restore_average(trainer: "Trainer", content: Mapping[str, Any]) -> None:
    if trainer.ema is None:
        if content["ema"]:
            _warn(trainer, "the checkpoint's averaged weights are dropped: this run keeps none")
    elif content["ema"]:
        trainer.ema.load_state_dict(content["ema"])
    else:
        trainer.ema.restart(trainer.model)
        _warn(trainer, "the checkpoint has no averaged weights: the average starts here")


def _restore_position(trainer: "Trainer", content: Mapping[str, Any]) -> None:
    """Count steps in this run's batches, and say so if the planned rates change."""
    progress, options = trainer.progress, trainer.options
    if content["global_batch"] != trainer.loader.global_batch:
        sizes = f"{content['global_batch']} → {trainer.loader.global_batch}"
        _warn(trainer, f"samples per step over all processes have changed ({sizes}): the run goes on, but not exactly")
    steps = -(-progress.samples // (trainer.loader.global_batch * options.accumulate))
    iteration = progress.epoch * trainer.steps_per_epoch + steps
    if iteration != progress.iteration:
        _warn(trainer, f"steps are counted anew: {progress.iteration} → {iteration}")
        progress.sums = {name: value * steps / max(progress.steps, 1) for name, value in progress.sums.items()}
        progress.iteration, progress.steps = iteration, steps
    planned = plain(trainer.schedule.state_dict())
    if planned != content["schedule"]:
        before = [group["lr"] for group in content["optimizer"]["param_groups"]]
        after = trainer.schedule.apply(trainer.optimizer, progress.iteration)
        changes = "; ".join(differences(content["schedule"], planned))
        _warn(
            trainer,
            f"the schedule is planned anew ({changes}): the rate goes from {max(before):.3g} to {max(after):.3g}",
        )


def _restore_rng(trainer: "Trainer", content: Mapping[str, Any]) -> None:
    states = content["rng"]
    if len(states) != distributed.world_size():
        _warn(
            trainer,
            f"the checkpoint is of {len(states)} processes, this run of {distributed.world_size()}: "
            "it goes on, but not exactly",
        )
    set_rng_state(states[distributed.rank() % len(states)], trainer.device)
