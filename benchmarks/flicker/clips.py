"""Painted clips with exact masks: a moving camera, an object that moves, turns and waves a limb, posts in front of it, cuts, grain.

A clip depends on its seed alone. Those of TUNING were looked at while ways were chosen; those of HELD_OUT never were.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

TUNING, HELD_OUT = range(10), range(100, 110)
FRAMES, SIZE = 16, (288, 512)
GRAIN = 5.0  # standard deviation of each pixel's noise, which is new in each frame
FLARE = 0.03  # that of the light


@dataclass(frozen=True, eq=False)
class Frame:
    """image: uint8 RGB (H, W, 3). mask: uint8 (H, W), 0..255. first: nothing of the frame before is seen here."""

    image: np.ndarray
    mask: np.ndarray
    first: bool


def painted_clip(seed: int, frames: int = FRAMES, size: tuple[int, int] = SIZE) -> Iterator[Frame]:
    """Every third clip has posts that hide a part of the object; every fifth is cut to another scene at half time."""
    rng = np.random.default_rng((seed, 30))
    cut = frames // 2 if seed % 5 == 4 else frames
    scene = _Scene(rng, size, posts=seed % 3 == 0)
    for number in range(frames):
        if number == cut:
            scene = _Scene(rng, size, posts=False)
        yield scene.frame(number, first=number in (0, cut))


class _Scene:
    """A wide background, an object on its way, perhaps posts before it; all of it painted once and moved by parts of pixels."""

    def __init__(self, rng: np.random.Generator, size: tuple[int, int], posts: bool):
        self.rng, self.size, self.unit = rng, size, min(size)
        colors = rng.uniform(30, 225, (4, 3))
        colors[2] = (colors[:2].mean(0) + rng.uniform(95, 160, 3)) % 255  # the object stands out
        self.world = _texture(rng, (2 * size[0], 2 * size[1]), colors[:2], self.unit / 5)
        side = self.unit
        self.skin = _texture(rng, (side, side), (colors[2], colors[2] * 0.7), self.unit / 12)
        self.body = _blob(rng, side, side * rng.uniform(0.24, 0.32))
        self.limb = _limb(side, side * rng.uniform(0.05, 0.08))
        self.posts = _posts(rng, size, colors[3]) if posts else None
        self.center = np.array(size[::-1]) * rng.uniform(0.35, 0.65, 2)
        self.speed, self.pan = rng.uniform(-4, 4, 2), rng.uniform(-3, 3, 2)
        self.turn, self.phase = rng.uniform(-0.03, 0.03), rng.uniform(0, 2 * np.pi)
        self.reach = np.array(size[::-1]) * 0.12

    def frame(self, number: int, first: bool) -> Frame:
        """The scene at this time."""
        canvas = self._moved(self.world, np.eye(2), number * self.pan - np.array(self.size[::-1]) / 2)
        angle = self.phase + self.turn * number
        center = self.center + self.reach * np.sin(number * self.speed / self.reach)
        alpha = self._placed(self.body, angle, center)
        alpha = np.maximum(alpha, self._placed(self.limb, angle + 0.35 * np.sin(0.6 * number), center))
        canvas += alpha[..., None] * (self._placed(self.skin, angle, center) - canvas)
        if self.posts is not None:
            color, cover = (self._moved(layer, np.eye(2), number * self.pan * 1.5) for layer in self.posts)
            canvas += cover[..., None] * (color - canvas)
            alpha = alpha * (1 - cover)
        canvas *= 1 + FLARE * self.rng.standard_normal()
        canvas += GRAIN * self.rng.standard_normal(canvas.shape, np.float32)
        image, mask = (np.clip(np.rint(layer), 0, 255).astype(np.uint8) for layer in (canvas, alpha * 255))
        return Frame(image, mask, first)

    def _placed(self, sprite: np.ndarray, angle: float, center: np.ndarray) -> np.ndarray:
        """A square sprite, turned about its middle, which comes to lie at `center` (x, y)."""
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        return self._moved(sprite, turn, center - turn @ np.full(2, len(sprite) / 2))

    def _moved(self, layer: np.ndarray, turn: np.ndarray, shift: np.ndarray) -> np.ndarray:
        edge = cv2.BORDER_CONSTANT if layer.ndim == 2 else cv2.BORDER_REFLECT
        matrix = np.column_stack([turn, shift])
        return cv2.warpAffine(layer, matrix, self.size[::-1], flags=cv2.INTER_LINEAR, borderMode=edge)


def _texture(rng: np.random.Generator, size: tuple[int, int], colors: np.ndarray, scale: float) -> np.ndarray:
    """float32 (H, W, 3): smooth patches between two colors, with a finer pattern."""
    coarse, fine = (_noise(rng, size, width) for width in (scale, scale / 5))
    share = 0.5 + 0.5 * np.tanh(coarse)[..., None]
    return (colors[0] * share + colors[1] * (1 - share) + 9 * fine[..., None]).astype(np.float32)


def _noise(rng: np.random.Generator, size: tuple[int, int], scale: float) -> np.ndarray:
    """Smooth noise of mean 0 and deviation 1 whose features are about `scale` pixels wide."""
    cells = [max(4, round(3 * side / scale)) for side in size]
    field = cv2.GaussianBlur(rng.standard_normal(cells, np.float32), (0, 0), 3)
    field = cv2.resize(field, size[::-1], interpolation=cv2.INTER_CUBIC)
    return (field - field.mean()) / field.std()


def _blob(rng: np.random.Generator, side: int, radius: float) -> np.ndarray:
    """float32 (side, side), 0..1."""
    angles = np.linspace(0, 2 * np.pi, 96, endpoint=False)
    lengths = 1 + sum(rng.normal(0, 0.22 / wave) * np.cos(wave * angles + rng.uniform(0, 7)) for wave in range(2, 6))
    points = side / 2 + radius * lengths[:, None] * np.stack([np.cos(angles), np.sin(angles)], 1)
    return _filled(side, points)


def _limb(side: int, width: float) -> np.ndarray:
    """float32 (side, side), 0..1: a bar from the middle outwards."""
    x, y = np.array([0.5, 0.94, 0.94, 0.5]) * side, side / 2 + np.array([-1, -0.5, 0.5, 1]) * width / 2
    return _filled(side, np.stack([x, y], 1))


def _filled(side: int, points: np.ndarray) -> np.ndarray:
    canvas = np.zeros((side, side), np.uint8)
    cv2.fillPoly(canvas, [np.rint(points * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    return canvas.astype(np.float32) / 255


def _posts(rng: np.random.Generator, size: tuple[int, int], color: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Color (H, W, 3) and cover (H, W) of two upright bars."""
    cover = np.zeros(size, np.float32)
    for place in rng.uniform(0.3, 0.7, 2) * size[1]:
        cover[:, round(place) : round(place + size[1] * 0.03)] = 1
    return np.broadcast_to(color.astype(np.float32), (*size, 3)).copy(), cover
