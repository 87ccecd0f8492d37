"""Masks and boxes for networks without a coarse map: the network sees a part of the image, and nothing outside it is object."""

import numpy as np

from ..data.images.bilinear import interpolated
from ..data.images.preprocess import stretched
from ..networks.network import Network, NetworkMaps, predict
from . import raster
from .prompt import Box, Prompt, PromptError

MARGIN = 0.15  # of a box's longer side, around it: networks expect some background
MOST_BOXES = 20  # each is a pass of the network
GRID = 64  # cells along each side on which a mask is widened


def maps(network: Network, image: np.ndarray, prompt: Prompt) -> NetworkMaps:
    """The map (1, 1, H, W) of an image uint8 RGB (H, W, 3), found in the crop of each box, or of the mask, and limited to it.

    Raises PromptError for strokes, which need a coarse map that can be changed, for more than MOST_BOXES different boxes, and for
    what does not fit the image.
    """
    shape = image.shape[0], image.shape[1]
    prompt.check(shape)
    if prompt.base == ("prompt" if prompt.probability is None else "model"):
        raise PromptError(
            f"{network.name} finds objects in a box or near a mask by itself: leave base {prompt.base} out"
        )
    if prompt.strokes:
        raise PromptError(
            f"{network.name} takes a mask or boxes here, but no points or strokes: an InSPyReNet does that predicts in one pass "
            "(no patch merging, no Test.flip)"
        )
    boxes = [*dict.fromkeys(prompt.boxes)]
    if len(boxes) > MOST_BOXES:
        raise PromptError(
            f"{len(boxes):,} boxes are too many for {network.name}, which looks at each of them: {MOST_BOXES} at most"
        )
    allowed = _allowed(prompt, shape)
    result = np.zeros(shape, np.float32)
    for box in boxes or [_bounds(allowed)]:
        top, bottom, left, right = _around(box, shape)
        found = predict(network, [image[top:bottom, left:right]])[0].probability[0, 0]
        found = stretched(found) if network.normalize == "minmax" else found
        part = result[top:bottom, left:right]
        np.maximum(part, _at_size(found, (bottom - top, right - left)), out=part)
    return NetworkMaps((result * allowed)[None, None], stretched=True)


def _allowed(prompt: Prompt, shape: tuple[int, int]) -> np.ndarray:
    """Where an object may be, float32 (H, W): in boxes, and near what a mask marks."""
    allowed = np.ones(shape, np.float32)
    if prompt.boxes:
        allowed = raster.box_cover(prompt.boxes, shape, shape)
    if prompt.probability is not None:
        cells = raster.mean_in_cells(prompt.probability, (GRID, GRID)) >= 0.5
        allowed = allowed * raster.enlarged(cells, shape)
    if not allowed.any():
        raise PromptError("the mask marks nothing within the boxes")
    return allowed


def _bounds(allowed: np.ndarray) -> Box:
    rows, columns = (np.flatnonzero(allowed.any(axis)) for axis in (1, 0))
    return float(columns[0]), float(rows[0]), float(np.ptp(columns)) + 1, float(np.ptp(rows)) + 1


def _around(box: Box, shape: tuple[int, int]) -> tuple[int, int, int, int]:
    """Top, bottom, left, right of a box with its margin, in the image."""
    x, y, width, height = box
    margin = MARGIN * max(width, height)
    top, left = (int(max(0, np.floor(start - margin))) for start in (y, x))
    bottom, right = (
        int(min(length, np.ceil(end + margin))) for end, length in zip((y + height, x + width), shape, strict=True)
    )
    return top, bottom, left, right


def _at_size(values: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    result = np.empty(shape, np.float32)
    for top, stop, band in interpolated(values, shape):
        result[top:stop] = band
    return result
