"""Scaling, flips and rotation of image and mask as one affine warp, positioned exactly as Pillow's operations are."""

import math
import threading
from typing import Any

import cv2
import numpy as np

from .transforms import RandomFlip, RandomRotate, RandomScaleCrop, Sample, is_binary, scaled_size

_GEOMETRY = (RandomScaleCrop, RandomFlip, RandomRotate)
_local = threading.local()

Affine = tuple[float, float, float, float, float, float]


class Warp:
    """Geometric steps of a (height, width) frame, collected and then applied at once, with zeros where nothing was.

    `matrix` (a, b, c, d, e, f) maps a position in the output frame to one in the source, x' = a·x + b·y + c and
    y' = d·x + e·y + f, in pixels from the frame's corner, so that the first pixel's middle is (0.5, 0.5).
    """

    def __init__(self, shape: tuple[int, int]):
        self.shape = shape
        self.matrix: Affine = (1, 0, 0, 0, 1, 0)
        self.kinds: list[type] = []
        self.window = (0, 0, *shape)  # top, left, bottom, right: the part of the source that an enlargement keeps
        self.scaled = self.turned = False

    def accepts(self, step: Any) -> bool:
        """True where the step can be fused: each kind once, scaling first, since it cuts the source to a window."""
        fresh = isinstance(step, _GEOMETRY) and type(step) not in self.kinds
        return fresh and not (isinstance(step, RandomScaleCrop) and self.kinds)

    def add(self, step: Any, drawn: Any) -> None:
        """Puts one more step behind those that are there."""
        self.kinds.append(type(step))
        if isinstance(step, RandomFlip):
            self._flip(*drawn)
        elif drawn is not None and isinstance(step, RandomScaleCrop):
            self._scale(drawn)
        elif drawn is not None:
            self._rotate(drawn)

    def planes(self, sample: Sample) -> list[np.ndarray]:
        """Red, green, blue and mask, uint8 (height, width) each; a binary mask stays binary, a soft one soft.

        The planes live in memory that the next call on this thread writes to.
        """
        if not (self.scaled or self.turned):
            planes = cv2.split(np.ascontiguousarray(sample.image), _planes(self.shape)[:3])
            return [self._mirrored(plane) for plane in (*planes, np.ascontiguousarray(sample.mask))]
        # Four channels take no longer than three, and the mask comes for free.
        stacked = cv2.merge([np.ascontiguousarray(sample.image), sample.mask], scratch("stacked", (*self.shape, 4)))
        planes = list(cv2.split(self._warped(stacked), _planes(self.shape)))
        if self.scaled and is_binary(sample.mask):
            cv2.threshold(planes[3], 127, 255, cv2.THRESH_BINARY, dst=planes[3])
        return planes

    def on_indices(self, top: int = 0, left: int = 0) -> np.ndarray:
        """`matrix` as OpenCV takes it, float64 (2, 3): between indices of pixels, of a source that is cut at top and left."""
        to_index = _after(_after((1, 0, -0.5 - left, 0, 1, -0.5 - top), self.matrix), (1, 0, 0.5, 0, 1, 0.5))
        return np.array(to_index, np.float64).reshape(2, 3)

    def _scale(self, scale: float) -> None:
        (height, width), (scaled_height, scaled_width) = self.shape, scaled_size(self.shape, scale)
        zoom_y, zoom_x = height / scaled_height, width / scaled_width
        top, left = (scaled_height - height) // 2, (scaled_width - width) // 2
        self.matrix = _after(self.matrix, (zoom_x, 0, left * zoom_x, 0, zoom_y, top * zoom_y))
        self.scaled = True
        # A later rotation must not bring back what the crop has cut off; whole pixels, rounded outwards.
        self.window = (
            max(0, math.floor(top * zoom_y)),
            max(0, math.floor(left * zoom_x)),
            min(height, math.ceil((top + height) * zoom_y)),
            min(width, math.ceil((left + width) * zoom_x)),
        )

    def _flip(self, lr: bool, ud: bool) -> None:
        height, width = self.shape
        columns, rows = (-1, 0, width) if lr else (1, 0, 0), (0, -1, height) if ud else (0, 1, 0)
        self.matrix = _after(self.matrix, (*columns, *rows))

    def _rotate(self, angle: float) -> None:
        """As Pillow turns: about the middle, on a frame that grows to hold everything, of which the center is kept."""
        height, width = self.shape
        radians = -math.radians(angle % 360)
        cosine, sine = math.cos(radians), math.sin(radians)
        grown_height, grown_width = _grown(self.shape, cosine, sine)
        left, top = (grown_width - width) // 2, (grown_height - height) // 2
        to_middle = (1, 0, left - grown_width / 2, 0, 1, top - grown_height / 2)
        turn = (cosine, sine, width / 2, -sine, cosine, height / 2)
        self.matrix = _after(_after(self.matrix, turn), to_middle)
        self.turned = True

    def _mirrored(self, plane: np.ndarray) -> np.ndarray:
        lr, ud = self.matrix[0] < 0, self.matrix[4] < 0
        return cv2.flip(plane, -1 if lr and ud else 1 if lr else 0) if lr or ud else plane

    def _warped(self, stacked: np.ndarray) -> np.ndarray:
        top, left, bottom, right = self.window if self.turned else (0, 0, *self.shape)
        return cv2.warpAffine(
            stacked[top:bottom, left:right],
            self.on_indices(top, left),
            self.shape[::-1],
            dst=scratch("warped", stacked.shape),
            flags=(cv2.INTER_LINEAR if self.scaled else cv2.INTER_NEAREST) | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_CONSTANT,
        )


def scratch(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """A uint8 array that this thread may overwrite: fresh memory of this size costs as much as a filter."""
    kept = _local.__dict__.get(name)
    if kept is None or kept.shape != shape:
        kept = _local.__dict__[name] = np.empty(shape, np.uint8)
    return kept


def _planes(shape: tuple[int, int]) -> list[np.ndarray]:
    return [scratch(f"plane{index}", shape) for index in range(4)]


def _after(outer: Affine, inner: Affine) -> Affine:
    """The affine map that carries out `inner` and then `outer`."""
    a, b, c, d, e, f = outer
    p, q, r, s, t, u = inner
    return a * p + b * s, a * q + b * t, a * r + b * u + c, d * p + e * s, d * q + e * t, d * r + e * u + f


def _grown(shape: tuple[int, int], cosine: float, sine: float) -> tuple[int, int]:
    """(height, width) of the frame that holds a turned one, by Pillow's rounding."""
    height, width = shape
    cosine, sine = round(cosine, 15), round(sine, 15)
    middle_x, middle_y = width / 2, height / 2
    xs, ys = [], []
    for x, y in ((0, 0), (width, 0), (width, height), (0, height)):
        xs.append(cosine * (x - middle_x) + sine * (y - middle_y) + middle_x)
        ys.append(-sine * (x - middle_x) + cosine * (y - middle_y) + middle_y)
    return math.ceil(max(ys)) - math.floor(min(ys)), math.ceil(max(xs)) - math.floor(min(xs))
