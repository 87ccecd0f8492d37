"""An image with what goes with it, as words and buffers that go through a pipe."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..data.images.decoded import DecodedImage, Metadata
from .frames import Buffer


def packed(image: DecodedImage) -> tuple[dict[str, Any], list[Buffer]]:
    """Words and buffers for `unpacked`."""
    metadata = image.metadata
    parts = {"alpha": image.alpha, "icc": metadata.icc, "exif": metadata.exif}
    there = {name: part for name, part in parts.items() if part is not None}
    words = {"shape": image.array.shape, "dpi": metadata.dpi, "parts": [*there]}
    return words, [_buffer(part) for part in (image.array, *there.values())]


def unpacked(words: dict[str, Any], buffers: Sequence[Buffer]) -> DecodedImage:
    """The image again; its arrays share memory with the buffers."""
    parts = dict(zip(words["parts"], buffers[1:], strict=True))
    icc, exif = (bytes(parts[name]) if name in parts else None for name in ("icc", "exif"))
    array = np.frombuffer(buffers[0], np.uint8).reshape(words["shape"])
    alpha = np.frombuffer(parts["alpha"], np.uint8).reshape(array.shape[:2]) if "alpha" in parts else None
    dpi = words["dpi"] and (words["dpi"][0], words["dpi"][1])
    return DecodedImage(array, alpha, Metadata(icc, dpi, exif))


def _buffer(part: np.ndarray | bytes) -> Buffer:
    return np.ascontiguousarray(part).data if isinstance(part, np.ndarray) else part
