"""Training on this device: a run that is killed and goes on, and memory that is too small."""

import logging
import multiprocessing
import os
import signal
from argparse import Namespace
from pathlib import Path

import torch

from inspyrenet.engine.options import Options
from inspyrenet.engine.train import build_trainer
from inspyrenet.utils.config.load import load_config
from inspyrenet.utils.train.errors import DeviceMemoryError, friendly_errors
from inspyrenet.utils.train.train_log import TrainLogger
from inspyrenet.utils.train.trainer import Trainer

from .setting import Setting, Skip, prepare_process, scratch

LOG = logging.getLogger(__name__)
PER_EPOCH, BATCH = 5, 4  # steps, images


def toy_trainer(folder: Path, name: str, epochs: int, device: torch.device) -> Trainer:
    """A small network on painted pictures in bfloat16, saved half-way; the same start whatever the name of its folder."""
    words = [
        f"Train.Dataset.root={folder}",
        f"Train.Dataset.limit={PER_EPOCH * BATCH}",
        "Train.Dataset.transforms.static_resize.size=[64,64]",
        "Model.base_size=[64,64]",
        "Model.depth=8",
        f"Train.Dataloader={{batch_size: {BATCH}, num_workers: 0}}",
        "Train.Optimizer.lr=2e-4",
        f"Train.Scheduler={{epoch: {epochs}, warmup_iteration: 0}}",
        "Train.precision=bfloat16",
        f"Train.Checkpoint={{checkpoint_dir: {folder / name}, checkpoint_epoch: {epochs // 2}}}",
    ]
    config = load_config(["Quickstart"], words)[0]
    trainer = build_trainer(config, Options((config.name,), extra=Namespace(overwrite=False)), device, LOG)
    trainer.hooks, trainer.curves, trainer.logger = (
        (),
        None,
        TrainLogger(True, False, LOG, ()),
    )  # weights alone are of interest
    return trainer


def resume(setting: Setting) -> float:
    """Training in one go against training that is killed behind the middle and goes on: the last losses' relative difference."""
    epochs = 2 if setting.tiny else 10  # of 5 steps
    repeatable = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        with scratch() as folder:
            straight = toy_trainer(folder, "straight", epochs, setting.device)
            straight.fit()
            killed(folder, epochs, setting)
            resumed = toy_trainer(folder, "killed", epochs, setting.device)
            if not resumed.resume():
                raise RuntimeError("the killed run has left no checkpoint")
            at = resumed.progress.iteration
            resumed.fit()
    finally:
        torch.use_deterministic_algorithms(repeatable)
    ends = [trainer.progress.iteration for trainer in (straight, resumed)]
    if at != epochs // 2 * PER_EPOCH or ends != [epochs * PER_EPOCH] * 2:
        raise RuntimeError(f"went on from step {at} to {ends[1]}, in one go to {ends[0]}")
    one, other = (trainer.history.entries[-1]["train"]["total"] for trainer in (straight, resumed))
    return abs(one - other) / abs(one)


def killed(folder: Path, epochs: int, setting: Setting) -> None:
    """Train in a process that kills itself two steps behind its checkpoint. Raises RuntimeError where it ends otherwise."""
    words = (folder, epochs, str(setting.device), setting.tiny)
    process = multiprocessing.get_context("spawn").Process(target=train_and_die, args=words)
    process.start()
    process.join()
    if process.exitcode != -signal.SIGKILL:
        raise RuntimeError(f"the process that was to be killed ended with code {process.exitcode}")


def train_and_die(folder: Path, epochs: int, device: str, tiny: bool) -> None:
    """In the process: SIGKILL in the middle of a step."""
    prepare_process(tiny)
    torch.use_deterministic_algorithms(True, warn_only=True)
    trainer = toy_trainer(folder, "killed", epochs, torch.device(device))
    losses, last = trainer.criterion.forward, epochs // 2 * PER_EPOCH + 2

    def dying(output, mask):
        if trainer.progress.iteration >= last:
            os.kill(os.getpid(), signal.SIGKILL)
        return losses(output, mask)

    trainer.criterion.forward = dying
    trainer.fit()


def out_of_memory(setting: Setting) -> float:
    """Ask for twice the memory that the card has: the message says what to do, and the device goes on working (0)."""
    if setting.device.type != "cuda":
        raise Skip("needs CUDA: a CPU's memory cannot be asked for without harm to other programs")
    size = 2 * torch.cuda.get_device_properties(setting.device).total_memory
    try:
        with friendly_errors(lambda: "No checkpoint was saved yet"):
            torch.empty(size, dtype=torch.uint8, device=setting.device)
    except DeviceMemoryError as error:
        if "batch_size" not in str(error):
            raise RuntimeError(f"the message gives no advice: {error}") from None
    else:
        raise RuntimeError(f"the device gave {size / 2**30:.0f} GiB, twice what it has")
    torch.cuda.empty_cache()
    return abs(torch.ones(1000, device=setting.device).sum().item() - 1000)
