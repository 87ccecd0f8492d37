"""Contact sheets: images with their masks, as they are or as training sees them after augmentation."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ..data.datasets.pairs import Pair
from ..data.images.preprocess import resize
from ..data.images.read import read_image

if TYPE_CHECKING:
    from ..utils.config.schema import Config

TILE = 168  # pixels: height and width of the field for one picture
LABEL = 18
GAP = 4
PAPER, INK = (24, 24, 24), (230, 230, 230)
TINT = np.array([255, 40, 40], np.float32)  # over the object
VERSIONS = 5  # of each image, with augmentation

Picture = tuple[np.ndarray, np.ndarray]  # image uint8 (H, W, 3) and mask uint8 (H, W)


def contact_sheet(pairs: Sequence[Pair], path: Path, columns: int = 6) -> None:
    """Write a PNG: each image beside itself with its object tinted, and its name. Raises ImageError, OSError."""
    fields = [(pair.name, [_tile(*_read(pair), tint=tint) for tint in (False, True)]) for pair in pairs]
    _write(fields, path, max(1, columns // 2))


def augmented_sheet(pairs: Sequence[Pair], config: "Config", path: Path) -> None:
    """Write a PNG: each image with its object tinted, and then as it is shown in five epochs of training by this config.

    Raises MissingSection where it has no training, ValueError where it has label maps, ImageError, OSError.
    """
    from ..engine import build

    section = build.section(config, "Train").Dataset
    if section.scenes:
        raise ValueError(
            f"{config.name}: Train.Dataset.type: {section.type} has label maps, and only masks can be shown"
        )
    dataset = build.train_dataset(
        section.model_copy(update={"cache": "none"}), pairs, config.seed, config.Debug.pipeline
    )
    mean, std = (
        np.asarray(values, np.float32)
        for values in (section.transforms.normalize.mean, section.transforms.normalize.std)
    )
    fields = []
    for index, pair in enumerate(pairs):
        tiles = [_tile(*_read(pair))]
        for epoch in range(VERSIONS):
            dataset.set_epoch(epoch)
            item: dict[str, Any] = dataset[index]
            image = item["image"].numpy().transpose(1, 2, 0) * std + mean
            mask = item["mask"].numpy()[0]
            tiles.append(_tile(*(np.rint(255 * array.clip(0, 1)).astype(np.uint8) for array in (image, mask))))
        fields.append((pair.name, tiles))
    _write(fields, path, 1)


def _read(pair: Pair) -> Picture:
    return read_image(pair.image), pair.read_mask()


def _tile(image: np.ndarray, mask: np.ndarray, tint: bool = True) -> np.ndarray:
    """uint8 (TILE, TILE, 3): the picture as large as fits, in the middle."""
    scale = TILE / max(image.shape[:2])
    size = (max(1, round(image.shape[0] * scale)), max(1, round(image.shape[1] * scale)))
    small: np.ndarray = resize(image, size).astype(np.float32)
    if tint:
        weight = 0.55 * resize(mask, size).astype(np.float32)[..., None] / 255
        small = small * (1 - weight) + TINT * weight
    tile: np.ndarray = np.full((TILE, TILE, 3), PAPER, np.uint8)
    top, left = (TILE - size[0]) // 2, (TILE - size[1]) // 2
    tile[top : top + size[0], left : left + size[1]] = np.rint(small).astype(np.uint8)
    return tile


def _write(fields: Sequence[tuple[str, Sequence[np.ndarray]]], path: Path, columns: int) -> None:
    """Fields of equally many tiles with their names above, in rows of `columns` fields."""
    width = len(fields[0][1]) * (TILE + GAP) + 2 * GAP
    rows = -(-len(fields) // columns)
    sheet = Image.new("RGB", (min(columns, len(fields)) * width, rows * (TILE + LABEL + GAP)), PAPER)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(12)
    for place, (name, tiles) in enumerate(fields):
        left, top = place % columns * width, place // columns * (TILE + LABEL + GAP)
        while draw.textlength(name, font) > width - 2 * GAP:
            name = f"…{name[2:]}"
        draw.text((left + GAP, top + 2), name, INK, font)
        for number, tile in enumerate(tiles):
            sheet.paste(Image.fromarray(tile), (left + GAP + number * (TILE + GAP), top + LABEL))
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path)
