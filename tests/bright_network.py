"""A Remover whose network takes what is bright for the object: the map is the image's first channel."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np

from inspyrenet.networks.network import NetworkMaps
from inspyrenet.remover.remover import Remover


class BrightNetwork:
    """As `networks.network.Network` promises it, at the image's own size."""

    name, weights, device, normalize, merging, batch_size = "Bright", Path("none"), "cpu", "none", False, 1

    @staticmethod
    def preprocess(image: np.ndarray) -> tuple[np.ndarray, None]:
        return image[None, ..., 0] / np.float32(255), None

    def describe(self) -> str:
        return "Bright on cpu"

    def __call__(self, images: np.ndarray, resized: None = None, levels: bool = False) -> NetworkMaps:
        return NetworkMaps(images)


def bright_remover(edges: str = "none") -> Remover:
    remover = Remover.__new__(Remover)
    remover.quality = None
    vars(remover).update(vars(SimpleNamespace(edges=edges, network=BrightNetwork())))
    return remover


def painted(*boxes: tuple[int, int, int, int], size: tuple[int, int] = (60, 80), value: int = 255) -> np.ndarray:
    """uint8 (*size, 3): black, with bright rectangles (left, top, width, height)."""
    image = np.zeros((*size, 3), np.uint8)
    for left, top, width, height in boxes:
        image[top : top + height, left : left + width] = value
    return image
