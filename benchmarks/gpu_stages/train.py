"""The stage train: a config until the time is over, its best weights on disk every minute, and a state to go on from."""

import contextlib
import itertools
import logging
import statistics
import time
from argparse import Namespace
from typing import Any

import torch

from inspyrenet.data.datasets.pairs import pick_evenly
from inspyrenet.engine import build
from inspyrenet.engine.options import Options
from inspyrenet.engine.train import build_trainer, validation
from inspyrenet.lib.checkpoints.state_dict import load_state
from inspyrenet.utils.config.load import load_config
from inspyrenet.utils.config.schema import Config, ValidationSection
from inspyrenet.utils.train.errors import friendly_errors
from inspyrenet.utils.train.state import preserved_rng
from inspyrenet.utils.train.trainer import Trainer, set_train_mode

from ..clock import ByTheClock, batches
from . import train_files
from .setting import Setting, scratch, use_tf32

LOG = logging.getLogger(__name__)
EVERY = 50.0  # seconds between two validations, so that with validating and writing there is one each minute
SHARE = 0.1  # of the time between them that one validation may take
TINY = 6.0  # seconds of training with --tiny
SAMPLE, TINY_SAMPLE = 64, 4  # held-out images by which its speed is measured
MOST_HISTORY = 200  # entries in progress.json


def run(setting: Setting) -> bool:
    """Train until the time is over; True when done. Raises what is wrong with the config, the data or the state."""
    progress = train_files.read_progress(setting.options.out, setting.options.resume)
    LOG.setLevel(logging.INFO)
    with scratch() as folder, friendly_errors(lambda: "The weights of the last minute are on disk"):
        config = load(setting, str(folder), resumed=progress is not None)
        use_tf32(build.section(config, "Train").precision != "float32")  # what autocast keeps in float32
        options = Options((config.name,), extra=Namespace(overwrite=True))
        trainer = build_trainer(config, options, setting.device, LOG)
        with contextlib.closing(trainer.loader):
            return Training(setting, config, trainer, progress).run()


def load(setting: Setting, folder: str, resumed: bool) -> Config:
    """The config with the command's words and what this stage needs: pairs held out, no download, no start weights on resuming."""
    config = load_config([setting.options.config], setting.options.words)[0]
    train, model = build.section(config, "Train"), build.section(config, "Model")
    changes = {
        "Checkpoint": train.Checkpoint.model_copy(update={"checkpoint_dir": folder}),
        "Scheduler": train.Scheduler.model_copy(update={"warmup_iteration": 0}),  # the clock has its own
        "Validation": train.Validation or ValidationSection(fraction=0.05),
    }
    if resumed:
        changes["FineTune"] = train.FineTune.model_copy(update={"weights": None})
    if model.pretrained is True:
        print("nothing is downloaded: the encoder starts at random (Model.pretrained=false)", flush=True)
        model = model.model_copy(update={"pretrained": False})
    return config.model_copy(update={"Train": train.model_copy(update=changes), "Model": model})


