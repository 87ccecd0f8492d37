"""Small pictures of scored images, as data URIs for a page that needs no other file."""

import base64
import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor

import cv2
import numpy as np

from ..metrics import METRICS, Accumulator, ScorePair
from ..metrics.evaluate import one_thread_each, progress, start_worker
from ..system.cores import usable_cores
from .worst import image_or_mask, read_panels

SIDE = 176  # longer side of a thumbnail, pixels
_FEW = 100  # images per process that pay for starting it


def worst_first(scores: Sequence[Accumulator]) -> list[int]:
    """Positions of all images, those that any metric of any method finds bad before the others."""
    orders = []
    for entry in scores:
        for metric in entry.metrics:
            sign = 1 if METRICS[metric].better == "higher" else -1
            orders.append(np.argsort(sign * entry.values(metric), kind="stable"))
    return list(dict.fromkeys(int(i) for position in zip(*orders, strict=True) for i in position))


def thumbnails(images: Sequence[tuple[ScorePair, ...]], budget: int) -> Iterator[list[str]]:
    """For each image, data URIs of photograph, mask and each method's map, until `budget` bytes are spent.

    An image is given as its pairs, one per method.
    """
    spent = 0
    for pictures in progress(_made(images), len(images), "picture", None):
        spent += sum(map(len, pictures))
        if spent > budget:
            return
        yield pictures


def _made(images: Sequence[tuple[ScorePair, ...]]) -> Iterator[list[str]]:
    workers = min(usable_cores(), len(images) // _FEW)
    if workers < 2:
        yield from map(_pictures, images)
        return
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), start_worker)
    try:
        with one_thread_each():
            pictures = pool.map(_pictures, images, chunksize=16)
        yield from pictures
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _pictures(pairs: tuple[ScorePair, ...]) -> list[str]:
    maps = [read_panels(pair) for pair in pairs]
    truth = maps[0][1]
    photograph = _uri(image_or_mask(pairs[0], truth), ".jpg")
    return [photograph, _uri(truth, ".png"), *(_uri(gray, ".jpg") for gray, _ in maps)]


def _uri(image: np.ndarray, kind: str) -> str:
    height, width = image.shape[:2]
    scale = min(1.0, SIDE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    options = [cv2.IMWRITE_JPEG_QUALITY, 72] if kind == ".jpg" else [cv2.IMWRITE_PNG_COMPRESSION, 9]
    if kind == ".png":
        small = np.where(small > 127, 255, 0).astype(np.uint8)  # two values compress to a few hundred bytes
    _, data = cv2.imencode(kind, small, options)
    return f"data:image/{'jpeg' if kind == '.jpg' else 'png'};base64,{base64.b64encode(data.tobytes()).decode()}"
