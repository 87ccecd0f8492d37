"""Deterministic parameters and inputs for parity tests: the same name and shape always give the same values.

Every state-dict entry is drawn from numpy's frozen RandomState stream, seeded with the CRC-32 of its name, so that a test
needs only the names and shapes of a published checkpoint (tests/golden/keys) to rebuild one.
"""

import json
import zlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

GOLDEN = Path(__file__).parent.parent / "golden"
DERIVED = ("relative_position_index", "attn_mask")


def draw(name: str, shape: tuple[int, ...], salt: str = "") -> np.ndarray:
    """One entry of a state dict, by the kind that its name tells."""
    rng = np.random.RandomState(zlib.crc32((salt + name).encode()))
    leaf = name.rsplit(".", 1)[-1]
    if leaf == "num_batches_tracked":
        return np.array(100, dtype=np.int64)
    if leaf == "running_var":
        return (0.5 + rng.random_sample(shape)).astype(np.float32)
    scale_and_shift = {
        "running_mean": (0.1, 0.0),
        "threshold": (0.05, 0.5),
        "lthreshold": (0.05, 0.5),
        "gamma": (0.1, 0.3),
        "relative_position_bias_table": (0.1, 0.0),
    }
    if leaf in scale_and_shift:
        scale, shift = scale_and_shift[leaf]
        return (shift + scale * rng.standard_normal(shape)).astype(np.float32)
    if len(shape) >= 2:  # convolution or linear weight, variance 1 / fan-in
        gain = 1e-4 if name.endswith(("conv_key.0.conv.weight", "conv_value.0.conv.weight")) else 1.0
        return (gain * rng.standard_normal(shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32)
    if leaf == "weight":  # scale of a norm
        return (1.0 + 0.1 * rng.standard_normal(shape)).astype(np.float32)
    return (0.05 * rng.standard_normal(shape)).astype(np.float32)


def state_dict(encoder: str) -> dict[str, Tensor]:
    """Drawn parameters of a published InSPyReNet: "res2net50", "swint" or "swinb"."""
    shapes = json.loads((GOLDEN / "keys" / f"inspyrenet_{encoder}_keys.json").read_text())
    return {k: torch.from_numpy(draw(k, tuple(s))) for k, s in shapes.items() if not k.endswith(DERIVED)}


def image(height: int, width: int, batch: int = 1, seed: int = 0) -> Tensor:
    """(batch, 3, height, width) float32: bright ellipse on a gradient, with noise, ImageNet-normalized."""
    rng = np.random.RandomState(seed)
    y, x = np.mgrid[0:height, 0:width]
    out = np.empty((batch, 3, height, width), np.float32)
    for b in range(batch):
        cy, cx = height * (0.35 + 0.3 * rng.random_sample()), width * (0.35 + 0.3 * rng.random_sample())
        ry, rx = height * (0.15 + 0.2 * rng.random_sample()), width * (0.15 + 0.2 * rng.random_sample())
        blob = 1.0 / (1.0 + np.exp(20 * (((y - cy) / ry) ** 2 + ((x - cx) / rx) ** 2 - 1)).clip(max=1e9))
        for c in range(3):
            base = (
                0.3 * rng.random_sample()
                + 0.3 * x / width * rng.random_sample()
                + 0.3 * y / height * rng.random_sample()
            )
            noise = 0.6 * (rng.random_sample() - 0.3) * blob
            out[b, c] = base + noise + 0.03 * rng.standard_normal((height, width))
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    return torch.from_numpy(((out - mean[:, None, None]) / std[:, None, None]).astype(np.float32))


def mask(height: int, width: int, batch: int = 1, seed: int = 0) -> Tensor:
    """(batch, 1, height, width) float32 in {0, 1}: an ellipse and a few thin bars."""
    rng = np.random.RandomState(1000 + seed)
    y, x = np.mgrid[0:height, 0:width]
    out = np.zeros((batch, 1, height, width), np.float32)
    for b in range(batch):
        cy, cx = height * (0.35 + 0.3 * rng.random_sample()), width * (0.35 + 0.3 * rng.random_sample())
        ry, rx = height * (0.15 + 0.2 * rng.random_sample()), width * (0.15 + 0.2 * rng.random_sample())
        m = ((y - cy) / ry) ** 2 + ((x - cx) / rx) ** 2 < 1
        for _ in range(3):
            r = int(height * rng.random_sample())
            m |= (np.abs(y - r) < 2) & (np.abs(x - cx) < 1.4 * rx)
        out[b, 0] = m
    return torch.from_numpy(out)


def golden(name: str) -> dict[str, np.ndarray]:
    with np.load(GOLDEN / f"{name}.npz") as file:
        return {key: file[key] for key in file}


def assert_close(ours, theirs: np.ndarray, tolerance: float = 1e-4) -> None:
    """|difference| ≤ tolerance · max(1, |golden|) everywhere."""
    ours = ours.detach().numpy() if isinstance(ours, Tensor) else np.asarray(ours)
    assert ours.shape == theirs.shape
    worst = np.max(np.abs(ours - theirs) / np.maximum(1, np.abs(theirs)))
    assert worst <= tolerance, f"differs by {worst:.2e} (allowed {tolerance:.0e})"
