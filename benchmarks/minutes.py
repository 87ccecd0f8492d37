"""Trains variants of a config for the same number of minutes and scores their held-out pairs: what a minute buys.

    python benchmarks/minutes.py --config configs/InSPyReNet_Light.yaml --minutes 4 --json out.json \\
        --variant "mobilenetv4_conv_small" --variant "regnetx_004_tv" Model.encoder=regnetx_004_tv

A variant is a name and words that change the config. The rate follows the clock: a short ramp, then a cosine down to nothing as
the time runs out. Reading the data into memory does not count. No checkpoints are written.
"""

import argparse
import logging
import sys
import tempfile
from collections.abc import Sequence

import torch
from clock import ByTheClock, batches
from variants import Row, build_parser, compare

from inspyrenet.engine.options import Options
from inspyrenet.engine.train import build_trainer
from inspyrenet.utils.config.load import load_config
from inspyrenet.utils.config.schema import Config
from inspyrenet.utils.system.device import resolve_device
from inspyrenet.utils.system.precision import flush_denormals
from inspyrenet.utils.train.trainer import set_train_mode


def train(config: Config, minutes: float, device: torch.device) -> Row:
    """Images per second, epochs and the scores of the averaged weights (else of the weights themselves)."""
    trainer = build_trainer(
        config, Options((config.name,), extra=argparse.Namespace(overwrite=False)), device, logging.getLogger("minutes")
    )
    if trainer.validate is None:
        raise SystemExit(f"error: {config.name} holds no pairs out: give Train.Validation.fraction=0.05")
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
    parser = build_parser(__doc__)
    parser.add_argument("--minutes", type=float, default=4)
    options = parser.parse_args(argv)
    flush_denormals()
    device = resolve_device(options.device)

    def measure(words: Sequence[str]) -> Row:
        with tempfile.TemporaryDirectory() as folder:  # not the recipe's own, which may hold a run
            config = load_config([options.config], [*words, f"Train.Checkpoint.checkpoint_dir={folder}"])[0]
            return {"minutes": options.minutes, **train(config, options.minutes, device)}

    compare(options, measure)
    return 0


if __name__ == "__main__":
    sys.exit(main())
