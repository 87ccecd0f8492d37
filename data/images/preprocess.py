"""The one preprocessing of test, inference, programming interface and export: upright image in, network input out.

And its inverse at the other end: the network's map at the image's own size.
"""

import functools
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from PIL import Image

from .bilinear import interpolated
from .bounds import BAND, bands, size_problem

MEAN = (0.485, 0.456, 0.406)  # of ImageNet, RGB in 0..1
STD = (0.229, 0.224, 0.225)
MULTIPLE = 32  # of the sides that dynamic sizing gives
LONGEST = 8  # times the bound of the shorter side: what dynamic sizing gives at most, so that panoramas stay affordable

Triple = tuple[float, float, float]
Sizing = Literal["static", "dynamic"]
Backend = Literal["pillow", "opencv"]
Stretch = Literal["none", "minmax"]


class NotFiniteError(ValueError):
    """A network gave a map with values that are not finite."""


@dataclass(frozen=True)
class Preprocess:
    """Sizing and normalization.

    sizing "static": straight to `size` (height, width), whatever the aspect ratio. sizing "dynamic": `size` bounds the
    shorter side and eight times `size` the longer one; both become multiples of 32 and then what `fit` makes of them: the
    nearest size that the network takes (None: they stay). `base_size` asks for a second, small copy (height, width) for pyramid
    blending; it is made from the original image. `mean` and `std` None: no normalization, values 0..1.
    backend "pillow": antialiased bilinear; "opencv": plain bilinear, as BiRefNet was trained and measured. On photographs
    that are halved or more the two differ visibly, and a network should see what it was trained with.
    Raises ValueError for settings that cannot be, ImportError for backend "opencv" where OpenCV is not installed.
    """

    sizing: Sizing = "static"
    size: tuple[int, int] | int = (384, 384)
    base_size: tuple[int, int] | None = None
    mean: Triple | None = MEAN
    std: Triple | None = STD
    backend: Backend = "pillow"
    fit: Callable[[tuple[int, int]], tuple[int, int]] | None = field(default=None, compare=False)

    def __post_init__(self):
        if self.sizing not in ("static", "dynamic"):
            raise ValueError(f"sizing must be 'static' or 'dynamic', not {self.sizing!r}")
        if self.sizing == "dynamic" and not isinstance(self.size, int):
            raise ValueError(f"dynamic sizing takes one number, the bound of the shorter side, not {self.size!r}")
        if self.sizing == "static" and not _is_size(self.size):
            raise ValueError(f"static sizing takes (height, width), not {self.size!r}")
        if self.base_size is not None and not _is_size(self.base_size):
            raise ValueError(f"base_size is (height, width), not {self.base_size!r}")
        if (self.mean is None) != (self.std is None):
            raise ValueError("give both mean and std, or neither")
        check_backend(self.backend)
        if self.backend == "opencv":  # absent: better now than at each image
            _load_opencv()

    def __call__(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """uint8 RGB (H, W, 3) → float32 (3, h, w), contiguous, and the base-size copy (3, b, b) or None."""
        check_image(image)
        prepared = self._prepare(image, self.target_size(image.shape[:2]))
        return prepared, None if self.base_size is None else self._prepare(image, self.base_size)

    def target_size(self, shape: tuple[int, int]) -> tuple[int, int]:
        """(height, width) of the network input for an image of `shape` (height, width)."""
        if not isinstance(self.size, int):
            return self.size[0], self.size[1]
        size = dynamic_size(shape, self.size)
        return size if self.fit is None else self.fit(size)

    def _prepare(self, image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        return normalized(RESIZERS[self.backend](image, size), self.mean, self.std)


def dynamic_size(shape: tuple[int, int], bound: int) -> tuple[int, int]:
    """(height, width): scaled down so that the shorter side is at most `bound` and the longer one at most eight times that, then
    rounded to multiples of 32."""
    scale = min(1.0, bound / min(shape), LONGEST * bound / max(shape))
    height, width = (max(MULTIPLE, round(side * scale / MULTIPLE) * MULTIPLE) for side in shape)
    return height, width


def resize(image: np.ndarray, size: tuple[int, int], smooth: bool = True) -> np.ndarray:
    """uint8 (H, W[, 3]) at another (height, width): antialiased bilinear as in Pillow, or nearest."""
    if image.shape[:2] == tuple(size):
        return image
    if smooth and image.shape[0] * image.shape[1] > BAND:
        image = _resize_rows(image, size[1])
    filter_ = Image.Resampling.BILINEAR if smooth else Image.Resampling.NEAREST
    return np.asarray(Image.fromarray(image).resize((size[1], size[0]), filter_))


def _resize_rows(image: np.ndarray, width: int) -> np.ndarray:
    """The first of the two steps in which Pillow resizes, band by band: Pillow's copy of the whole takes 4 bytes a pixel."""
    rows = np.empty((image.shape[0], width, *image.shape[2:]), np.uint8)
    for top, stop in bands(image.shape[1], image.shape[0]):
        band = Image.fromarray(image[top:stop])
        rows[top:stop] = np.asarray(band.resize((width, stop - top), Image.Resampling.BILINEAR))
    return rows


def resize_opencv(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """uint8 (H, W[, 3]) at another (height, width), bilinear without antialiasing. Raises ImportError without OpenCV."""
    if image.shape[:2] == tuple(size):
        return image
    cv2 = _load_opencv()
    limit_threads()
    return cv2.resize(image, (size[1], size[0]), interpolation=cv2.INTER_LINEAR)


RESIZERS: dict[str, Callable[[np.ndarray, tuple[int, int]], np.ndarray]] = {"pillow": resize, "opencv": resize_opencv}


def check_backend(name: str) -> None:
    """Raises ValueError for a way of resizing that there is not."""
    if name not in RESIZERS:
        raise ValueError(f"backend must be {' or '.join(map(repr, RESIZERS))}, not {name!r}")


def limit_threads() -> None:
    """One OpenCV thread in a worker process: its cores are shared, and a forked copy of OpenCV's threads would not run."""
    _limit_threads(os.getpid())


@functools.lru_cache(maxsize=2)
def _limit_threads(process: int) -> None:
    loading = sys.modules.get("torch.utils.data")  # whose worker processes these are
    if loading is not None and loading.get_worker_info() is not None:
        _load_opencv().setNumThreads(0)


def _load_opencv() -> Any:
    try:
        import cv2
    except ImportError as error:
        package = "a package of the extra train: pip install opencv-python-headless"
        raise ImportError(f"this network's images are resized with OpenCV, which needs {package} ({error})") from error
    return cv2


def normalized(image: np.ndarray, mean: Triple | None = MEAN, std: Triple | None = STD) -> np.ndarray:
    """uint8 (H, W, 3) → float32 (3, H, W), contiguous: (value / 255 − mean) / std, or value / 255 where mean is None."""
    planes = image.transpose(2, 0, 1).astype(np.float32, order="C")
    planes /= 255
    if mean is not None:
        planes -= np.array(mean, np.float32)[:, None, None]
        planes /= np.array(std, np.float32)[:, None, None]
    return planes


def stretched(values: np.ndarray, like: np.ndarray | None = None) -> np.ndarray:
    """Probabilities over the full range 0..1: the least and largest value of `like` (the map itself if left out) become 0 and 1.

    Where `like` has less contrast than one gray level, values stay as they are.
    """
    like = values if like is None else like
    low, high = float(like.min()), float(like.max())
    return ((values - low) / (high - low)).clip(0, 1) if high - low >= 1 / 255 else values


def to_map(saliency: np.ndarray, shape: tuple[int, int], normalize: Stretch = "none") -> np.ndarray:
    """Probabilities, float32 (1, 1, h, w), → uint8 (H, W) at the image's own size, bilinear with aligned corners, rounded.

    normalize="minmax" stretches this one map to the full range first, as published results were made; a map without
    any contrast (less than one gray level) stays as it is, so that an image without an object can stay empty.
    Raises NotFiniteError where the map is not finite, ValueError where it is not a single map.
    """
    if normalize not in ("none", "minmax"):
        raise ValueError(f"normalize must be 'none' or 'minmax', not {normalize!r}")
    if saliency.ndim != 4 or saliency.shape[:2] != (1, 1):
        raise ValueError(f"a saliency map is (1, 1, height, width), not {tuple(saliency.shape)}; pass one at a time")
    values = saliency[0, 0].astype(np.float32, copy=False)
    low, high = float(values.min()), float(values.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        raise NotFiniteError(
            "the saliency map has values that are not finite; try precision float32, check the weights"
        )
    if normalize == "minmax":
        values = stretched(values)
    height, width = shape
    result = np.empty((height, width), np.uint8)
    for top, stop, band in interpolated(values, (height, width)):  # at the size of a large photograph each copy counts
        if low < 0 or high > 1:
            np.clip(band, 0, 1, out=band)
        band *= 255
        result[top:stop] = np.rint(band, out=band)
    return result


def check_image(image: np.ndarray) -> None:
    """Raises ValueError unless the array is uint8 RGB (H, W, 3) with at least one pixel, and no more than `bounds.py` says."""
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        found = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
        raise ValueError(f"an image is a uint8 array (height, width, 3) in RGB order, not {found}")
    if not image.size:
        raise ValueError(f"the image has no pixels: {image.shape}")
    if problem := size_problem(image.shape[1], image.shape[0]):
        raise ValueError(f"the image: {problem}")


def _is_size(value: object) -> bool:
    return isinstance(value, tuple | list) and len(value) == 2 and all(isinstance(n, int) and n > 0 for n in value)
