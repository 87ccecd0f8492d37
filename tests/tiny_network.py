"""A network that runs in milliseconds, with random weights, as the files that people have: a config and a checkpoint."""

from functools import cache
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from inspyrenet import build_model
from inspyrenet.data.images.preprocess import Preprocess

SIDE = 64
CONFIG = """\
name: {name}
Model:
  name: InSPyReNet_Light
  encoder: mobilenetv4_conv_small
  depth: 16
  base_size: [{side}, {side}]
  threshold: {threshold}
Test:
  Dataset:
    root: data/Test_Dataset
    sets: [Any]
    transforms:
      {transforms}
"""
STATIC = f"static_resize: {{size: [{SIDE}, {SIDE}]}}"
DYNAMIC = "dynamic_resize: {size: 160}"


def picture(height: int = 48, width: int = 80, seed: int = 0) -> np.ndarray:
    """A bright ellipse on a noisy ground: uint8 (height, width, 3)."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    inside = ((y / height - 0.5) / 0.3) ** 2 + ((x / width - 0.5) / 0.3) ** 2 < 1
    image = rng.integers(0, 80, (height, width, 3))
    image[inside] += (150, 100, 20)
    return image.astype(np.uint8)


@cache
def tiny_state() -> dict[str, torch.Tensor]:
    """Random weights, with normalization fitted to a few pictures so that the maps have contrast."""
    torch.manual_seed(0)
    model = build_model("InSPyReNet_Light", encoder="mobilenetv4_conv_small", depth=16, base_size=(SIDE, SIDE))
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1.0
    prepare = Preprocess(size=(SIDE, SIDE))
    with torch.no_grad():
        model.train()(torch.from_numpy(np.stack([prepare(picture(seed=seed))[0] for seed in range(8)])))
    return model.state_dict()


def write_tiny(
    folder: Path, name: str = "tiny", transforms: str = STATIC, threshold: int | None = None
) -> tuple[Path, Path]:
    """Config and weights in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    config, weights = folder / f"{name}.yaml", folder / f"{name}.safetensors"
    text = CONFIG.format(
        name=name, side=SIDE, transforms=transforms, threshold="null" if threshold is None else threshold
    )
    config.write_text(text)
    save_file({key: value.contiguous() for key, value in tiny_state().items()}, weights)
    return config, weights
