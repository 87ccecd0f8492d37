"""What a person says about an object: a coarse mask, boxes, clicks and strokes; checked when it is made."""

import reprlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from numbers import Real
from typing import Any, Literal, cast

import numpy as np
from PIL import Image

from ..data.images.decoded import decode
from ..data.images.read import ImageError
from .mask_image import gray_of

Point = tuple[float, float]  # x, y in pixels of the upright image, from its upper left corner
Box = tuple[float, float, float, float]  # x, y of the upper left corner, width, height
Base = Literal["auto", "model", "prompt"]

BASES = ("auto", "model", "prompt")
MOST = 10_000  # strokes, boxes, and points of a stroke
FARTHEST = 1_000_000  # pixels from the image's corner: no image is as large


class PromptError(ValueError):
    """A prompt that cannot be; the message says why."""


@dataclass(frozen=True)
class Stroke:
    """Points that a pen went through, in pixels of the upright image; one point is a click.

    keep: the object is there, or else it is not. width: of the pen, in pixels; None: a fortieth of the image's longer side.
    Raises PromptError for no point at all, and for what is no number of pixels.
    """

    points: tuple[Point, ...]
    keep: bool = True
    width: float | None = None

    def __post_init__(self):
        if not self.points:
            raise PromptError("a stroke has at least one point")
        _check_count(self.points, "points of a stroke")
        for point in self.points:
            _check_numbers(point, 2, "a point is x, y")
        if self.width is not None and not (_is_number(self.width) and self.width > 0):
            raise PromptError(f"a stroke's width is a number of pixels above 0, not {self.width!r}")

    def __str__(self) -> str:
        x, y = self.points[0]
        return f"{'keep' if self.keep else 'remove'} at {x:g},{y:g}"


@dataclass(frozen=True, eq=False)
class Prompt:
    """All that was said about one image.

    mask: how sure the object is, bool, uint8 (0..255, or 0 and 1) or floats in 0..1, (H, W) of any size, stretched over the image.
    boxes: the object lies within one of them; nothing outside is object. strokes: in the order drawn; where they overlap, the
    later one counts.
    base: what the prompt starts from. "model": the network's own map, to which a mask adds; "prompt": nothing but the prompt,
    that is the mask, or else no object at all, or in boxes an unknown one; "auto": "prompt" where there is a mask, else "model".
    Raises PromptError for a mask that is no map, for boxes without area, and for an unknown base.
    """

    mask: np.ndarray | None = None
    boxes: tuple[Box, ...] = ()
    strokes: tuple[Stroke, ...] = ()
    base: Base = "auto"
    probability: np.ndarray | None = field(init=False, default=None)  # the mask as float32 in 0..1

    def __post_init__(self):
        if self.base not in BASES:
            raise PromptError(f"base is {', '.join(BASES)}, not {self.base!r}")
        _check_count(self.boxes, "boxes")
        _check_count(self.strokes, "strokes")
        for box in self.boxes:
            _check_numbers(box, 4, "a box is x, y, width, height")
            if min(box[2:]) <= 0:
                raise PromptError(f"a box has a width and a height above 0, not {_words(box)}")
        if self.mask is not None:
            object.__setattr__(self, "probability", probability_of(self.mask))
        if self.base == "prompt" and self.is_empty:
            raise PromptError("the prompt is to stand in place of the network's map, but it is empty")

    @property
    def is_empty(self) -> bool:
        """Whether nothing was said."""
        return self.mask is None and not self.boxes and not self.strokes

    @property
    def replaces(self) -> bool:
        """Whether the network's own map does not count."""
        return self.base == "prompt" or (self.base == "auto" and self.mask is not None)

    def check(self, shape: tuple[int, int]) -> None:
        """Raises PromptError where something lies outside an image of (height, width), or contradicts itself."""
        height, width = shape
        size = f"the image, which has {width}×{height} pixels"
        boxes = np.array(self.boxes, float)
        for stroke in self.strokes:
            if not _crosses(stroke.points, np.array([(0, 0, width, height)])):
                raise PromptError(f"{stroke} lies outside {size}")
            if stroke.keep and self.boxes and not _crosses(stroke.points, boxes):
                raise PromptError(f"{stroke} lies outside the boxes: nothing outside them is kept")
        for x, y, w, h in self.boxes:
            if x >= width or y >= height or x + w <= 0 or y + h <= 0:
                raise PromptError(f"the box {_words((x, y, w, h))} lies outside {size}")
            if min(x + w, width) - max(x, 0) < 1 or min(y + h, height) - max(y, 0) < 1:
                raise PromptError(f"the box {_words((x, y, w, h))} has less than a pixel of {size}")
        if self.probability is not None and self.boxes and not _marks(self.probability, self.boxes, shape):
            raise PromptError("the mask marks nothing within the boxes, and nothing outside them is kept")
        if self.replaces and not self.boxes and not any(stroke.keep for stroke in self.strokes):
            if self.probability is None:
                raise PromptError("in place of the network's map there is nothing to keep: only strokes that remove")
            if self.probability.max() < 0.5:
                raise PromptError("the mask marks nothing: no value of it is a half or more")


