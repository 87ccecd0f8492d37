"""Scenes in color: palettes, classes over the photograph, a legend, and what a network makes of training images."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import nn

from ..data.datasets.pairs import Pair
from ..data.images.label_maps import Color
from ..data.images.preprocess import Preprocess, resize
from ..data.images.read import read_image
from ..utils.train.epoch_pictures import EpochPictures
from .predictor import ScenePredictor

LINE, PADDING, LETTERS = 22, 8, 14  # pixels of the legend
PAPER, INK = (24, 24, 24), (230, 230, 230)
SHARE = 0.55  # of a class's color in an overlay


def voc_palette() -> tuple[Color, ...]:
    """256 colors as PASCAL VOC gives them: bits 0, 3 and 6 of the class are the highest bits of red, and so on."""
    return tuple((_bits(number), _bits(number >> 1), _bits(number >> 2)) for number in range(256))


def _bits(number: int) -> int:
    """Bits 0, 3 and 6 of a number as the highest three bits of a byte."""
    return sum(((number >> 3 * bit) & 1) << 7 - bit for bit in range(3))


def whole_palette(chosen: Sequence[Color] | None) -> tuple[Color, ...]:
    """256 colors: the chosen ones, then black; those of VOC where none are chosen."""
    return voc_palette() if chosen is None else (*chosen, *[(0, 0, 0)] * (256 - len(chosen)))


def colored(labels: np.ndarray, palette: Sequence[Color]) -> np.ndarray:
    """A label map uint8 (H, W) in color, uint8 (H, W, 3)."""
    return np.array(palette, np.uint8)[labels]


def overlay(image: np.ndarray, labels: np.ndarray, palette: Sequence[Color], names: Sequence[str]) -> np.ndarray:
    """The photograph under its classes' colors, with a legend of the classes in it on the right; uint8 RGB."""
    mixed = np.rint((1 - SHARE) * image + SHARE * colored(labels, palette)).astype(np.uint8)
    return beside([mixed], legend(np.unique(labels).tolist(), palette, names))


def legend(classes: Sequence[int], palette: Sequence[Color], names: Sequence[str]) -> np.ndarray:
    """A box of its color and the name of every class, one below the other; uint8 RGB."""
    font = ImageFont.load_default(LETTERS)
    texts = [names[number] if number < len(names) else str(number) for number in classes]
    width = 4 * PADDING + LETTERS + round(max(font.getlength(text) for text in texts))
    picture = Image.new("RGB", (width, 2 * PADDING + LINE * len(texts)), PAPER)
    draw = ImageDraw.Draw(picture)
    for line, (number, text) in enumerate(zip(classes, texts, strict=True)):
        top = PADDING + line * LINE
        draw.rectangle((PADDING, top, PADDING + LETTERS, top + LETTERS), tuple(palette[number]), INK)
        draw.text((2 * PADDING + LETTERS, top + LETTERS), text, INK, font, anchor="ls")
    return np.asarray(picture)


def beside(tiles: Sequence[np.ndarray], right: np.ndarray) -> np.ndarray:
    """Pictures side by side, the last one from the top, on dark paper as high as the highest."""
    parts = [*tiles, right]
    height = max(part.shape[0] for part in parts)
    padded = [np.full((height, part.shape[1], 3), PAPER, np.uint8) for part in parts]
    for paper, part in zip(padded, parts, strict=True):
        paper[: part.shape[0]] = part
    return np.hstack(padded)


class ScenePictures(EpochPictures):
    """After each epoch: the first training images, their labels and the prediction, to TensorBoard and, with a folder, as PNG."""

    name = "scenes"

    def __init__(
        self,
        pairs: Sequence[Pair],
        preprocess: Preprocess,
        folder: Path | None,
        device: torch.device,
        count: int = 2,
    ):
        self.pairs, self.preprocess = pairs[:count], preprocess
        super().__init__(folder)
        self.device, self.palette = device, voc_palette()

    def drawn(self, model: nn.Module) -> np.ndarray:
        """See `EpochPictures`."""
        return np.vstack([self._picture(model, pair) for pair in self.pairs])

    def _picture(self, model: nn.Module, pair: Pair) -> np.ndarray:
        """Image, labels and prediction at the training size; black where the network's values are not finite."""
        image = read_image(pair.image)
        array, _ = self.preprocess(image)
        size = (array.shape[-2], array.shape[-1])
        (predicted,) = ScenePredictor(model, self.device)(torch.from_numpy(array)[None], [size])
        labels = resize(pair.read_mask(), size, smooth=False)
        shown = np.zeros((*size, 3), np.uint8) if predicted is None else colored(predicted, self.palette)
        return np.hstack([resize(image, size), colored(labels, self.palette), shown])
