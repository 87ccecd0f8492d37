"""Painted scenes with exact label maps, for scene parsing without a download: sky, ground, discs, boxes and triangles.

Sky is smooth and ground is grainy. Each class has a color that varies so much that colors of classes overlap: shape and texture
decide. Later things hide earlier ones. No pixel is between two classes: a label says what was painted there last.
"""

from collections.abc import Iterator

import cv2
import numpy as np

from ..augment.sample import Sample
from .synthetic import SIZE, TRAIN_SEED

NAMES = ("sky", "ground", "disc", "box", "triangle")
SKY, GROUND, DISC, BOX, TRIANGLE = range(len(NAMES))
THINGS = (DISC, BOX, TRIANGLE)
COLORS = np.array([(120, 150, 190), (130, 115, 85), (190, 100, 80), (150, 150, 160), (80, 120, 70)], np.float64)
SPREAD = 25  # standard deviation of each channel of a color


class PaintedScenes:
    """`count` scenes that depend on (seed, index) and `size` (height, width) alone; the mask of each Sample is its label map."""

    version = "scenes 1"  # raise it whenever the pictures change

    def __init__(self, count: int, seed: int = TRAIN_SEED, size: tuple[int, int] = SIZE):
        if count < 1 or min(size) < 64:
            raise ValueError(f"needs at least one scene of at least 64x64, not {count} of {size[0]}x{size[1]}")
        self.count, self.seed, self.size = count, seed, size

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Sample:
        rng = np.random.default_rng((self.seed, range(self.count)[index], len(NAMES)))
        height, width = (round(side * rng.uniform(0.875, 1.125)) for side in self.size)
        return _paint(height, width, rng)

    def __iter__(self) -> Iterator[Sample]:
        return (self[index] for index in range(self.count))


def _paint(height: int, width: int, rng: np.random.Generator) -> Sample:
    labels = _horizon(height, width, rng)
    canvas = np.where((labels == SKY)[..., None], _sky(height, width, rng), _ground(height, width, rng))
    for _ in range(int(rng.integers(1, 4))):
        kind = THINGS[rng.integers(len(THINGS))]
        inside = _thing(kind, height, width, rng)
        color = _color(kind, rng) * (1 + 0.25 * (np.mgrid[:height, :width][0] / height - 0.5))[..., None]
        canvas[inside], labels[inside] = color[inside], kind
    canvas = canvas + 5 * rng.standard_normal(canvas.shape)
    return Sample(np.clip(np.rint(canvas), 0, 255).astype(np.uint8), labels)


def _horizon(height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """Sky above a wave, ground below."""
    x = np.arange(width) / width
    wave = 0.04 * np.sin(2 * np.pi * (rng.uniform(0.5, 2) * x + rng.random()))
    line = height * (rng.uniform(0.35, 0.65) + wave)
    return np.where(np.arange(height)[:, None] < line, SKY, GROUND).astype(np.uint8)


def _sky(height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """(height, width, 3): from one color to a lighter one."""
    fade = np.linspace(-20, 20, height)[:, None, None]
    return np.broadcast_to(_color(SKY, rng) + fade, (height, width, 3))


def _ground(height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """(height, width, 3): one color with coarse grain."""
    grain = cv2.GaussianBlur(rng.standard_normal((height, width)), (0, 0), 1.0)
    return _color(GROUND, rng) + 60 * grain[..., None]


def _color(kind: int, rng: np.random.Generator) -> np.ndarray:
    """RGB of one thing."""
    return COLORS[kind] + SPREAD * rng.standard_normal(3)


def _thing(kind: int, height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """bool (height, width): True inside one disc, turned box or triangle."""
    radius = min(height, width) * rng.uniform(0.16, 0.28)
    center = np.array([rng.uniform(0, width), rng.uniform(0.15, 1) * height])
    canvas = np.zeros((height, width), np.uint8)
    if kind == DISC:
        cv2.circle(canvas, _whole(center), round(radius), 1, cv2.FILLED)
        return canvas > 0
    corners = 4 if kind == BOX else 3
    angles = 2 * np.pi * (np.arange(corners) / corners + rng.random())
    points = center + 1.2 * radius * np.stack([np.cos(angles), np.sin(angles)], 1)
    cv2.fillPoly(canvas, [np.rint(points).astype(np.int32)], 1)
    return canvas > 0


def _whole(point: np.ndarray) -> tuple[int, int]:
    x, y = np.rint(point).astype(int).tolist()
    return x, y