def prompt_of(
    prompt: Prompt | None = None, mask: Any = None, boxes: Iterable[Sequence[float]] = (), points: Iterable[Any] = ()
) -> Prompt | None:
    """A prompt as `Remover.process` takes it: ready-made, or by its parts; None where nothing was said.

    mask: array or Pillow image. boxes: (x, y, width, height). points: (x, y) or (x, y, keep), keep true or false; or `Stroke`.
    Raises PromptError.
    """
    boxes, points = (_listed(items, what) for items, what in ((boxes, "boxes"), (points, "points")))
    if not isinstance(prompt, Prompt | None):
        raise PromptError(f"prompt is a Prompt, not {reprlib.repr(prompt)}: mask, boxes and points make one, too")
    if prompt is not None:
        if mask is not None or boxes or points:
            raise PromptError("give a prompt, or mask, boxes and points, not both")
        return None if prompt.is_empty else prompt
    made = Prompt(
        None if mask is None else _array(mask),
        tuple(cast(Box, _tuple(box, "a box is x, y, width, height")) for box in boxes),
        tuple(map(_stroke, points)),
    )
    return None if made.is_empty else made


def _listed(items: Iterable[Any], what: str) -> list[Any]:
    found = [*_tuple(items, f"{what} is a list of {what}")]
    if any(_is_number(item) for item in found):
        raise PromptError(f"{what} is a list of {what}, also for a single one: [{_words(found)}]")
    return found


def _tuple(items: Any, what: str) -> tuple[Any, ...]:
    if not isinstance(items, Iterable):
        raise PromptError(f"{what}, not {reprlib.repr(items)}")
    return tuple(items)


def _array(mask: Any) -> np.ndarray:
    """A Pillow image as its file would be read. Raises PromptError for what is no array, nor anything that becomes one."""
    if isinstance(mask, Image.Image):
        try:
            return gray_of(decode(mask, label="the mask"))
        except ImageError as error:
            raise PromptError(str(error)) from error
    try:
        array = np.asarray(mask)
    except ValueError:
        raise PromptError("a mask has rows that are equally long") from None
    if array.dtype.kind in "OUS":
        raise PromptError(f"a mask is an array or a Pillow image, not {reprlib.repr(mask)}")
    return array


def probability_of(mask: Any) -> np.ndarray:
    """A mask as float32 (H, W) in 0..1. Raises PromptError for what is no map of one channel with values in range."""
    mask = _array(mask)
    if mask.ndim == 3 and mask.shape[2] == 1:
        mask = mask[..., 0]
    if mask.ndim != 2 or 0 in mask.shape:
        raise PromptError(f"a mask is (height, width), not of shape {mask.shape}: give one channel")
    if mask.dtype == bool:
        return mask.astype(np.float32)
    if mask.dtype == np.uint8:  # of labels 0 and 1, or of gray levels
        return mask.astype(np.float32) / (1 if mask.max() == 1 else 255)
    if not np.issubdtype(mask.dtype, np.floating):
        raise PromptError(f"a mask is bool, uint8 or of floats in 0..1, not {mask.dtype}: divide by its white")
    if not np.isfinite(mask).all():
        raise PromptError("the mask has values that are not finite")
    if mask.min() < 0 or mask.max() > 1:
        raise PromptError(f"a mask of floats has values in 0..1, not {mask.min():g}..{mask.max():g}")
    return mask.astype(np.float32)