class Training:
    """One call's share of a run. `progress`: what an earlier call left, or None."""

    def __init__(self, setting: Setting, config: Config, trainer: Trainer, progress: dict[str, Any] | None) -> None:
        self.setting, self.config, self.trainer = setting, config, trainer
        self.validate, self.losses = trainer.validate, []
        largest = int(setting.options.file_mb * 1e6)
        state = trainer.model.state_dict()
        self.files = train_files.Files(setting.options.out, state, trainer.ema is not None, largest)
        print(self.files.describe(state), flush=True)
        self.progress = progress or {
            "config": config.model_dump(mode="json"),
            "calls": 0,
            "iteration": 0,
            "images": 0,
            "seconds": 0.0,
            "held_out": None,
            "best": None,
            "files": {},
            "history": [],
        }
        if progress is not None:
            self._take_up(progress)
        self.progress["calls"] += 1

    def _take_up(self, progress: dict[str, Any]) -> None:
        """Raw and averaged weights of an earlier call; the optimizer starts anew."""
        trainer, folder = self.trainer, self.setting.options.out
        load_state(trainer.model, train_files.read(folder, progress["files"][train_files.RAW]), str(folder))
        trainer.progress.iteration = progress["iteration"]
        if trainer.ema is not None:
            trainer.ema.restart(trainer.model)
            names = progress["files"].get(train_files.EMA)
            if names:
                averaged = {**trainer.ema.weights, **train_files.read(folder, names)}
                trainer.ema.load_state_dict({"weights": averaged, "updates": progress["iteration"]})

    # -- the loop -------------------------------------------------------------------------------------------------

    def run(self) -> bool:
        """Train, validate and write by the clock."""
        closing = self._measure_validation()
        seconds = self.setting.left() - closing
        if self.setting.tiny:
            seconds = min(seconds, TINY)
        if seconds <= 0:
            raise TimeoutError("no time is left to train: give a larger --budget")
        begun, images = time.monotonic(), self.progress["images"]
        self._steps(seconds)
        images = self.progress["images"] - images
        found = {"images_per_second": images / (time.monotonic() - begun), "best": self.progress["best"]}
        best = self.progress["best"]
        self.setting.add(
            f"trained {self.config.name} to step {self.progress['iteration']}",
            value=best and best["value"],
            unit=self.trainer.options.metric,
            seconds=round(time.monotonic() - begun, 1),
            **found,
        )
        return True

    def _steps(self, seconds: float) -> None:
        trainer, accumulate = self.trainer, self.trainer.options.accumulate
        per_step = accumulate * trainer.loader.global_batch
        source = batches(trainer, self.progress["images"] // (len(trainer.loader) * trainer.loader.global_batch))
        set_train_mode(trainer.network, trainer.options.freeze_batchnorm)
        following = list(itertools.islice(source, accumulate))  # reading data into memory is over when the clock starts
        clock = ByTheClock(seconds, trainer.progress.iteration)
        trainer.schedule = clock
        every = min(EVERY, seconds / 3)
        last = time.monotonic()
        while clock.passed < 1:
            losses, _ = trainer.step(following)
            self.losses.append(losses["total"])
            self.progress["images"] += per_step
            following = list(itertools.islice(source, accumulate))
            now = time.monotonic()
            if now - last >= every and clock.seconds - (now - clock.started) > every / 2:
                self._end_of_a_while(now - last)
                last = time.monotonic()
        self._end_of_a_while(time.monotonic() - last)

    # -- validation and files -------------------------------------------------------------------------------------

    def _measure_validation(self) -> float:
        """Choose how many held-out images a validation takes, by its speed here; the seconds that the last one needs."""
        held_out = self.validate.pairs
        sample = min(TINY_SAMPLE if self.setting.tiny else SAMPLE, len(held_out))
        self._choose(held_out, sample)
        self._scores()  # warm-up
        started = time.monotonic()
        self._scores()
        spent = time.monotonic() - started
        if self.progress["held_out"] is None:
            between = min(EVERY, self.setting.left() / 3)
            self.progress["held_out"] = min(len(held_out), max(sample, int(SHARE * between * sample / spent)))
        count = min(self.progress["held_out"], len(held_out))
        self._choose(held_out, count)
        print(f"validating with {count} of {len(held_out)} held-out images", flush=True)
        return 1.5 * spent * count / sample + 0.01 * self.setting.left() + 1.0

    def _choose(self, held_out: list, count: int) -> None:
        self.validate = validation(self.config, pick_evenly(held_out, count), self.setting.device)

    def _scores(self) -> dict[str, float]:
        """Of the averaged weights where there are any."""
        trainer = self.trainer
        averaged = trainer.ema.applied(trainer.model) if trainer.ema is not None else contextlib.nullcontext()
        with preserved_rng(self.setting.device), averaged, torch.no_grad():
            found = {name: float(value) for name, value in self.validate(trainer.model.eval()).items()}
        set_train_mode(trainer.network, trainer.options.freeze_batchnorm)
        return found

    def _end_of_a_while(self, seconds: float) -> None:
        """Score, and write the state, and the best weights if these are."""
        started, scores = time.monotonic(), self._scores()
        progress, metric = self.progress, self.trainer.options.metric
        loss = statistics.fmean(self.losses) if self.losses else None
        self.losses = []
        progress["iteration"], progress["seconds"] = self.trainer.progress.iteration, progress["seconds"] + seconds
        entry = {"iteration": progress["iteration"], "seconds": progress["seconds"], "loss": loss, **scores}
        progress["history"] = [*progress["history"], entry][-MOST_HISTORY:]
        weights, ema = self.trainer.model.state_dict(), self.trainer.ema
        if self._is_best(scores[metric]):
            best = weights if ema is None else ema.weights
            progress["files"][train_files.BEST] = self.files.write(train_files.BEST, best)
            progress["best"] = {"metric": metric, "value": scores[metric], "iteration": progress["iteration"]}
        progress["files"][train_files.RAW] = self.files.write(train_files.RAW, weights)
        if ema is not None:
            progress["files"][train_files.EMA] = self.files.write(train_files.EMA, ema.weights)
        self.files.write_progress(progress)
        took, step = round(time.monotonic() - started, 2), progress["iteration"]
        rest = {"scores": scores, "loss": loss, "images": progress["images"]}
        self.setting.add(f"validation at step {step}", value=scores[metric], unit=metric, seconds=took, **rest)

    def _is_best(self, value: float) -> bool:
        best = self.progress["best"]
        sign = 1 if self.trainer.options.mode == "max" else -1
        return best is None or sign * value > sign * best["value"]
