"""The embedded data set: generated pictures with exact masks, for the quick start and for tests. Nothing is downloaded.

What makes an object is its texture: it is striped, in any direction. Distractors have the same kinds of shape and are
painted with the same colors, but spotted, marbled or plain; the background wears these colors too. So brightness,
saturation, distance from the border's color and a preference for the center say little, while a network that sees
local texture learns it in minutes.
"""

import contextlib
import json
import logging
import secrets
import shutil
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from PIL import Image

from ..augment.transforms import Sample

log = logging.getLogger(__name__)

VERSION = 1  # raise it whenever the pictures change
TRAIN_SEED, HELD_OUT_SEED = 1, 2
SIZE = (160, 160)  # height and width, each varied by an eighth
STAMP = ".synthetic.json"
_SHIFT = 4  # bits after the point in the coordinates of shapes


class Painter(Protocol):
    """Pictures with masks that depend on (seed, index) and `size` alone: the classes SyntheticShapes and PaintedScenes."""

    @property
    def version(self) -> int | str: ...

    def __call__(self, count: int, seed: int, size: tuple[int, int]) -> Iterable[Sample]: ...


class SyntheticShapes:
    """`count` pictures that depend on (seed, index) and `size` (height, width) alone; each item is a Sample.

    Data sets of different seeds share no picture. A longer one begins with the same pictures as a shorter one.
    """

    version = VERSION

    def __init__(self, count: int, seed: int = TRAIN_SEED, size: tuple[int, int] = SIZE):
        if count < 1 or min(size) < 64:
            raise ValueError(f"needs at least one picture of at least 64x64, not {count} of {size[0]}x{size[1]}")
        self.count, self.seed, self.size = count, seed, size

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Sample:
        rng = np.random.default_rng((self.seed, range(self.count)[index]))
        height, width = (round(side * rng.uniform(0.875, 1.125)) for side in self.size)
        return _Painter(height, width, rng).paint()

    def __iter__(self) -> Iterator[Sample]:
        return (self[index] for index in range(self.count))


def write_dataset(
    root: Path | str,
    name: str,
    count: int,
    seed: int = TRAIN_SEED,
    size: tuple[int, int] = SIZE,
    painter: Painter = SyntheticShapes,
) -> Path:
    """Writes `<root>/<name>/{images,masks}`, numbered files that `painter` makes; returns the set's folder.

    Raises FileExistsError where that folder has anything in it already.
    """
    folder = Path(root) / name
    if folder.is_dir() and any(folder.iterdir()):
        raise FileExistsError(f"{folder} is not empty; remove it or choose another name")
    (folder / "images").mkdir(parents=True, exist_ok=True)
    (folder / "masks").mkdir(exist_ok=True)
    said = time.monotonic()
    for index, (image, mask) in enumerate(painter(count, seed, size)):
        Image.fromarray(image).save(folder / "images" / f"{index:05d}.jpg", quality=95, subsampling=0)
        Image.fromarray(mask).save(folder / "masks" / f"{index:05d}.png")
        if time.monotonic() - said > 2:
            log.info("painting %s: %d of %d pictures", name, index + 1, count)
            said = time.monotonic()
    (folder / STAMP).write_text(json.dumps(_stamp(count, seed, size, painter)))
    return folder


def ensure_dataset(
    root: Path | str,
    name: str,
    count: int,
    seed: int = TRAIN_SEED,
    size: tuple[int, int] = SIZE,
    painter: Painter = SyntheticShapes,
) -> Path:
    """`write_dataset`, but only where the same set is not there yet; the folder appears whole or not at all.

    A set made with other arguments is replaced. Raises FileExistsError where the folder holds anything else, so that
    nobody's data are lost. Safe where several processes ask at once.
    """
    folder, stamp = Path(root) / name, _stamp(count, seed, size, painter)
    if _is_made(folder, stamp):
        return folder
    if folder.is_dir() and not (folder / STAMP).is_file() and any(folder.iterdir()):
        raise FileExistsError(f"{folder} has other data in it; choose another root or name for the generated set")
    temporary = Path(root) / f".{secrets.token_hex(8)}"
    try:
        write_dataset(temporary, name, count, seed, size, painter)
        if not _is_made(folder, stamp):  # meanwhile, by another process
            with contextlib.suppress(FileNotFoundError):
                folder.rename(temporary / "old")
            (temporary / name).rename(folder)
    except OSError:
        if not _is_made(folder, stamp):  # else another process was faster
            raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder


