"""What run/Benchmark.py measures beside networks: feeding training batches, and scoring maps; each on one core."""

import functools
import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import cv2
import numpy as np
import torch

from ..data.datasets.torch_datasets import TrainDataset
from ..utils.config.schema import Config, Pipeline
from ..utils.metrics import score
from ..utils.metrics.reference import default_table
from ..utils.system.timing import interleave, ratios
from . import build

POOL = 64  # images or masks that are taken in turn


def measure_data(config: Config, work: str, count: int, rounds: int) -> dict[str, dict]:
    """Seconds of `count` images on one core, ours and the plain way in turn; the plain way is named first."""
    variants = {"data": feeding, "evaluation": scoring}[work](config, count)
    with one_thread():
        seconds = interleave(variants, rounds, warmup=1)
    plain = next(iter(variants))
    against = ratios(seconds, plain)
    return {name: {"seconds": values, "times_faster": against.get(name)} for name, values in seconds.items()}


@contextmanager
def one_thread() -> Iterator[None]:
    """One thread for torch and OpenCV, and what it was afterwards."""
    before = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        cv2.setNumThreads(before[1])


def feeding(config: Config, count: int) -> dict[str, Callable[[], object]]:
    """Functions that make the next `count` training images of the config, by the published operations and fused."""
    dataset = build.section(config, "Train").Dataset
    found = build.pairs(dataset.model_copy(update={"limit": min(POOL, dataset.limit or POOL)}))
    variants: dict[str, Callable[[], object]] = {}
    pipelines: dict[str, Pipeline] = {"published operations": "pil", "fused": "fast"}
    for name, pipeline in pipelines.items():
        images = build.train_dataset(dataset, found, 0, pipeline)
        variants[name] = functools.partial(_next_images, images, itertools.cycle(range(len(found))), count)
    return variants


def _next_images(images: TrainDataset, indices: Iterator[int], count: int) -> None:
    for index in itertools.islice(indices, count):
        images[index]


def scoring(config: Config, count: int) -> dict[str, Callable[[], object]]:
    """Functions that score the next `count` pairs with the metrics of the default table, by pysodmetrics and by ours.

    The masks are those of the test sets; the maps are the masks moved and blurred, as a network's might be.
    """
    dataset = build.section(config, "Test").Dataset
    found = build.pairs(dataset.model_copy(update={"limit": min(POOL, dataset.limit or POOL)}))
    pairs = [fake_prediction(pair.read_mask()) for pair in found]
    metrics = ("Sm", "mae", "adpEm", "maxEm", "avgEm", "adpFm", "maxFm", "avgFm", "wFm", "mBA")
    ways: dict[str, Callable] = {"pysodmetrics": default_table, "ours": functools.partial(score, metrics=metrics)}
    return {name: functools.partial(_score_next, way, itertools.cycle(pairs), count) for name, way in ways.items()}


def fake_prediction(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(map, mask) of a mask (H, W) uint8: the mask, moved and blurred by a hundredth of the longer side."""
    scale = max(mask.shape) / 100
    return cv2.GaussianBlur(np.roll(mask, round(scale), axis=1), (0, 0), scale), mask


def _score_next(way: Callable, pairs: Iterator[tuple[np.ndarray, np.ndarray]], count: int) -> None:
    for prediction, mask in itertools.islice(pairs, count):
        way(prediction, mask)
