"""What context attention looks at, as one labeled picture below the levels of the pyramid."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from .visualize import PAPER, labeled_row, pyramid_picture, tile_size

HEIGHT, NARROWEST = 200, 200  # pixels of a tile; labels need some width
Tile = tuple[str, np.ndarray | None]


class Context(NamedTuple):
    """One context of a stage: its map, and the share of each position's attention that goes to it, 0..1; both float (h, w)."""

    name: str
    map: np.ndarray
    attention: np.ndarray


def attention_picture(out: Any, image: np.ndarray, stages: Mapping[str, Sequence[Context]]) -> np.ndarray:
    """The pyramid of an image, and below it two rows for each stage j → uint8 RGB (H, W, 3).

    out, image: as in `pyramid_picture`. stages: j → its contexts, in the order of computation.
    The first row of a stage shows the contexts that S_{j+1} and U_{j+1} are divided into, the second for each context where in the
    image attention goes to it. White is the largest value of the row.
    """
    height = min(4 * HEIGHT, max(HEIGHT, round(NARROWEST * image.shape[0] / image.shape[1])))
    size = tile_size(image.shape, height)
    rows = [row for stage, contexts in stages.items() for row in _rows(stage, contexts)]
    columns = max((len(row) for row in rows), default=0)
    above = pyramid_picture(out, image, height=height)
    below = [labeled_row([*row, *[("", None)] * (columns - len(row))], size) for row in rows]
    width = max(part.shape[1] for part in (above, *below))
    return np.vstack([_widened(part, width) for part in (above, *below)])


def _rows(stage: str, contexts: Sequence[Context]) -> tuple[list[Tile], list[Tile]]:
    """The contexts of a stage, and the attention that each gets, with its mean and largest share."""
    white = max(float(one.map.max()) for one in contexts)
    maps: list[Tile] = [(f"stage {stage}: {one.name}", _gray(one.map, white)) for one in contexts]
    white = max(float(one.attention.max()) for one in contexts)
    shares: list[Tile] = [(_share(one.attention), _gray(one.attention, white)) for one in contexts]
    return maps, shares


def _share(attention: np.ndarray) -> str:
    return f"attention {100 * attention.mean():.0f} %, at most {100 * attention.max():.0f} %"


def _gray(values: np.ndarray, white: float) -> np.ndarray:
    return np.rint(255 * np.clip(values / max(white, 1e-6), 0, 1)).astype(np.uint8)


def _widened(picture: np.ndarray, width: int) -> np.ndarray:
    return np.pad(picture, ((0, 0), (0, width - picture.shape[1]), (0, 0)), constant_values=PAPER)
