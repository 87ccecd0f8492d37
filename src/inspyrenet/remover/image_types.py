"""What people hold an image in — Pillow, numpy, torch, bytes, a path — to one type, and the result back to the same."""

import io
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from ..data.images.decoded import PLAIN, DecodedImage, Metadata, decode, read_decoded, visible_alpha
from ..data.images.encode import encode, words_of
from ..data.images.read import ImageError, decoding
from ..mending.components import Box, box_of
from ..utils.system.paths import expanded

if TYPE_CHECKING:
    import torch

LOG = logging.getLogger("inspyrenet")
KINDS = "a Pillow image, a numpy array, a torch tensor, encoded bytes, or a path"


@dataclass(frozen=True, eq=False)
class Result:
    """What was made of one image: uint8 (H, W[, 3 or 4]), what belongs into its file, and the seconds that each part took.

    quality: the expected IoU of the map (above 0.5) with the object, 0..1; None where the network has no estimate.
    alpha: of the object at the image's size, uint8 (H, W). objects: each by itself, where that was asked for; they keep no alpha,
    since many would fill the memory. box: `bbox`, where it was found already.
    """

    array: np.ndarray
    seconds: dict[str, float] = field(default_factory=dict)
    metadata: Metadata = PLAIN
    quality: float | None = None
    alpha: np.ndarray | None = None
    objects: "tuple[Result, ...]" = ()
    box: Box | None = None

    @cached_property
    def bbox(self) -> Box | None:
        """(left, top, width, height) of the object in pixels of the image, see `box_of`; None where nothing is object."""
        return self.box if self.box is not None or self.alpha is None else box_of(self.alpha)

    def without_alpha(self) -> "Result":
        """The same with its box in place of alpha."""
        return replace(self, alpha=None, box=self.bbox)


@dataclass(frozen=True)
class LoadedImage:
    """An image, and what turns a result into the kind that the image came as."""

    image: DecodedImage
    to_input_type: Callable[[Result], Any]


def open_image(image: Any) -> LoadedImage:
    """Any image → LoadedImage.

    Pillow: every mode, EXIF orientation applied, Pillow comes back, with icc_profile, dpi and exif in its info as far as there.
    Array: (H, W), (H, W, 3) or (H, W, 4), uint8, uint16, or floats in 0..1; bytes come back as uint8, floats as floats.
    Tensor: (3 or 4, H, W) or (1, H, W), likewise; (C, H, W) comes back. Fourth channels are alpha, not multiplied into colors.
    Bytes or a binary file: PNG bytes come back. Path: a Pillow image comes back; nothing is written.
    DecodedImage: a Result comes back. Raises ImageError where it is no image.
    """
    if isinstance(image, DecodedImage):
        return LoadedImage(image, lambda result: result)
    if isinstance(image, Image.Image):
        return LoadedImage(_from_pillow(image), _to_pillow)
    if isinstance(image, np.ndarray):
        return LoadedImage(_from_array(image), _array_like(image.dtype))
    if type(image).__module__.split(".")[0] == "torch":
        return _open_tensor(image)
    if isinstance(image, bytes | bytearray | memoryview) or hasattr(image, "read"):
        data = image.read() if hasattr(image, "read") else bytes(image)
        return LoadedImage(read_upright(data), lambda result: encode(result.array, metadata=result.metadata))
    if isinstance(image, str | os.PathLike):
        return LoadedImage(read_upright(expanded(image)), _to_pillow)
    raise ImageError(f"an image is {KINDS}, not {type(image).__name__}")


def read_upright(source: Path | bytes) -> DecodedImage:
    """`read_decoded`, and a word in the log where there is more than one picture to choose from."""
    image = read_decoded(source)
    if is_animated(source):
        label = source if isinstance(source, Path) else "image bytes"
        LOG.warning("%s: has several frames or pages; the first is taken", label)
    return image


def is_animated(source: Path | bytes) -> bool:
    """The file holds more than one frame or page; damage behind the first counts as more."""
    with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source) as image:
        try:
            return bool(getattr(image, "is_animated", False))
        except Exception:  # decoders raise errors of any class
            return True


def _from_pillow(image: Image.Image) -> DecodedImage:
    if not all(image.size):
        raise ImageError(f"the image has no pixels: {image.size[0]}×{image.size[1]}")
    with decoding("the image"):
        image.load()
        return decode(image, label="the image")


def _to_pillow(result: Result) -> Image.Image:
    image = Image.fromarray(result.array)
    image.info.update(words_of(result.metadata))
    return image


def _from_array(array: np.ndarray) -> DecodedImage:
    """(H, W), (H, W, 1), (H, W, 3) or (H, W, 4) of any accepted type."""
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3 or array.shape[2] not in (1, 3, 4) or not array.size:
        raise ImageError(f"an array is (height, width[, 1, 3 or 4]) in RGB order, not {array.shape}")
    array = _to_bytes(array)
    alpha = visible_alpha(array[..., 3]) if array.shape[2] == 4 else None
    color = array[..., :3] if array.shape[2] > 1 else np.repeat(array, 3, axis=2)
    return DecodedImage(np.ascontiguousarray(color), alpha)


def _to_bytes(array: np.ndarray) -> np.ndarray:
    if array.dtype == np.uint8:
        return array
    if array.dtype == np.uint16:
        return ((array.astype(np.uint32) + 128) // 257).astype(np.uint8)
    if array.dtype.kind == "f":
        if not (array.min() >= 0 and array.max() <= 1):  # written so that NaN fails too
            raise ImageError(
                f"floating point values are 0..1, not {array.min():g}..{array.max():g}: give uint8, or divide by 255"
            )
        return np.rint(array * 255).astype(np.uint8)
    raise ImageError(f"an array is uint8, uint16 or floating point, not {array.dtype}")


def _array_like(dtype: np.dtype) -> Callable[[Result], np.ndarray]:
    """Results as floats in 0..1 where floats came, else as they are."""
    if dtype.kind != "f":
        return lambda result: result.array
    return lambda result: (result.array / 255).astype(dtype)


def _open_tensor(tensor: "torch.Tensor") -> LoadedImage:
    import torch

    if tensor.ndim != 3 or tensor.shape[0] not in (1, 3, 4):
        raise ImageError(
            f"a tensor is (3, height, width), not {tuple(tensor.shape)}; pass the images of a batch one by one"
        )
    floats = tensor.is_floating_point()
    plain = tensor.detach().cpu()
    image = _from_array((plain.float() if floats else plain).permute(1, 2, 0).numpy())

    def to_input_type(result: Result) -> torch.Tensor:
        array = result.array if result.array.ndim == 3 else result.array[..., None]
        planes = torch.from_numpy(np.array(array)).permute(2, 0, 1)
        planes = planes.contiguous().to(tensor.device)
        return (planes.float() / 255).to(tensor.dtype) if floats else planes

    return LoadedImage(image, to_input_type)
