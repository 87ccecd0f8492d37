"""From a trainer to the content of a checkpoint, and back."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import nn

from ..optim.ema import EMA
from ..system.precision import Precision
from . import distributed
from .checkpoint import REMEDY
from .history import History, chosen_by
from .state import (
    Progress,
    ResumeError,
    differences,
    load_optimizer,
    misread_progress,
    plain,
    require_same_model,
    rng_state,
    set_rng_state,
)
from .train_log import TrainLogger
from .types import Loader, LRSchedule, TrainOptions

PARTS: dict[str, type | tuple[type, ...]] = {  # what a checkpoint needs beside the weights
    "config": Mapping,
    "code": object,
    "fingerprint": object,
    "history": list,
    "optimizer_name": str,
    "optimizer": Mapping,
    "schedule": Mapping,
    "precision": str,
    "scaler": Mapping,
    "rng": list,
    "progress": Mapping,
    "global_batch": int,
}


class TrainState(Protocol):
    """What a trainer owns and a checkpoint holds."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    schedule: LRSchedule
    loader: Loader
    device: torch.device
    options: TrainOptions
    precision: Precision
    ema: EMA | None
    config: Any
    code: Any
    fingerprint: str | None
    progress: Progress
    history: History
    logger: TrainLogger

    @property
    def steps_per_epoch(self) -> int: ...


def identity(state: TrainState) -> dict[str, Any]:
    """What the best and every other checkpoint hold: the weights, and where they come from."""
    return {
        "model": dict(state.model.state_dict()),
        "ema": state.ema.state_dict() if state.ema is not None else None,
        "config": state.config,
        "code": state.code,
        "fingerprint": state.fingerprint,
        "history": plain(state.history.entries),
    }


def snapshot(state: TrainState) -> dict[str, Any]:
    """All that is needed to go on to the bit. Every process takes part."""
    state.progress.sums = distributed.mean(state.progress.sums)
    return {
        **identity(state),
        "optimizer_name": type(state.optimizer).__name__,
        "optimizer": state.optimizer.state_dict(),
        "schedule": plain(state.schedule.state_dict()),
        "precision": state.precision.name,
        "scaler": state.precision.state_dict(),
        "rng": distributed.gather(rng_state(state.device)),
        "progress": state.progress.state_dict(),
        "global_batch": state.loader.global_batch,
    }


def restore(state: TrainState, content: Mapping[str, Any], path: Path, force: bool) -> None:
    """Put a checkpoint's content into a trainer; say what differs from the run that wrote it.

    Raises:
        ResumeError: another model, optimizer or (without `force`) data set; a malformed checkpoint.
    """
    _check_parts(state, content, path)
    try:
        _restore(state, content, path, force)
    except ResumeError:
        raise
    except (ArithmeticError, AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError) as error:
        reason = f"{type(error).__name__}: {error}".partition("\n")[0]
        raise ResumeError(f"{path} cannot be continued; it seems malformed ({reason}): {REMEDY}") from error


def _check_parts(state: TrainState, content: Mapping[str, Any], path: Path) -> None:
    """Raise ResumeError unless everything is there that `snapshot` puts in."""
    if "progress" not in content:
        raise ResumeError(f"{path} holds weights only: it can start a run (FineTune.weights), but not continue one")
    wrong = [name for name, kind in PARTS.items() if name not in content or not isinstance(content[name], kind)]
    wrong = wrong or [f"progress.{name}" for name in misread_progress(content["progress"])]
    wrong = wrong or [
        f"schedule.{name}" for name in state.schedule.state_dict() if content["schedule"].get(name) is None
    ]
    if wrong:
        section, _, name = wrong[0].rpartition(".")
        there = name in (content[section] if section else content)
        what = "holds something else" if there else "is missing"
        raise ResumeError(f"{path} cannot be continued: its {wrong[0]} {what}; {REMEDY}")


def _restore(state: TrainState, content: Mapping[str, Any], path: Path, force: bool) -> None:
    was, now = (_model_name(config) for config in (content["config"], state.config))
    require_same_model(content["model"], state.model, path, was, now)
    _check_data(state, content, path, force)
    _tell_differences(state, content)
    state.model.load_state_dict(content["model"])
    _restore_average(state, content)
    kind = type(state.optimizer).__name__
    if content["optimizer_name"] != kind:
        raise ResumeError(f"{path} was trained with {content['optimizer_name']}, this run uses {kind}")
    for change in load_optimizer(state.optimizer, content["optimizer"], path):
        _warn(state, f"this run's setting replaces the checkpoint's: {change}")
    state.precision.load_state_dict(content["scaler"])
    state.progress = Progress(**content["progress"])
    state.history = History(content["history"], state.options.validated_on)
    _note_metric(state, content)
    _tell_new_best(state)
    _restore_position(state, content)
    _restore_rng(state, content)
    progress = state.progress
    state.logger.log(f"going on from {path}: epoch {progress.epoch + 1}, step {progress.iteration}")