def _stroke(point: Any) -> Stroke:
    if isinstance(point, Stroke):
        return point
    values = _tuple(point, "a point is (x, y) or (x, y, keep)")
    if len(values) not in (2, 3) or (len(values) == 3 and values[2] not in (0, 1)):
        raise PromptError(f"a point is (x, y) or (x, y, keep), keep true or false, not {point!r}")
    return Stroke((values[:2],), bool(values[2]) if len(values) == 3 else True)


def _crosses(points: Sequence[Point], boxes: np.ndarray) -> bool:
    """A line through points, which may be a single one, has a part in one of the boxes, (N, 4).

    Liang and Barsky: from where to where each way from point to point lies between both pairs of a box's sides.
    """
    first, length = boxes[:, :2], boxes[:, 2:]
    if any(((first <= point) & (point < first + length)).all(1).any() for point in np.array(points, float)):
        return True
    for start, end in pairwise(points):
        step = np.subtract(end, start, dtype=float)
        before, behind = first - start, first + length - start
        with np.errstate(divide="ignore", invalid="ignore"):
            ways = np.stack([before / step, behind / step])
        still = step == 0
        enter = np.where(still, 0, ways.min(0)).max(1).clip(0)
        leave = np.where(still, 1, ways.max(0)).min(1).clip(max=1)
        if ((enter < leave) & (~still | ((before <= 0) & (behind > 0))).all(1)).any():
            return True
    return False


def _marks(mask: np.ndarray, boxes: Sequence[Box], shape: tuple[int, int]) -> bool:
    """A value of a half or more of the mask lies in a box, at least in part; shape: of the image over which it is stretched.

    One pass over the mask counts such values above and to the left of each corner (an integral image); boxes cost nearly nothing.
    """
    counts = np.zeros((mask.shape[0] + 1, mask.shape[1] + 1), np.int32)
    np.cumsum(mask >= 0.5, 0, np.int32, out=counts[1:, 1:])
    np.cumsum(counts, 1, out=counts)
    x, y, width, height = np.array(boxes, float).T
    top, bottom = _cells(y, y + height, mask.shape[0], shape[0])
    left, right = _cells(x, x + width, mask.shape[1], shape[1])
    inside = counts[bottom, right] - counts[top, right] - counts[bottom, left] + counts[top, left]
    return bool(inside.any())


def _cells(start: np.ndarray, end: np.ndarray, cells: int, length: int) -> tuple[np.ndarray, np.ndarray]:
    """The first of the cells that lie over `length` pixels which is touched between start and end, and the one behind the last."""
    first, stop = np.floor(start * (cells / length)), np.ceil(end * (cells / length))
    return first.clip(0, cells).astype(int), stop.clip(0, cells).astype(int)


def _is_number(value: object) -> bool:
    number = isinstance(value, Real) and not isinstance(value, bool)
    return number and abs(cast(float, value)) <= FARTHEST  # which NaN is not


def _check_numbers(values: Sequence[object], count: int, what: str) -> None:
    if len(values) != count or not all(map(_is_number, values)):
        raise PromptError(f"{what} in pixels, none beyond {FARTHEST:,}, not {_words(values)}")


def _check_count(items: Sequence[object], what: str) -> None:
    if len(items) > MOST:
        raise PromptError(f"{len(items):,} {what} are too many: {MOST:,} at most")


def _words(values: Sequence[object]) -> str:
    plain = (isinstance(value, float | np.floating) or _is_number(value) for value in values)
    return ",".join(f"{value:g}" if told else reprlib.repr(value) for value, told in zip(values, plain, strict=True))