def _stamp(count: int, seed: int, size: tuple[int, int], painter: Painter) -> dict:
    return {"version": painter.version, "count": count, "seed": seed, "size": list(size)}


def _is_made(folder: Path, stamp: dict) -> bool:
    with contextlib.suppress(OSError, ValueError):
        return json.loads((folder / STAMP).read_text()) == stamp
    return False


class _Painter:
    """One picture: background, distractors, objects, then light and grain over all of it."""

    def __init__(self, height: int, width: int, rng: np.random.Generator):
        self.height, self.width, self.rng = height, width, rng
        self.unit = min(height, width)
        self.palette = _palette(rng)

    def paint(self) -> Sample:
        """The picture and its mask; objects cover a fifth of it on average."""
        canvas = self._background()
        objects = int(self.rng.choice([1, 2, 3], p=[0.5, 0.3, 0.2]))
        kinds = [False] * int(self.rng.integers(2, 5)) + [True] * objects
        visible = np.zeros((self.height, self.width), np.float32)
        for is_object in self.rng.permutation(kinds):
            alpha = self._place(visible, bool(is_object))
            figure = _colored(self._stripes() if is_object else self._distraction(), *self._two_colors())
            canvas += (figure - canvas) * alpha
            visible = visible * (1 - alpha) + (alpha if is_object else 0)
        light = 1 + 0.15 * self._noise(self.unit / 2)
        canvas = canvas * light + 4 * self.rng.standard_normal(canvas.shape, np.float32)
        image = np.clip(np.rint(canvas), 0, 255).astype(np.uint8).transpose(1, 2, 0)
        return Sample(np.ascontiguousarray(image), np.clip(np.rint(visible * 255), 0, 255).astype(np.uint8))

    # -- colors and textures: (height, width) arrays in 0..1 unless said otherwise

    def _two_colors(self) -> np.ndarray:
        """(2, 3): neighbours in the palette, a dark and a light one, so that every texture has contrast."""
        dark, light = self.rng.integers(0, 2), self.rng.integers(2, 4)
        return self.palette[[dark, light]] + 8 * self.rng.standard_normal((2, 3), np.float32)

    def _background(self) -> np.ndarray:
        """(3, height, width): patches of two-colored texture that fade into each other."""
        weights = [np.exp(3 * self._noise(self.unit / 4)) for _ in range(3)]
        layers = [_colored(self._distraction(), *self._two_colors()) * weight for weight in weights]
        return sum(layers) / sum(weights)

    def _distraction(self) -> np.ndarray:
        kind = self.rng.integers(0, 3)
        if kind == 0:  # spots, as wide apart as stripes are
            return _steep(self._noise(self.rng.uniform(2.0, 3.2)), 2.0)
        if kind == 1:  # marble
            return _steep(self._noise(self.rng.uniform(5.0, 9.0)), 1.5)
        return np.clip(self.rng.uniform(0.2, 0.8) + 0.15 * self._noise(self.unit / 6), 0, 1)  # nearly plain

    def _stripes(self) -> np.ndarray:
        period, angle, phase = self.rng.uniform(6.5, 9.5), self.rng.uniform(0, np.pi), self.rng.uniform(0, 2 * np.pi)
        y, x = np.ogrid[: self.height, : self.width]
        bend = 0.8 * self._noise(self.unit / 5)
        ramp = 2 * np.pi / period * (x * np.cos(angle) + y * np.sin(angle)) + phase
        return _steep(np.sin(ramp.astype(np.float32) + bend), 1.8)

    def _noise(self, scale: float) -> np.ndarray:
        """Smooth noise of mean 0 and deviation 1 whose features are about `scale` pixels wide."""
        step = max(1.0, scale / 3)
        rows, columns = (max(4, int(np.ceil(side / step))) for side in (self.height, self.width))
        field = cv2.GaussianBlur(self.rng.standard_normal((rows, columns), np.float32), (0, 0), scale / step)
        field = cv2.resize(field, (self.width, self.height), interpolation=cv2.INTER_CUBIC)
        return (field - field.mean()) / max(field.std(), 1e-6)

    # -- shapes

    def _place(self, taken: np.ndarray, is_object: bool) -> np.ndarray:
        """Coverage 0..1 of a new figure; of some attempts the one that hides least of what is there, off the center."""
        best, least = taken, np.inf
        for _ in range(6):
            alpha = self._figure()
            hidden = float((alpha * taken).sum()) / max(float(alpha.sum()), 1)
            if hidden < least:
                best, least = alpha, hidden
            if hidden < 0.05:
                break
        if self.rng.random() < 0.25:  # soft edges
            best = cv2.GaussianBlur(best, (0, 0), self.rng.uniform(1.0, 2.5))
        return best

    def _figure(self) -> np.ndarray:
        """Antialiased coverage of one body, perhaps with a hole and with thin limbs."""
        canvas = np.zeros((self.height, self.width), np.uint8)
        radius = self.unit * self.rng.uniform(0.17, 0.30)
        center = np.array([self._off_center(self.width, radius), self._off_center(self.height, radius)])
        if self.rng.random() < 0.4:
            for _ in range(int(self.rng.integers(1, 4))):
                self._limb(canvas, center, radius)
        outline = self._outline(center, radius)
        _fill(canvas, outline, 255)
        if self.rng.random() < 0.2:
            hole = center + (outline - center) * self.rng.uniform(0.3, 0.5)
            _fill(canvas, hole, 0)
        return canvas.astype(np.float32) / 255

    def _off_center(self, side: int, radius: float) -> float:
        """A coordinate that favours neither the middle nor the border."""
        return self.rng.uniform(0.5 * radius, side - 0.5 * radius)

    def _outline(self, center: np.ndarray, radius: float) -> np.ndarray:
        """(points, 2) as x, y: a blob, an ellipse or a polygon."""
        kind = self.rng.integers(0, 3)
        corners = int(self.rng.integers(3, 7)) if kind == 2 else 96
        angles = np.linspace(0, 2 * np.pi, corners, endpoint=False) + self.rng.uniform(0, 2 * np.pi)
        lengths = np.ones(corners)
        if kind == 0:
            for wave in range(2, 6):
                lengths += self.rng.normal(0, 0.28 / wave) * np.cos(wave * angles + self.rng.uniform(0, 2 * np.pi))
        points = np.stack([np.cos(angles), np.sin(angles)], 1) * np.maximum(lengths, 0.3)[:, None]
        points[:, 1] *= self.rng.uniform(0.55, 1)
        turn = self.rng.uniform(0, np.pi)
        rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        return center + radius * points @ rotation

    def _limb(self, canvas: np.ndarray, center: np.ndarray, radius: float) -> None:
        """A thin curve from the body outwards."""
        start, bend = self.rng.uniform(0, 2 * np.pi), self.rng.normal(0, 0.8)
        steps = np.linspace(0.5, self.rng.uniform(1.6, 2.4), 24)
        angles = start + bend * (steps - 0.5)
        points = center + radius * steps[:, None] * np.stack([np.cos(angles), np.sin(angles)], 1)
        width = max(2, round(self.unit * self.rng.uniform(0.025, 0.05)))
        cv2.polylines(canvas, [_fixed_point(points)], False, 255, width, cv2.LINE_AA, _SHIFT)


