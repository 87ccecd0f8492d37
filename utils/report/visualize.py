"""The levels of a saliency pyramid as one labeled picture."""

from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

GAP = 6
LABEL = 22  # pixels above each tile
LETTERS = 13  # their height
PAPER = 24  # gray of the ground
INK = (230, 230, 230)


def pyramid_picture(
    out: Any, image: np.ndarray | None = None, mask: np.ndarray | None = None, height: int = 256
) -> np.ndarray:
    """First image of a network output → uint8 RGB (H, W, 3): the maps above, what each stage added below.

    out: has `saliency` (S3, …, S0 logits, (B, 1, h, w)) and `laplacian` (U2, …, U0), coarse to fine; either may be shorter. They
    are arrays or torch tensors on any device.
    image: uint8 (H, W, 3), mask: uint8 (H, W), both optional, at any size. height: of one tile.
    Maps are shown as probabilities. Added detail is gray where nothing changes, brighter where a stage adds, darker where
    it takes away, each level stretched by its own largest value, which its label names.
    """
    shape = image.shape[:2] if image is not None else tuple(out.saliency[-1].shape[-2:])
    size = tile_size(shape, height)
    stages = [(f"S{level}", _probability(level_map)) for level, level_map in _numbered(out.saliency)]
    details = [_signed(f"U{level}", level_map) for level, level_map in _numbered(out.laplacian)]
    empty = [("", None)] * (len(stages) - len(details))  # U2 stands below S2
    rows = [[("image", image), *stages], [("mask", mask), *empty, *details]]
    return np.vstack([labeled_row(row, size) for row in rows])


def tile_size(shape: tuple[int, ...], height: int) -> tuple[int, int]:
    """(height, width) of a tile that shows an image of this shape."""
    return height, max(16, min(8 * height, round(height * shape[1] / shape[0])))


def _numbered(maps: tuple) -> list[tuple[int, np.ndarray]]:
    """Coarse to fine, the finest is level 0."""
    return [(len(maps) - 1 - place, _first(level_map)) for place, level_map in enumerate(maps)]


def _first(level_map: Any) -> np.ndarray:
    """float32 (h, w): the first image's map."""
    one = level_map[0, 0]
    if hasattr(one, "detach"):  # a tensor
        one = one.detach().float().cpu().numpy()
    return np.nan_to_num(one.astype(np.float32))


def _probability(logits: np.ndarray) -> np.ndarray:
    return np.rint(255 * np.exp(-np.logaddexp(0, -logits))).astype(np.uint8)  # the sigmoid, without overflow


def _signed(name: str, values: np.ndarray) -> tuple[str, np.ndarray]:
    """Label with the largest change, and the map around middle gray."""
    largest = float(np.abs(values).max())
    scaled = values / largest if largest > 0 else values
    return f"{name} +-{largest:.2g}", np.rint(127.5 + 127.5 * scaled).astype(np.uint8)


def labeled_row(tiles: list[tuple[str, np.ndarray | None]], size: tuple[int, int]) -> np.ndarray:
    """Labeled tiles side by side on dark ground; None leaves a place empty."""
    height, width = size
    row = Image.new("RGB", (GAP + len(tiles) * (width + GAP), LABEL + height + GAP), (PAPER,) * 3)
    draw, font = ImageDraw.Draw(row), ImageFont.load_default(LETTERS)
    for place, (name, tile) in enumerate(tiles):
        left = GAP + place * (width + GAP)
        if tile is None:
            continue
        row.paste(_fit(tile, size), (left, LABEL))
        draw.text((left, LABEL - 7), name, INK, font, anchor="ls")
    return np.asarray(row)


def _fit(tile: np.ndarray, size: tuple[int, int]) -> Image.Image:
    """uint8 (h, w) or (h, w, 3) at (height, width); enlarged without smoothing, so that a coarse level looks coarse."""
    smaller = tile.shape[0] > size[0] or tile.shape[1] > size[1]
    return Image.fromarray(tile).resize(size[::-1], Image.Resampling.HAMMING if smaller else Image.Resampling.NEAREST)
