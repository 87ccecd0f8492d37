"""What a prompt makes of the coarse map S3: where it spreads to, and what the logits become there."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..data.images.preprocess import resize
from ..networks.network import sigmoid
from ..networks.runtimes import Graph
from . import head, random_walk, raster
from .prompt import Prompt, Stroke

SURE = 6.0  # logits of what is said
PINNED = 4.0  # logits that cells under a stroke have at least
SHARPER = 3.0  # times the logits of what was said: where in a cell a border runs is for the finer stages to find
NOTICED = 0.25  # of probability: a cell that differs by less from the map that is there stays as it is
ROUNDS = 6  # strokes one after the other, as the head was trained; of more the first ones go together


@dataclass(frozen=True, eq=False)
class Scene:
    """What is known of an image on the grid of its coarse map. shape: (height, width) of the image. s3: logits (h, w).

    found: the network's finest map in the cells, 0..1. colors: (1, 3, h, w), RGB in 0..1. features: x2 and f3 of the encoder.
    head: what changes the map; None: random walks do.
    """

    shape: tuple[int, int]
    s3: np.ndarray
    found: np.ndarray
    colors: np.ndarray
    features: tuple[np.ndarray, np.ndarray]
    head: Graph | None


@dataclass(frozen=True, eq=False)
class Edited:
    """Logits (h, w): start, what the prompt began from, and s3, what became of it; changed: the cells that differ, bool.

    strokes: those of the prompt, and clicks in the middle of boxes in which no object was found.
    """

    start: np.ndarray
    s3: np.ndarray
    changed: np.ndarray
    strokes: tuple[Stroke, ...]


def scene_of(
    image: np.ndarray, features: Sequence[np.ndarray], s3: np.ndarray, finest: np.ndarray, head: Graph | None = None
) -> Scene:
    """From an image uint8 (H, W, 3), what `Parts.encode` gives for it, and the finest map (1, 1, ·, ·) in 0..1."""
    grid = (s3.shape[2], s3.shape[3])
    colors = resize(image, grid).astype(np.float32).transpose(2, 0, 1)[None] / 255
    found = raster.mean_in_cells(finest[0, 0], grid)
    return Scene((image.shape[0], image.shape[1]), s3[0, 0], found, colors, (features[1], features[2]), head)


def edit(scene: Scene, prompt: Prompt) -> Edited:
    """The coarse map as the prompt has it. It changes where a box ends, and around strokes as far as they make another decision
    than the finest map."""
    start = _start(scene, prompt)
    there = scene.found if start is scene.s3 else sigmoid(start)
    inside = np.ones(start.shape, bool)
    if prompt.boxes:
        inside = raster.box_cover(prompt.boxes, scene.shape, start.shape) > 0
    s3, changed = _limited(start, inside), ~inside & (there > NOTICED)
    strokes = (*_sought(prompt, scene, s3), *prompt.strokes)
    if strokes:
        s3 = _limited(_spread(scene, s3, strokes), inside)
        touched = raster.stroke_labels(strokes, scene.shape, s3.shape) != 0
        changed |= raster.connected(np.abs(sigmoid(s3) - there) > NOTICED, touched)
    return Edited(start, np.where(changed, SHARPER * s3, start).astype(np.float32), changed, strokes)


def _limited(s3: np.ndarray, inside: np.ndarray) -> np.ndarray:
    return np.where(inside, s3, np.minimum(s3, -SURE))


def _start(scene: Scene, prompt: Prompt) -> np.ndarray:
    """The map that strokes and boxes change."""
    if prompt.probability is None:
        return np.full_like(scene.s3, -SURE) if prompt.replaces else scene.s3
    said = said_by(prompt.probability, (scene.s3.shape[0], scene.s3.shape[1]))
    return said if prompt.replaces else np.maximum(said, scene.s3)


def said_by(mask: np.ndarray, grid: tuple[int, int]) -> np.ndarray:
    """The coarse map float32 (h, w) in logits that a mask in 0..1, of any size, stands for."""
    return SHARPER * _logits(raster.mean_in_cells(mask, grid))


def _sought(prompt: Prompt, scene: Scene, s3: np.ndarray) -> list[Stroke]:
    """A box in which no object is found yet holds one: a click in its middle, unless a stroke keeps something there."""
    kept = raster.stroke_labels(prompt.strokes, scene.shape, s3.shape) > 0
    clicks = []
    for x, y, width, height in prompt.boxes:
        inside = raster.box_cover([(x, y, width, height)], scene.shape, s3.shape) > 0
        if s3[inside].max() < 0 and not kept[inside].any():
            clicks.append(Stroke(((x + width / 2, y + height / 2),), width=min(width, height) / 4))
    return clicks


def _spread(scene: Scene, s3: np.ndarray, strokes: Sequence[Stroke]) -> np.ndarray:
    """The map with strokes spread over what they mean."""
    labels = raster.stroke_labels(strokes, scene.shape, s3.shape)
    if scene.head is None:
        found = _logits(random_walk.spread(_compared(scene), sigmoid(s3), labels))
    else:
        found = s3
        for first in range(max(1, len(strokes) - ROUNDS + 1), len(strokes)):
            earlier = raster.stroke_labels(strokes[:first], scene.shape, s3.shape)
            found = head.changed(scene.head, scene.colors, scene.features, scene.s3, found, earlier)
        found = head.changed(scene.head, scene.colors, scene.features, scene.s3, found, labels)
    found = np.where(labels > 0, np.maximum(found, PINNED), found)
    return np.where(labels < 0, np.minimum(found, -PINNED), found)


def _compared(scene: Scene) -> np.ndarray:
    """What neighboring cells are compared by, (C, h, w): colors, features, and the network's own map."""
    grid = (scene.s3.shape[0], scene.s3.shape[1])
    return np.concatenate(
        [
            _even(maps)
            for maps in (scene.colors[0], *(_pooled(x[0], grid) for x in scene.features), sigmoid(scene.s3[None]))
        ]
    )


def _logits(probability: np.ndarray) -> np.ndarray:
    least = float(sigmoid(np.array(-SURE)))
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
