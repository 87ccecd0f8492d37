"""The levels of a saliency pyramid as one labeled picture."""

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

GAP = 6
LABEL = 22  # pixels above each tile
PAPER = 24  # gray of the ground
INK = (230, 230, 230)


def pyramid_picture(
    out: Any, image: np.ndarray | None = None, mask: np.ndarray | None = None, height: int = 256
) -> np.ndarray:
    """First image of a network output → uint8 RGB (H, W, 3): the maps above, what each stage added below.

    out: has `saliency` (S3, …, S0 logits, (B, 1, h, w)) and `laplacian` (U2, …, U0), coarse to fine; either may be shorter.
    image: uint8 (H, W, 3), mask: uint8 (H, W), both optional, at any size. height: of one tile.
    Maps are shown as probabilities. Added detail is gray where nothing changes, brighter where a stage adds, darker where
    it takes away, each level stretched by its own largest value, which its label names.
    """
    shape = image.shape[:2] if image is not None else tuple(out.saliency[-1].shape[-2:])
    size = (height, max(16, min(8 * height, round(height * shape[1] / shape[0]))))
    stages = [(f"S{level}", _probability(level_map)) for level, level_map in _numbered(out.saliency)]
    details = [_signed(f"U{level}", level_map) for level, level_map in _numbered(out.laplacian)]
    empty = [("", None)] * (len(stages) - len(details))  # U2 stands below S2
    return np.vstack([_row([("image", image), *stages], size), _row([("mask", mask), *empty, *details], size)])


def _numbered(maps: tuple) -> list[tuple[int, "Tensor"]]:
    """Coarse to fine, the finest is level 0."""
    return [(len(maps) - 1 - place, level_map) for place, level_map in enumerate(maps)]


def _probability(logits: "Tensor") -> np.ndarray:
    return logits[0, 0].detach().float().sigmoid().mul(255).round().byte().cpu().numpy()


def _signed(name: str, detail: "Tensor") -> tuple[str, np.ndarray]:
    """Label with the largest change, and the map around middle gray."""
    values = detail[0, 0].detach().float().nan_to_num().cpu().numpy()
    largest = float(np.abs(values).max())
    scaled = values / largest if largest > 0 else values
    return f"{name} +-{largest:.2g}", np.rint(127.5 + 127.5 * scaled).astype(np.uint8)


def _row(tiles: list[tuple[str, np.ndarray | None]], size: tuple[int, int]) -> np.ndarray:
    """Labeled tiles side by side on dark ground."""
    height, width = size
    row = np.full((LABEL + height + GAP, GAP + len(tiles) * (width + GAP), 3), PAPER, np.uint8)
    for place, (name, tile) in enumerate(tiles):
        left = GAP + place * (width + GAP)
        if tile is None:
            continue
        row[LABEL : LABEL + height, left : left + width] = _fit(tile, size)
        cv2.putText(row, name, (left, LABEL - 7), cv2.FONT_HERSHEY_SIMPLEX, 0.45, INK, 1, cv2.LINE_AA)
    return row


def _fit(tile: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """uint8 (h, w) or (h, w, 3) → (*size, 3); enlarged without smoothing, so that a coarse level looks coarse."""
    smaller = tile.shape[0] > size[0] or tile.shape[1] > size[1]
    tile = cv2.resize(tile, size[::-1], interpolation=cv2.INTER_AREA if smaller else cv2.INTER_NEAREST)
    return tile if tile.ndim == 3 else np.repeat(tile[..., None], 3, axis=2)
