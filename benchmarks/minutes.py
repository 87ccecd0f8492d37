"""Trains variants of a config for the same number of minutes and scores their held-out pairs: what a minute buys.

    python benchmarks/minutes.py --config configs/InSPyReNet_Small_coarse.yaml --minutes 4 --json out.json \\
        --variant "rsu_small" --variant "regnetx_004_tv" Model.encoder=regnetx_004_tv

A variant is a name and words that change the config. The rate follows the clock: a short ramp, then a cosine down to nothing as
the time runs out. Reading the data into memory does not count. No checkpoints are written.
"""

import argparse
import json
import logging
import math
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import torch

from inspyrenet.run.options import Options, resolve_device
from inspyrenet.run.training import build_trainer
from inspyrenet.utils.config import load_config
from inspyrenet.utils.precision import flush_denormals
from inspyrenet.utils.schema import Config
from inspyrenet.utils.train_types import Batch
from inspyrenet.utils.trainer import Trainer, set_train_mode

RAMP = 100  # steps


class ByTheClock:
    """A schedule over the time that is left instead of over steps; like `Schedule`, as far as a trainer's step needs it."""

    def __init__(self, seconds: float):
        self.seconds, self.started = seconds, time.monotonic()

    @property
    def passed(self) -> float:
        """The share of the time that is gone, in 0..1."""
        return min((time.monotonic() - self.started) / self.seconds, 1.0)

    def apply(self, optimizer: torch.optim.Optimizer, iteration: int) -> list[float]:
        """Write the rates of now into the optimizer's groups."""
        factor = min((iteration + 1) / RAMP, 0.5 * (1 + math.cos(math.pi * self.passed)))
        for group in optimizer.param_groups:
            group["lr"] = factor * group.setdefault("initial_lr", group["lr"])
        return [group["lr"] for group in optimizer.param_groups]


def batches(trainer: Trainer) -> Iterator[Batch]:
    """Of one epoch after the other, without an end."""
    epoch = 0
    while True:
        yield from trainer.loader.batches(epoch, 0)
        epoch += 1


def train(config: Config, minutes: float, device: torch.device) -> dict[str, float]:
    """Images per second, epochs and the scores of the averaged weights (else of the weights themselves)."""
    trainer = build_trainer(
        config, Options((config.name,), extra=argparse.Namespace(overwrite=False)), device, logging.getLogger("minutes")
    )
    source = batches(trainer)
    following = next(source)
    set_train_mode(trainer.model, config.Train.FineTune.freeze_batchnorm)
    trainer.schedule = clock = ByTheClock(60 * minutes)
    steps = 0
    while clock.passed < 1:
        trainer.step([following])
        following = next(source)
        steps += 1
    trainer.loader.close()
    if trainer.ema is not None:
        trainer.model.load_state_dict(trainer.ema.weights)
    scores = trainer.validate(trainer.model.eval())
    rate = steps * trainer.loader.global_batch / (60 * minutes)
    return {"images_per_second": round(rate, 1), "epochs": round(steps / len(trainer.loader), 2), **scores}


def main(argv: list[str] | None = None) -> int:
    """Train, score, print, write; 0 when done."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--config", required=True)
    parser.add_argument("--minutes", type=float, default=4)
    parser.add_argument("--variant", nargs="+", action="append", metavar=("NAME", "WORD"), default=[])
    parser.add_argument("--device", default="auto")
    parser.add_argument("--json", type=Path, help="go on with this file")
    parser.add_argument("overrides", nargs="*", metavar="Section.key=value", help="words for every variant")
    options = parser.parse_args(argv)
    flush_denormals()
    device = resolve_device(options.device)
    rows = json.loads(options.json.read_text(encoding="utf-8")) if options.json and options.json.is_file() else {}
    for name, *words in options.variant or [["as the config says"]]:
        with tempfile.TemporaryDirectory() as folder:  # not the recipe's own, which may hold a run
            apart = f"Train.Checkpoint.checkpoint_dir={folder}"
            config = load_config([options.config], [*options.overrides, *words, apart])[0]
            rows[name] = {"minutes": options.minutes, **train(config, options.minutes, device)}
        print(f"{name:32} " + "  ".join(f"{key} {value:.4g}" for key, value in rows[name].items()), flush=True)
        if options.json:
            options.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
