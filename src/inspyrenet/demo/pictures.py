"""What the page shows of an image: everything is computed once, types and thresholds are applied to that."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from ..data.images.color_profile import to_srgb
from ..data.images.decoded import DecodedImage
from ..networks.network import NetworkMaps, sigmoid
from ..remover.compositing import OutputStyle, composite, seen_by_network
from ..remover.image_types import Result
from ..remover.remover import Remover

SHOWN = 1600  # pixels of the longer side on the page; the download has all
SQUARE = 12  # pixels of the checkerboard
LIGHT, DARK = 255, 214
TILE = 320  # pixels of the longer side of a level


@dataclass(frozen=True)
class Level:
    """One map of the pyramid: its name (S3, U2, …), its size in the network, and a picture uint8 (h, w)."""

    name: str
    size: tuple[int, int]
    picture: np.ndarray


@dataclass(frozen=True)
class Prediction:
    """An image as the network saw it, uint8 (H, W, 3), its map uint8 (H, W), the stages that led there: (S3,), (S2, U2), …,
    the image as it came, and the quality as of `Result`."""

    image: np.ndarray
    saliency: np.ndarray
    stages: list[tuple[Level, ...]]
    source: DecodedImage
    quality: float | None = None


def predict(remover: Remover, source: DecodedImage) -> Prediction:
    """Run the network on an image."""
    maps = remover.predict([source], levels=True)[0]
    image = seen_by_network(source)
    found = stages(maps, image.shape[:2])
    return Prediction(image, remover.map_of(maps, source), found, source, remover.quality_of(maps))


def finish(
    remover: Remover, prediction: Prediction, style: OutputStyle, threshold: float | None, reverse: bool
) -> Result:
    """The result as the Remover makes it, without running the network again."""
    return remover.compose(prediction.source, prediction.saliency, style, threshold, reverse)


def stages(maps: NetworkMaps, shape: tuple[int, int]) -> list[tuple[Level, ...]]:
    """The pyramid, coarse to fine: each stage's map, and the detail that made it out of the one before."""
    top = len(maps.saliency) - 1
    results = [_level(f"S{top - k}", _probability(one), one, shape) for k, one in enumerate(maps.saliency)]
    details = [_level(f"U{top - 1 - k}", _signed(one), one, shape) for k, one in enumerate(maps.laplacian)]
    return [(results[0],), *zip(results[1:], details, strict=False)] if details else [(one,) for one in results]


def _level(name: str, picture: np.ndarray, source: np.ndarray, shape: tuple[int, int]) -> Level:
    """Enlarged without smoothing, so that a coarse level looks coarse, in the shape of the image."""
    scale = TILE / max(shape)
    size = (max(1, round(shape[1] * scale)), max(1, round(shape[0] * scale)))
    smaller = picture.shape[0] > size[1] or picture.shape[1] > size[0]
    how = Image.Resampling.HAMMING if smaller else Image.Resampling.NEAREST
    resized = np.asarray(Image.fromarray(picture).resize(size, how))
    return Level(name, (source.shape[-2], source.shape[-1]), resized)


def _probability(logits: np.ndarray) -> np.ndarray:
    return np.rint(255 * sigmoid(logits[0, 0])).astype(np.uint8)


def _signed(detail: np.ndarray) -> np.ndarray:
    """Around middle gray: brighter where a stage adds, darker where it takes away, stretched by the largest change."""
    values = np.nan_to_num(detail[0, 0])
    return np.rint(127.5 + 127.5 * values / max(float(np.abs(values).max()), 1e-6)).astype(np.uint8)


def shrink(array: np.ndarray, longest: int = SHOWN) -> np.ndarray:
    """For the page: no side longer than that."""
    scale = longest / max(array.shape[:2])
    if scale >= 1:
        return array
    size = (max(1, round(array.shape[1] * scale)), max(1, round(array.shape[0] * scale)))
    return np.asarray(Image.fromarray(array).resize(size, Image.Resampling.HAMMING))


def shown(array: np.ndarray, icc: bytes | None = None) -> np.ndarray:
    """uint8 (H, W[, 3 or 4]) in that color profile → (h, w, 3) in sRGB, transparency over a checkerboard."""
    array = to_srgb(shrink(array), icc)
    if array.ndim == 2:
        return np.repeat(array[..., None], 3, axis=2)
    if array.shape[2] == 3:
        return array
    return composite(array[..., :3], checkerboard(array.shape[:2]), array[..., 3])


def checkerboard(size: tuple[int, int]) -> np.ndarray:
    """uint8 (*size, 3)"""
    y, x = np.indices(size) // SQUARE
    return np.repeat(np.where((x + y) % 2, np.uint8(DARK), np.uint8(LIGHT))[..., None], 3, axis=2)
