"""The training loop: step → log → save → validate, for one process or many, resumable at any moment.

It receives finished objects and knows nothing of configurations or file formats.
"""

import contextlib
import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..optim.ema import EMA
from ..system.precision import Precision, flushed_denormals
from . import distributed
from .checkpoint import CheckpointFolder, read_checkpoint
from .errors import NonFiniteError, describe_batch, friendly_errors
from .gradients import Gradients, gradient_norms, group_names
from .history import History, draw_curves
from .lock import RunLock
from .resume import identity, restore, snapshot
from .signals import INTERRUPT, TERMINATE, StopRequests
from .state import Progress, ResumeError, code_version, plain, preserved_rng, set_train_mode
from .trackers import SafeTracker
from .train_log import TrainLogger
from .types import (
    Batch,
    EpochEnd,
    Loader,
    LRSchedule,
    Outcome,
    TrainOptions,
    on_device,
    steps_per_epoch,
)

__all__ = ["EpochEnd", "Outcome", "TrainOptions", "Trainer", "steps_per_epoch"]

LOG = logging.getLogger(__name__)

Validate = Callable[[nn.Module], Mapping[str, float]]


class Trainer:
    """Trains a model. Build it, call `resume` if wanted, then `fit`.

    Args:
        model: on its device; SyncBatchNorm already in place (`distributed.prepare`).
        criterion: (output, mask) → {"total": scalar, …}; runs in float32, outside autocast; also given label and valid of
            a batch that has them. Where it has `set_epoch(epoch, epochs)`, that is called before each epoch, counted from 0.
        optimizer: over the model's parameters.
        schedule: over optimizer steps; see `steps_per_epoch`.
        loader: see `TrainLoader`.
        folder: of the checkpoints; locked while the run lasts.
        precision: "float32", "bfloat16" or "float16".
        ema: averaged weights of this model, or None. Validation, hooks and `best.pth` use them.
        validate: model → {metric: value}; called on every process, the main one's values count.
        hooks: called with an `EpochEnd` on the main process after each epoch.
        describe: sample indices → names, for error messages.
        config: plain values, kept in the checkpoint; `Model.name` names the model in messages.
        fingerprint: of the data set; another one on resume is refused.
        writer: iteration → SummaryWriter, called when training starts. tracker: gets the same numbers.
        curves: PNG that is rewritten after every epoch.
        on_start: called on the main process once the folder is locked and known to be this run's.
    """

    def __init__(
        self,
        *,
        model: nn.Module,
        criterion: Callable[..., Mapping[str, Tensor]],
        optimizer: torch.optim.Optimizer,
        schedule: LRSchedule,
        loader: Loader,
        device: torch.device,
        options: TrainOptions,
        folder: CheckpointFolder,
        precision: str = "float32",
        ema: EMA | None = None,
        validate: Validate | None = None,
        hooks: Sequence[Callable[[EpochEnd], None]] = (),
        describe: Callable[[Sequence[int]], Sequence[str]] | None = None,
        config: Mapping[str, Any] | None = None,
        fingerprint: str | None = None,
        log: logging.Logger = LOG,
        writer: Callable[[int], Any] | None = None,
        tracker: SafeTracker | None = None,
        curves: Path | None = None,
        on_start: Callable[[], None] | None = None,
    ) -> None:
        self.model = model
        self.criterion = criterion
        self.optimizer = optimizer
        self.schedule = schedule
        self.loader = loader
        self.device = device
        self.options = options
        self.folder = folder
        self.precision = Precision(precision, device)
        self.ema = ema
        self.validate = validate
        self.hooks = tuple(hooks)
        self.describe = describe
        self.config = plain(config or {})
        self.fingerprint = fingerprint
        self.curves, self.on_start = curves, on_start
        self.code = code_version()
        self.progress = Progress()
        self.history = History(validated_on=options.validated_on)
        self.logger = TrainLogger(distributed.is_main(), options.bars, log, group_names(optimizer), writer, tracker)
        self.network = distributed.wrap(model, device, options.find_unused)
        self._parameters = [p for group in optimizer.param_groups for p in group["params"] if p.requires_grad]
        self._gradients = Gradients(
            self.network, criterion, self.precision, options.cuda_graph, options.accumulate, log
        )
        self._norms: list[float] = []  # of the last step's gradients, before clipping: of each group, and of all
        self._stop = StopRequests()
        self._stop_requested = 0  # what all processes have agreed on: stop?
        self._save_wanted = False
        self._saved: Path | None = None
        self._saved_at = (0, time.monotonic())  # iteration, clock
        self._batch: Batch | None = None

    # -- the loop -------------------------------------------------------------------------------------------------

    @property
    def steps_per_epoch(self) -> int:
        """Optimizer steps of one epoch; the schedule's total is this times the epochs."""
        return steps_per_epoch(len(self.loader), self.options.accumulate)

    def fit(self) -> Outcome:
        """Train up to `options.epochs`, or until someone asks to stop.

        Raises:
            NonFiniteError: a loss or gradient is not finite; names the files of the batch.
            SaveError: a checkpoint could not be written.
            WorkerError: a data worker was killed.
            OutOfMemoryError: the device's memory is too small.
            LockedError: another run works in the folder.
            ResumeError: the folder holds a run that this one does not continue.
        """
        lock = RunLock(self.folder.folder) if distributed.is_main() else contextlib.nullcontext()
        with (
            lock,
            self._stop,
            self.logger,
            flushed_denormals(),
            friendly_errors(self._last_checkpoint),
            contextlib.closing(self.loader),
        ):
            self._open_folder()
            self.logger.start(self.progress.epoch, self.options.epochs, self.progress.iteration)
            try:
                reason = self._run()
            except KeyboardInterrupt:
                reason = "interrupted"
            outcome = self._outcome(reason)
            self.logger.log(outcome.message, logging.INFO if reason == "done" else logging.WARNING)
        return outcome

    def _run(self) -> str:
        if validate := self._owed_validation():
            self._validate(validate)
        while self.progress.epoch < self.options.epochs:
            if self._out_of_patience():
                if self._saved_at[0] != self.progress.iteration:
                    self.save()
                return "early"
            self._train_epoch()
            if self._stop_requested:
                return {INTERRUPT: "interrupted", TERMINATE: "terminated"}[self._stop_requested]
            self._end_epoch()
        return "done"

    def _train_epoch(self) -> None:
        progress = self.progress
        set_train_mode(self.network, self.options.freeze_batchnorm)
        self._gradients.set_epoch(progress.epoch, self.options.epochs)
        self.logger.start_epoch(progress.epoch, self.options.epochs, self.steps_per_epoch, progress.steps)
        batches = self.loader.batches(progress.epoch, progress.samples)
        while group := list(islice(batches, self.options.accumulate)):
            losses, rates = self.step(group)
            images = len(group) * self.loader.global_batch
            self.logger.step(progress.iteration, losses, rates, self._norms, images)
            if self._save_wanted or self._stop_requested:
                self.save()
            if self._stop_requested:
                return

    def step(self, group: Sequence[Batch]) -> tuple[dict[str, float], list[float]]:
        """One optimizer step over the batches of `group`; the mean losses of this process, and the rates."""
        rates = self.schedule.apply(self.optimizer, self.progress.iteration)
        self.optimizer.zero_grad(set_to_none=True)
        parts = [self._backward(batch, len(group), batch is group[-1]) for batch in group]
        self.precision.scaler.unscale_(self.optimizer)
        norms = gradient_norms(self.optimizer, self.device)
        if self.options.clip_norm is not None:
            nn.utils.clip_grads_with_norm_(self._parameters, self.options.clip_norm, norms[-1])
        count, values = len(parts[0]), [value for part in parts for value in part.values()]
        found = torch.cat([torch.stack(values), norms]).tolist()  # the one wait for the device
        table, self._norms = [found[i : i + count] for i in range(0, len(values), count)], found[len(values) :]
        self._agree(group, table, list(parts[0]), self._norms[-1])
        self.precision.scaler.step(self.optimizer)
        self.precision.scaler.update()
        if self.ema is not None:
            self.ema.update(self.model)
        losses = {name: sum(row[i] for row in table) / len(table) for i, name in enumerate(parts[0])}
        self._advance(len(group), losses)
        return losses, rates

    def _backward(self, batch: Batch, share: int, last: bool) -> dict[str, Tensor]:
        """Losses of one batch; its gradients are added up, and exchanged with the other processes at the last one."""
        self._batch = batch = on_device(batch, self.device)
        return self._gradients(batch, share, last)

    def _agree(self, group: Sequence[Batch], table: list[list[float]], names: list[str], norm: float) -> None:
        """Let all processes know whether one of them has a bad batch, is asked to stop, or wants to save.

        In float16 an infinite gradient is ordinary: the scaler leaves the step out and lowers its scale.
        """
        scaled = self.precision.scaler.is_enabled()
        hopeless = scaled and not math.isfinite(norm) and self.precision.scaler.get_scale() < 1e-3
        bad_loss = any(not math.isfinite(value) for row in table for value in row)
        bad_norm = not math.isfinite(norm) and (hopeless or not scaled)
        iteration, clock = self._saved_at
        done = self.progress.iteration + 1
        every, minutes = self.options.checkpoint_steps, self.options.checkpoint_minutes
        due = (every is not None and done - iteration >= every) or (
            minutes is not None and distributed.is_main() and time.monotonic() - clock >= 60 * minutes
        )
        stop = self._stop.stop_requested
        bad, agreed, save = distributed.maximum([float(bad_loss or bad_norm), float(stop), float(due)])
        self._stop_requested, self._save_wanted = int(agreed), bool(save)
        if bad:
            mine = describe_batch(group, table, names, norm, self.describe)
            found = "; ".join(text for text in distributed.gather(mine) if text)
            where = f"epoch {self.progress.epoch + 1}, step {done}"
            raise NonFiniteError(f"{where}: {found}. {self._last_checkpoint()}")

    def _advance(self, batches: int, losses: Mapping[str, float]) -> None:
        progress = self.progress
        progress.iteration += 1
        progress.steps += 1
        progress.samples += batches * self.loader.global_batch
        progress.sums = {name: progress.sums.get(name, 0.0) + value for name, value in losses.items()}

    def _end_epoch(self) -> None:
        progress, options = self.progress, self.options
        self._share_statistics()
        losses = distributed.mean({name: value / max(progress.steps, 1) for name, value in progress.sums.items()})
        progress.epoch, progress.samples, progress.steps, progress.sums = progress.epoch + 1, 0, 0, {}
        rates = [group["lr"] for group in self.optimizer.param_groups]
        self.history.add(progress.epoch, progress.iteration, losses, rates)
        self.logger.end_epoch(progress.epoch, options.epochs, progress.iteration, losses, max(rates))
        if progress.epoch % options.checkpoint_epochs == 0 or progress.epoch == options.epochs:
            self.save()
        validate = self._owed_validation()
        metrics = self._validate(validate) if validate else {}
        self._call_hooks(losses, metrics)
        if self.curves is not None and distributed.is_main():
            draw_curves(self.history, self.curves)

    def _share_statistics(self) -> None:
        """Give every process the main one's BatchNorm statistics, which plain BatchNorms gather each for itself."""
        names = [name for name, _ in self.model.named_buffers()]
        for state in (self.model.state_dict(), self.ema.weights if self.ema is not None else {}):
            distributed.share(state[name] for name in names if name in state)

    # -- validation and hooks -------------------------------------------------------------------------------------

    def _owed_validation(self) -> Validate | None:
        """The validation, if the last epoch needs one and had none yet (a run may die between saving and validating)."""
        if not self.history.entries or self.progress.samples:
            return None
        last = self.history.entries[-1]
        due = last["epoch"] % self.options.validate_every == 0 or last["epoch"] >= self.options.epochs
        return self.validate if due and "validation" not in last else None

    def _validate(self, validate: Validate) -> dict[str, float]:
        with self._evaluating():
            metrics = distributed.broadcast({name: float(value) for name, value in validate(self.model).items()})
        self.history.add_validation(metrics, self.options.metric, self.options.mode)
        best = self._best()
        is_best = best is self.history.entries[-1]
        if is_best and distributed.is_main():
            self.folder.save_best({**identity(self), "best": plain(best)})
        self.logger.validation(self.progress.epoch, metrics, is_best)
        return metrics

    def _best(self) -> dict[str, Any] | None:
        return self.history.best(self.options.metric, self.options.mode) if self.options.metric else None

    def _out_of_patience(self) -> bool:
        options = self.options
        if options.patience is None or options.metric is None or self.progress.samples:
            return False
        return self.history.without_progress(options.metric, options.mode) >= options.patience

    def _call_hooks(self, losses: Mapping[str, float], metrics: Mapping[str, float]) -> None:
        if not self.hooks or not distributed.is_main():
            return
        progress = self.progress
        with self._evaluating():
            picture = self.logger.picture if self.logger.takes_pictures else None
            end = EpochEnd(progress.epoch, progress.iteration, self.model, self._batch, losses, metrics, picture)
            for hook in self.hooks:
                hook(end)

    @contextlib.contextmanager
    def _evaluating(self) -> Iterator[None]:
        """Averaged weights, eval mode, no gradients, and random numbers that training does not notice."""
        averaged = self.ema.applied(self.model) if self.ema is not None else contextlib.nullcontext()
        with preserved_rng(self.device), averaged, torch.no_grad():
            self.model.eval()
            yield

    # -- saving and resuming --------------------------------------------------------------------------------------

    def save(self) -> None:
        """Write a checkpoint. All processes call it; the main one writes.

        Raises:
            SaveError: see `save_atomic`; older checkpoints are intact.
        """
        content = snapshot(self)
        if distributed.is_main():
            self._saved = self.folder.save(content, self.progress.iteration)
        self._saved_at = (self.progress.iteration, time.monotonic())
        self._save_wanted = False

    def resume(self, path: Path | None = None, *, force: bool = False) -> bool:
        """Go on from a checkpoint: this one, or the newest intact one of the run's folder. All processes call it.

        Args:
            force: go on although the data set has changed.

        Returns:
            Whether there was a checkpoint.

        Raises:
            ResumeError: it is of another model, optimizer or data set.
            CheckpointError: it cannot be read.
        """
        content = None
        if path is None and distributed.is_main():
            found = self.folder.latest()
            path, content = found if found else (None, None)
        path = distributed.broadcast(path)
        if path is None:
            if not self.folder.best.is_file():  # else starting fails
                self.logger.log(f"no checkpoint in {self.folder.folder}: starting from the beginning", logging.WARNING)
            return False
        restore(self, read_checkpoint(path) if content is None else content, path, force)
        self._saved, self._saved_at = path, (self.progress.iteration, time.monotonic())
        return True

    def _open_folder(self) -> None:
        """Clear what a killed process left behind, and never mix two runs."""
        if not distributed.is_main():
            return
        self.folder.remove_partial()
        if self._saved is not None and self._saved.parent.resolve() == self.folder.folder.resolve():
            epochs = self.history.entries if self.options.metric else None
            self._saved = self.folder.go_on_from(self._saved, self.progress.iteration, epochs)
        elif self.options.overwrite:
            self.folder.clear()
        elif self.folder.files() or self.folder.best.is_file():
            run = "a run: continue it with --resume"
            there = run if self.folder.files() else "best.pth alone, no checkpoint to resume"
            raise ResumeError(
                f"{self.folder.folder} already holds {there}, choose another name, or start over with --overwrite"
            )
        if self.on_start is not None:
            self.on_start()

    def _last_checkpoint(self) -> str:
        if self._saved is None:
            return "No checkpoint was saved yet"
        return f"The last checkpoint is {self._saved} (step {self._saved_at[0]}); --resume goes on from there"

    def _outcome(self, reason: str) -> Outcome:
        progress, best = self.progress, self._best()
        where = f"epoch {progress.epoch}/{self.options.epochs}, step {progress.iteration}"
        message = {
            "done": f"trained to {where}",
            "early": f"stopped at {where}: no progress in {self.options.patience} validations",
            "interrupted": f"interrupted at {where}. {self._last_checkpoint()}",
            "terminated": f"terminated at {where}. {self._last_checkpoint()}",
        }[reason]
        if best is not None:
            metric = self.options.metric
            message += (
                f"; best {metric} {best['validation'][metric]:.4f} after epoch {best['epoch']} in {self.folder.best}"
            )
        return Outcome(reason, progress.epoch, progress.iteration, self._saved, best, message)