def _model_name(config: Mapping[str, Any]) -> str:
    return str((config.get("Model") or {}).get("name") or "a model without a name")


def _warn(state: TrainState, message: str) -> None:
    state.logger.log(message, logging.WARNING)


def _check_data(state: TrainState, content: Mapping[str, Any], path: Path, force: bool) -> None:
    if content["fingerprint"] == state.fingerprint:
        return
    message = f"the training data has changed since {path} was written (files added, removed, renamed or resized)"
    if not force:
        raise ResumeError(f"{message}: restore it, or go on all the same with --force")
    _warn(state, f"{message}; going on as --force demands")


def _tell_differences(state: TrainState, content: Mapping[str, Any]) -> None:
    if content["code"] != state.code:
        _warn(state, f"the code has changed since the checkpoint: {content['code']} → {state.code}")
    if content["precision"] != state.precision.name:
        _warn(state, f"precision has changed since the checkpoint: {content['precision']} → {state.precision.name}")
    changes = differences(content["config"], state.config)
    if changes:
        _warn(state, "the configuration has changed since the checkpoint: " + "; ".join(changes[:20]))


def _note_metric(state: TrainState, content: Mapping[str, Any]) -> None:
    """Validations of a checkpoint that did not say yet by which metric the best one was chosen: its config does."""
    metric = ((content["config"].get("Train") or {}).get("Validation") or {}).get("metric")
    if metric is not None and metric.casefold() != (state.options.metric or "").casefold():
        for entry in state.history.validations():
            entry.setdefault("chosen_by", metric)


def _tell_new_best(state: TrainState) -> None:
    """Say so if the best checkpoint is chosen in another way than before; see `History.comparable`."""
    validations, options = state.history.validations(), state.options
    if not validations or options.metric is None or state.history.comparable(options.metric, options.mode):
        return
    if not state.history.same_pairs(validations[-1]):
        _warn(
            state,
            "the validation data has changed since the checkpoint: the next validation makes a new best checkpoint",
        )
        return
    now = chosen_by(options.metric, options.mode)
    was = validations[-1].get("chosen_by", "another metric")
    _warn(state, f"the best checkpoint is now chosen by {now}, before by {was}: the next validation makes a new one")


def _restore_average(state: TrainState, content: Mapping[str, Any]) -> None:
    if state.ema is None:
        if content["ema"]:
            _warn(state, "the checkpoint's averaged weights are dropped: this run keeps none")
    elif content["ema"]:
        state.ema.load_state_dict(content["ema"])
    else:
        state.ema.restart(state.model)
        _warn(state, "the checkpoint has no averaged weights: the average starts here")


def _restore_position(state: TrainState, content: Mapping[str, Any]) -> None:
    """Count steps in this run's batches, and say so if the planned rates change."""
    progress, options = state.progress, state.options
    if content["global_batch"] != state.loader.global_batch:
        sizes = f"{content['global_batch']} → {state.loader.global_batch}"
        _warn(state, f"samples per step over all processes have changed ({sizes}): the run goes on, but not exactly")
    steps = -(-progress.samples // (state.loader.global_batch * options.accumulate))
    iteration = progress.epoch * state.steps_per_epoch + steps
    if iteration != progress.iteration:
        _warn(state, f"steps are counted anew: {progress.iteration} → {iteration}")
        progress.sums = {name: value * steps / max(progress.steps, 1) for name, value in progress.sums.items()}
        progress.iteration, progress.steps = iteration, steps
    planned = plain(state.schedule.state_dict())
    if planned != content["schedule"]:
        before = [group["lr"] for group in content["optimizer"]["param_groups"]]
        after = state.schedule.apply(state.optimizer, progress.iteration)
        changes = "; ".join(differences(content["schedule"], planned))
        _warn(
            state,
            f"the schedule is planned anew ({changes}): the rate goes from {max(before):.3g} to {max(after):.3g}",
        )


def _restore_rng(state: TrainState, content: Mapping[str, Any]) -> None:
    states = content["rng"]
    if len(states) != distributed.world_size():
        _warn(
            state,
            f"the checkpoint is of {len(states)} processes, this run of {distributed.world_size()}: "
            "it goes on, but not exactly",
        )
    set_rng_state(states[distributed.rank() % len(states)], state.device)