def _fixed_point(points: np.ndarray) -> np.ndarray:
    """Points in pixels as OpenCV takes fractions of them."""
    return np.rint(points * 2**_SHIFT).astype(np.int32)


def _fill(canvas: np.ndarray, outline: np.ndarray, value: int) -> None:
    """The antialiased inside of an outline (points, 2)."""
    cv2.fillPoly(canvas, [_fixed_point(outline)], value, cv2.LINE_AA, _SHIFT)


def _palette(rng: np.random.Generator) -> np.ndarray:
    """(4, 3) RGB, two dark colors and two light ones; hue and saturation are drawn alike for all."""
    colors = []
    for low, high in ((45, 85), (60, 100), (150, 190), (165, 220)):
        hue, saturation = rng.uniform(0, 2 * np.pi), rng.uniform(0.1, 0.45)
        tint = 1 + saturation * np.cos(hue + np.array([0, 2, 4]) * np.pi / 3)
        colors.append(rng.uniform(low, high) * tint / tint.mean())
    return np.clip(np.array(colors, np.float32), 10, 245)


def _colored(texture: np.ndarray, dark: np.ndarray, light: np.ndarray) -> np.ndarray:
    """(3, height, width): a texture in 0..1 painted between two colors."""
    return dark[:, None, None] + (light - dark)[:, None, None] * texture


def _steep(values: np.ndarray, slope: float) -> np.ndarray:
    """Values around 0 → 0..1 with short transitions."""
    return 0.5 + 0.5 * np.tanh(slope * values)
