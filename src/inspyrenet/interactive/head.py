"""The trained part that changes the coarse map, where a network has one: `prompt.onnx` beside its graphs.

`lib.modules.prompt_head.PromptHead` describes it; benchmarks/interactive/train_head.py trains and writes it.
"""

import functools
import logging
from pathlib import Path

import numpy as np

from ..networks.digest import digest_of
from ..networks.runtimes import Graph, open_graph

FILE = "prompt.onnx"
DIGEST = "network_sha256"  # in the graph's metadata: `digest_of` the graphs whose features it was trained with
INPUTS = ("colors", "x2", "f3", "own", "current", "keep", "remove")
OUTPUT = "S3"
REACH = 6.0  # cells in which closeness falls by 1/e
MOST_BESIDE = 0.5  # closeness where no stroke went

LOG = logging.getLogger("inspyrenet")


def head_beside(weights: Path) -> Graph | None:
    """The head that belongs to a network's weights, or its folder of graphs; None where there is none.

    Raises GraphError for a file that cannot be read.
    """
    folder = weights if weights.is_dir() else weights.with_suffix("")
    return _opened(folder) if (folder / FILE).is_file() else None


@functools.lru_cache(maxsize=4)
def _opened(folder: Path) -> Graph | None:
    graph = open_graph(folder / FILE, device="cpu")
    if graph.metadata.get(DIGEST) != digest_of(folder):
        LOG.warning("%s was trained for another network than the one beside it: it is not used", folder / FILE)
        return None
    return graph


def closeness(labels: np.ndarray, value: int) -> np.ndarray:
    """How close each cell is to those with this label, float32 (h, w): 1 on them, a half at most beside them; 0 without any."""
    rows, columns = np.nonzero(labels == value)
    if not len(rows):
        return np.zeros(labels.shape, np.float32)
    y, x = (np.arange(length, dtype=np.float32) for length in labels.shape)
    squared = np.full(labels.shape, np.inf, np.float32)
    for row in np.unique(rows):  # of each row of cells the nearest one: no array is larger than (w, w)
        across = np.abs(x[:, None] - columns[rows == row]).min(1) ** 2
        np.minimum(squared, across + (y[:, None] - row) ** 2, out=squared)
    close = np.float32(MOST_BESIDE) * np.exp(-np.sqrt(squared) / np.float32(REACH))
    close[labels == value] = 1
    return np.where((labels != 0) & (labels != value), np.minimum(close, MOST_BESIDE), close).astype(np.float32)


def changed(
    head: Graph,
    colors: np.ndarray,
    features: tuple[np.ndarray, np.ndarray],
    own: np.ndarray,
    s3: np.ndarray,
    labels: np.ndarray,
) -> np.ndarray:
    """S3 as the head changes it, float32 (h, w) of logits.

    colors: float32 (1, 3, h, w), RGB in 0..1. features: x2 and f3, as `Parts.encode` gives them. own, s3: logits (h, w), the
    network's own and what is there. labels: as of `raster.stroke_labels`.
    """
    maps = (own, s3, closeness(labels, 1), closeness(labels, -1))
    inputs = dict(zip(INPUTS, (colors, *features, *(one[None, None].astype(np.float32) for one in maps)), strict=True))
    return head.run(inputs, [OUTPUT])[0][0, 0]
