"""Reads pairs at the size at which they are needed: large JPEGs are decoded at a half, a quarter or an eighth of their size."""

from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image

from ..augment.transforms import Resize, Sample, is_binary
from ..images import headers
from ..images.bounds import size_problem
from ..images.preprocess import limit_threads, resize
from ..images.read import ImageError, read_image
from .pairs import Pair

SHRINK_WITHOUT_FILTER = 1.05  # up to this factor plain bilinear and Pillow's antialiased bilinear differ by one level
REDUCED = {2: cv2.IMREAD_REDUCED_COLOR_2, 4: cv2.IMREAD_REDUCED_COLOR_4, 8: cv2.IMREAD_REDUCED_COLOR_8}
REDUCED_MARGIN = 1.4  # a JPEG decoded at 1/2, 1/4, 1/8 stays this much larger than what it is resized to


@dataclass(frozen=True)
class FastReader:
    """Reads a pair and applies the first, deterministic resize; None: no resize.

    Raises ImageError as `read_pair` does.
    """

    resize: Resize | None

    def __call__(self, pair: Pair) -> Sample:
        limit_threads()
        mask = pair.read_mask()
        target = mask.shape if self.resize is None else self.resize.target(mask.shape)
        image, factor = _decode(pair, target)
        if image.shape[:2] != tuple(-(-side // factor) for side in mask.shape):
            (height, width), (mask_height, mask_width) = image.shape[:2], mask.shape
            found = f"is {width * factor}x{height * factor}"
            raise ImageError(f"{pair.image}: {found} but its mask {pair.mask} is {mask_width}x{mask_height}")
        image = _fast_resize(image, target, (mask.shape[0] / factor, mask.shape[1] / factor))
        return Sample(image, resize(mask, target, smooth=not is_binary(mask)))


def _decode(pair: Pair, target: tuple[int, int]) -> tuple[np.ndarray, int]:
    """(RGB image, factor by which it was reduced on decoding). OpenCV for whole 8-bit JPEGs, else the general reader."""
    try:
        data = pair.image.read_bytes()
    except OSError:
        return read_image(pair.image), 1  # which says what is wrong
    header = headers.parse(data[: headers.PREFIX]) if data.startswith(b"\xff\xd8") else None
    usable = header is not None and header.channels in (1, 3) and header.depth == 8 and headers.is_complete(data[-16:])
    if header is None or not usable or size_problem(header.width, header.height):
        return read_image(pair.image), 1
    shorter, longer = min(header.height, header.width), max(target)
    factor = max((factor for factor in REDUCED if shorter >= factor * REDUCED_MARGIN * longer), default=1)
    image = cv2.imdecode(np.frombuffer(data, np.uint8), REDUCED.get(factor, cv2.IMREAD_COLOR))
    if image is None:
        return read_image(pair.image), 1
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB, dst=image), factor


def _fast_resize(image: np.ndarray, size: tuple[int, int], extent: tuple[float, float]) -> np.ndarray:
    """The image at (height, width) `size`; `extent` is how much of it counts, since a reduced one is rounded up."""
    if max(extent[0] / size[0], extent[1] / size[1]) > SHRINK_WITHOUT_FILTER:
        box = (0, 0, extent[1], extent[0])
        return np.asarray(Image.fromarray(image).resize(size[::-1], Image.Resampling.BILINEAR, box))
    return cv2.resize(image, size[::-1], interpolation=cv2.INTER_LINEAR)
