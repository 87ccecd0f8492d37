"""Parameters, inputs and statistics of the BiRefNet and PSPNet golden numbers (tests/golden/*_golden.json), in float64.

Every entry of a state dict is drawn from numpy's default generator, seeded with the CRC-32 of its published name.
"""

import json
import zlib

import numpy as np
import torch
from torch import Tensor

from inspyrenet.lib.losses import terms_birefnet

from .drawing import GOLDEN


def draw(name: str, shape: tuple[int, ...]) -> Tensor:
    """One entry of a state dict, by the kind that its name tells."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    leaf = name.rsplit(".", 1)[-1]
    if leaf == "num_batches_tracked":
        return torch.tensor(0)
    if leaf == "running_var":
        return torch.from_numpy(0.5 + rng.random(shape))
    scales = {"running_mean": 0.1, "relative_position_bias_table": 0.5, "bias": 0.05}
    values = rng.standard_normal(shape)
    if leaf in scales:
        values = scales[leaf] * values
    elif len(shape) == 1:
        values = 1 + 0.1 * values
    else:
        values = values / np.sqrt(np.prod(shape[1:]))
    return torch.from_numpy(values)


def shapes(variant: str) -> dict[str, tuple[int, ...]]:
    """Published names and shapes of tests/golden/keys/‹variant›_keys.json."""
    keys = json.loads((GOLDEN / "keys" / f"{variant}_keys.json").read_text())
    return {name: tuple(shape) for name, shape in keys.items()}


def state_dict(names: dict[str, tuple[int, ...]]) -> dict[str, Tensor]:
    return {name: draw(name, shape) for name, shape in names.items() if not name.endswith("relative_position_index")}


def noise(seed: int, height: int, width: int, batch: int = 1) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).standard_normal((batch, 3, height, width)))


def label(batch: int, height: int, width: int) -> Tensor:
    """Soft disks (batch, 1, height, width), each a little further down and to the left."""
    y, x = np.mgrid[0:height, 0:width].astype(float)
    disks = [np.hypot(y - (0.4 + 0.1 * i) * height, x - (0.5 - 0.1 * i) * width) for i in range(batch)]
    return torch.from_numpy(np.stack([np.clip((0.3 * min(height, width) - d) / 4 + 0.5, 0, 1) for d in disks]))[:, None]


def golden(name: str) -> dict:
    return json.loads((GOLDEN / f"{name}_golden.json").read_text())


def assert_statistics(x: Tensor, expected: dict, tolerance: float = 1e-9) -> None:
    """Shape, mean, standard deviation, largest value, first, middle and last element."""
    assert list(x.shape) == expected["shape"]
    flat = x.detach().double().flatten()
    ours = {
        "mean": flat.mean(),
        "std": flat.std(correction=0),
        "absmax": flat.abs().max(),
        "first": flat[0],
        "mid": flat[len(flat) // 2],
        "last": flat[-1],
    }
    for key, value in ours.items():
        assert abs(value.item() - expected[key]) <= tolerance, (key, value.item(), expected[key])


def without_randomness(model: torch.nn.Module) -> torch.nn.Module:
    """Dropout and stochastic depth set to 0, as the golden training numbers have it."""
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout | torch.nn.Dropout2d):
            module.p = 0.0
        if hasattr(module, "drop_prob"):
            module.drop_prob = 0.0
    return model


def single_losses(p: Tensor, mask: Tensor) -> dict[str, Tensor]:
    """Golden name → each single loss of BiRefNet, for probabilities and a mask (B, 1, H, W) on any device."""
    return {
        "bce_mean": terms_birefnet.bce(p.logit(), mask),
        "iou_batch_sum": terms_birefnet.iou(p, mask),
        "ssim_half": terms_birefnet.ssim(p, mask),
        "mae": terms_birefnet.mae(p, mask),
        "mse": terms_birefnet.mse(p, mask),
        "contour": terms_birefnet.contour(p, mask),
        "structure_on_logits": terms_birefnet.structure(p.logit(), mask),
        "structure_as_called_on_probabilities": terms_birefnet.structure(p, mask),
    }
