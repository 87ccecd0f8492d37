"""Masks of every coding in, 8-bit arrays out: the one reader of masks, for training, testing, scoring and every tool.

A file alone does not always tell what its values mean (1 may be an object's label or almost black), so a coding belongs to
a set: `survey` looks at each file, `coding_of` decides for all of them or names the file that contradicts, and `read_mask`
reads a file by that coding.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from .mask_layers import GT_THRESHOLD, REMEDY, Kind, Layer, MaskError, decode_layer, present
from .read import MAX_PIXELS, Source, bytes_of

HIGHEST_LABEL = 33  # classes end at 20 in VOC and at 33 in Cityscapes; a value above can as well be a gray level
_WHITE = 250  # what is at least so bright is meant as white
_HALF = (127, 128)  # "unknown" in masks of three levels
_SHOWN = 6  # values that a message lists


@dataclass(frozen=True)
class Coding:
    """How the masks of a set are read. `label`: the value of the object; 0: values are opacities, 0..255.

    `text` says for people what the set was taken for, `count` how many masks it has, `empty` how many of them have no
    pixel above 128 when they are read.
    """

    label: int = 0
    text: str = "of 0 and 255"
    count: int = 0
    empty: int = 0

    def __str__(self) -> str:
        """As 10,553 masks of 0 and 255."""
        return f"{self.count:,} mask{'' if self.count == 1 else 's'} {self.text}" + (
            f", {self.empty:,} of them empty" if self.empty else ""
        )

    @property
    def without_objects(self) -> bool:
        """Whether all masks are empty."""
        return 0 < self.count == self.empty

    @property
    def key(self) -> str:
        """Names how values are read; equal for sets that are read alike."""
        return f"label {self.label}"

    def read(self, data: bytes, name: str, max_pixels: int = MAX_PIXELS) -> np.ndarray:
        """`read_mask` from the bytes of the file `name`."""
        array, kind, _, _ = decode_layer(data, name, max_pixels)
        if not self.label and kind != "index":
            return array
        values = present(array)
        if values & ~(1 | 1 << self.label):
            raise MaskError(f"{name}: holds {_listed(values)} but its set was taken for masks {self.text}; {REMEDY}")
        return cv2.threshold(array, 0, 255, cv2.THRESH_BINARY)[1]


def read_mask(source: Source, coding: Coding | None = None, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """A mask as a contiguous uint8 array (H, W), upright: 255 is the object, 0 the background, values between are soft.

    `coding` is that of the set which the file belongs to; None takes the file alone for a set.
    Raises ImageError as `read_image` does, MaskError where it is not certain what the values mean.
    """
    data, name = bytes_of(source)
    coding = coding or coding_of([(name, _layer(data, name, max_pixels))])
    return coding.read(data, name, max_pixels)


def survey(source: Source, max_pixels: int = MAX_PIXELS) -> Layer:
    """What a mask file holds, by decoding all of it. Raises as `read_mask` does."""
    return _layer(*bytes_of(source), max_pixels)


def _layer(data: bytes, name: str, max_pixels: int) -> Layer:
    array, kind, color, bits = decode_layer(data, name, max_pixels)
    return Layer(kind, present(array), color, bits)


# -- the coding of a set ------------------------------------------------------------------------------------------

Named = tuple[str, Layer]  # a file's name and what it holds


def coding_of(layers: Iterable[Named]) -> Coding:
    """The one coding in which all files of a set make sense. A set without any object is taken for 0 and 255.

    Raises MaskError where there are several such codings, or none.
    """
    everything = list(layers)
    objects = [(name, layer) for name, layer in everything if not layer.empty]
    black = next((name for name, layer in everything if layer.kind == "black"), None)
    label, text = _meaning(objects, black) if objects else (0, Coding.text)
    without = [layer for _, layer in everything if layer.empty or (not label and layer.highest <= GT_THRESHOLD)]
    return Coding(label, text, len(everything), len(without))


def _meaning(objects: Sequence[Named], black: str | None) -> tuple[int, str]:
    """(label, text) of the coding of masks with an object; `black` is a file that is opaque black with an alpha channel."""
    kinds = {layer.kind for _, layer in objects}
    if black and "alpha" in kinds:
        raise MaskError(
            f"{black}: is opaque and black, but in {_first(objects, 'alpha')} what is opaque is the object; {REMEDY}"
        )
    if "color" in kinds:
        return 0, _one_color(objects)
    _check_scales(objects)
    labels = sorted({layer.label for _, layer in objects})
    if len(labels) == 1 and labels[0]:
        return labels[0], _one_label(objects, labels[0])
    _check_labels(objects)
    highest = _check_levels(objects)
    if kinds == {"alpha"}:
        return 0, "in the alpha channel"
    binary = all(layer.values & ~1 == 1 << 255 for _, layer in objects)
    return 0, Coding.text if binary else f"of soft values, 0 to {highest}"


def _one_color(objects: Sequence[Named]) -> str:
    name, first = next((name, layer) for name, layer in objects if layer.kind == "color")
    for other, layer in objects:
        if layer.color != first.color:
            what = f"is of the color {layer.color}" if layer.color else f"holds {_listed(layer.values)}"
            raise MaskError(f"{other}: {what} but {name} is of the color {first.color}; {REMEDY}")
    return f"of the color {first.color} on black"


def _one_label(objects: Sequence[Named], label: int) -> str:
    name, first = objects[0]
    if label > HIGHEST_LABEL and first.kind != "index":
        raise MaskError(
            f"{name}: holds {_listed(first.values)}: {label} is neither a label nor the white of an object; {REMEDY}"
        )
    return f"of {'the palette indices ' if first.kind == 'index' else ''}0 and {label}"


def _check_scales(objects: Sequence[Named]) -> None:
    """Refuses a set in which some files of 16 bits end at 255 and others go beyond: they would be read by two scales."""
    narrow = next((name for name, layer in objects if layer.bits == 24), None)
    wide = next((name for name, layer in objects if layer.bits in (16, 32)), None)
    if narrow and wide:
        raise MaskError(f"{narrow}: has values of 0 to 255 but {wide} of another range; {REMEDY}")


def _check_labels(objects: Sequence[Named]) -> None:
    """Refuses labels of several objects, and labels beside masks of 0 and 255."""
    numbered = [(name, layer) for name, layer in objects if 0 < layer.label <= HIGHEST_LABEL or layer.kind == "index"]
    if not numbered:
        return
    name, first = max(numbered, key=lambda one: one[1].label == 0)  # a file with several labels shows it best
    if first.label == 0:
        raise MaskError(f"{name}: holds the labels {_listed(first.values)}{_void(first.values)}; {REMEDY}")
    other, layer = next((name, layer) for name, layer in objects if layer.label != first.label)
    raise MaskError(f"{name}: holds {_listed(first.values)} but {other} {_listed(layer.values)}; {REMEDY}")


def _check_levels(objects: Sequence[Named]) -> int:
    """The highest gray level. Refuses levels that may be labels, and those of which none is above half."""
    union = 0
    for _, layer in objects:
        union |= layer.values
    highest, inner = union.bit_length() - 1, union & ~(1 | 1 << 255)
    name, layer = max(objects, key=lambda one: one[1].values.bit_count())
    _check_pairs_of_levels(objects)
    middle = inner & ~sum(1 << value for value in _HALF)
    if middle and not middle >> GT_THRESHOLD + 1:  # opacities would lie above half, too
        name, layer = max(objects, key=lambda one: (one[1].values & middle).bit_count())
        raise MaskError(f"{name}: holds {_listed(layer.values)}, which may be labels{_void(union)}; {REMEDY}")
    if highest < _WHITE:
        raise MaskError(f"{name}: its set ends at {highest} of 255, so its values may be labels; {REMEDY}")
    return highest


def _check_pairs_of_levels(objects: Sequence[Named]) -> None:
    """Refuses a file of 0 and one gray level, beside others in which white is the object."""
    white = next((name for name, layer in objects if layer.highest >= _WHITE), None)
    for name, layer in objects:
        if white and layer.highest < _WHITE and (layer.values & ~1).bit_count() == 1:
            raise MaskError(f"{name}: holds {_listed(layer.values)}, but the object is white in {white}; {REMEDY}")


def _first(objects: Sequence[Named], kind: Kind) -> str:
    return next(name for name, layer in objects if layer.kind == kind)


def _void(values: int) -> str:
    return " (255 may mark a border without a label)" if values >> 255 else ""


def _listed(values: int) -> str:
    """The values in words, as 0, 1 and 2."""
    numbers = [str(value) for value in range(256) if values >> value & 1]
    if len(numbers) > _SHOWN:
        return f"{', '.join(numbers[: _SHOWN - 1])} … {numbers[-1]}"
    return " and ".join(filter(None, (", ".join(numbers[:-1]), numbers[-1])))
