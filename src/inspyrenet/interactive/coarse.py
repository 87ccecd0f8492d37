"""What a prompt makes of the coarse map S3: where it spreads to, and what the logits become there."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..data.images.preprocess import resize
from ..networks.network import sigmoid
from . import random_walk, raster
from .prompt import Prompt, Stroke

SURE = 6.0  # logits of what is said
PINNED = 4.0  # logits that cells under a stroke have at least
NOTICED = 0.03  # of probability: a cell that changes by less stays as it is


@dataclass(frozen=True, eq=False)
class Scene:
    """What is known of an image on the grid of its coarse map. shape: (height, width) of the image. s3: logits (h, w).

    features: (C, h, w), what neighbors are compared by.
    """

    shape: tuple[int, int]
    s3: np.ndarray
    features: np.ndarray


@dataclass(frozen=True, eq=False)
class Edited:
    """Logits (h, w): start, what the prompt began from, and s3, what became of it; changed: the cells that differ, bool."""

    start: np.ndarray
    s3: np.ndarray
    changed: np.ndarray


def scene_of(image: np.ndarray, features: Sequence[np.ndarray], s3: np.ndarray) -> Scene:
    """From an image uint8 (H, W, 3) and what `Parts.encode` gives for it."""
    grid = s3.shape[2], s3.shape[3]
    colors = resize(image, grid).astype(np.float32).transpose(2, 0, 1) / 255
    maps = [_even(colors), *(_even(_pooled(x[0], grid)) for x in features[1:]), sigmoid(s3[0])]
    return Scene(image.shape[:2], s3[0, 0], np.concatenate(maps))


def edit(scene: Scene, prompt: Prompt) -> Edited:
    """The coarse map as the prompt has it."""
    start = _start(scene, prompt)
    labels = raster.stroke_labels(prompt.strokes, scene.shape, start.shape)
    outside = None
    s3 = start
    if prompt.boxes:
        cover = raster.box_cover(prompt.boxes, scene.shape, start.shape)
        outside = cover < 0.5 * cover.max()
        s3 = np.where(outside, np.minimum(s3, -SURE), s3)
        labels = _sought(prompt, scene, s3, labels)
    if labels.any():
        s3 = _spread(scene, s3, labels)
        if outside is not None:
            s3 = np.where(outside, np.minimum(s3, -SURE), s3)
    changed = np.abs(sigmoid(s3) - sigmoid(start)) > NOTICED
    return Edited(start, np.where(changed, s3, start).astype(np.float32), changed)


def _start(scene: Scene, prompt: Prompt) -> np.ndarray:
    """The map that strokes and boxes change."""
    if prompt.probability is None:
        return np.full_like(scene.s3, -SURE) if prompt.replaces else scene.s3
    said = _logits(raster.mean_in_cells(prompt.probability, (scene.s3.shape[0], scene.s3.shape[1])))
    return said if prompt.replaces else np.maximum(said, scene.s3)


def _sought(prompt: Prompt, scene: Scene, s3: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """A box in which no object is found yet holds one: its middle is taken for it, unless a stroke says more."""
    labels = labels.copy()
    for x, y, width, height in prompt.boxes:
        inside = raster.box_cover([(x, y, width, height)], scene.shape, s3.shape) > 0
        if s3[inside].max() < 0 and not (labels[inside] > 0).any():
            middle = (x + width / 2, y + height / 2)
            click = Stroke((middle,), width=max(min(width, height) / 4, 1e-3))
            labels[(raster.stroke_labels([click], scene.shape, s3.shape) > 0) & (labels == 0)] = 1
    return labels


def _spread(scene: Scene, s3: np.ndarray, labels: np.ndarray) -> np.ndarray:
    found = _logits(random_walk.spread(scene.features, sigmoid(s3), labels))
    found = np.where(labels > 0, np.maximum(found, PINNED), found)
    return np.where(labels < 0, np.minimum(found, -PINNED), found)


def _logits(probability: np.ndarray) -> np.ndarray:
    least = float(sigmoid(np.float32(-SURE)))
    inside = probability.clip(least, 1 - least)
    return np.log(inside / (1 - inside)).astype(np.float32)


def _even(maps: np.ndarray) -> np.ndarray:
    """Maps (C, h, w) that together have mean squared distance 1 from their means."""
    maps = maps - maps.mean((1, 2), keepdims=True)
    return maps / np.sqrt(max(float((maps**2).sum(0).mean()), 1e-12))


def _pooled(maps: np.ndarray, grid: tuple[int, int]) -> np.ndarray:
    """(C, H, W) → means of blocks (C, h, w); sides are multiples, since each level halves them."""
    channels, height, width = maps.shape
    return maps.reshape(channels, grid[0], height // grid[0], grid[1], width // grid[1]).mean((2, 4))
