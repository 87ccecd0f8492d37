"""The networks that are checked and measured, built from shipped configs without any download."""

import functools

import numpy as np
import torch
from torch import Tensor, nn

from inspyrenet.data.datasets.synthetic import SyntheticShapes
from inspyrenet.engine import build
from inspyrenet.engine.presets import BUNDLED_CONFIG, BUNDLED_WEIGHTS
from inspyrenet.lib.checkpoints.state_dict import load_state
from inspyrenet.utils.config.load import load_config
from inspyrenet.utils.config.schema import Config
from inspyrenet.utils.train.checkpoint import read_weights


def bundled_config() -> Config:
    """Config of the bundled model."""
    return load_config([BUNDLED_CONFIG])[0]


@functools.lru_cache(maxsize=1)
def bundled(device: torch.device) -> nn.Module:
    """The bundled model with its weights, in eval mode: maps of photographs as people get them."""
    model = build.network(bundled_config(), start=False)
    return load_state(model, read_weights(BUNDLED_WEIGHTS)).to(device).eval()


def painted(height: int, width: int, seed: int = 3) -> np.ndarray:
    """One painted picture of about this size, uint8 RGB."""
    return SyntheticShapes(1, seed, (height, width))[0].image


def bundled_images(device: torch.device, height: int = 480, width: int = 640) -> tuple[Tensor, Tensor | None]:
    """A painted picture as the bundled model's config prepares a photograph: (image, base-size copy), a batch of one."""
    config = bundled_config()
    prepared = build.preprocess(config.Model, config.Test)(painted(height, width))
    image, small = (None if x is None else torch.from_numpy(x)[None].to(device) for x in prepared)
    return image, small
