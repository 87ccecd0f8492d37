"""A float32 file and its int8 copy on the same held-out pairs, in turn: scores, seconds, and whether the copy is good enough."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..data.datasets.pairs import Pair
from ..data.images.preprocess import Preprocess, to_map
from ..data.images.read import read_image
from ..networks.exported import ExportedFile
from ..utils.metrics import Accumulator, score
from ..utils.metrics.evaluate import progress

# By how much a score may fall on the held-out pairs; a file whose scores fall by more is refused.
LIMITS = {"maxFm": 0.002, "mBA": 0.003}
SCORED = (*LIMITS, "mae")


@dataclass(frozen=True)
class FileResult:
    """What a file scored. seconds: the median for one image, without reading and resizing it; size: of the file, in bytes."""

    name: str
    values: dict[str, float]
    seconds: float
    size: int


@dataclass(frozen=True)
class Trial:
    """Both files on the same pairs. moved: the mean difference of their maps, in gray levels of 0..255."""

    float32: FileResult
    int8: FileResult
    pairs: int
    moved: float

    def fall(self, metric: str) -> float:
        """By how much the score is lower in int8."""
        return self.float32.values[metric] - self.int8.values[metric]

    @property
    def good(self) -> bool:
        """Whether no score falls by more than its limit; one that does not exist is not good."""
        return all(self.fall(metric) <= limit for metric, limit in LIMITS.items())

    def falls(self) -> str:
        """The scores that have a limit, in words: maxFm 0.9447 → 0.9154 (a fall of 0.0293, at most 0.002 is allowed), …"""
        return ", ".join(
            f"{name} {self.float32.values[name]:.4f} → {self.int8.values[name]:.4f} "
            f"(a fall of {self.fall(name):.4f}, at most {limit} is allowed)"
            for name, limit in LIMITS.items()
        )

    def table(self) -> str:
        """Both files as text."""
        lines = [f"{'':<8} {' '.join(f'{name:>7}' for name in SCORED)}       MB  s per image"]
        for row in (self.float32, self.int8):
            scores = " ".join(f"{row.values[name]:7.4f}" for name in SCORED)
            lines.append(f"{row.name:<8} {scores} {row.size / 1e6:8.2f}  {row.seconds:.4f}")
        lines.append(f"{self.pairs} pairs, in turn; the maps differ by {self.moved:.2f} of 255 gray levels on average")
        return "\n".join(lines)


class _Candidate:
    """One file in a trial."""

    def __init__(self, name: str, path: Path):
        self.name, self.path = name, path
        self.predictor = ExportedFile(path, device="cpu")
        self.scores, self.seconds = Accumulator(SCORED), list[float]()

    def map(self, image: np.ndarray, resized: np.ndarray | None, shape: tuple[int, int]) -> np.ndarray:
        """The map at the mask's size, after measuring how long it took."""
        started = time.perf_counter()
        saliency = self.predictor.probability(image, resized)
        self.seconds.append(time.perf_counter() - started)
        return to_map(saliency, shape, self.predictor.metadata.normalize)

    def result(self) -> FileResult:
        values = dict(self.scores.result().values)
        return FileResult(self.name, values, float(np.median(self.seconds)), self.path.stat().st_size)


def try_out(float32: Path, int8: Path, pairs: Sequence[Pair], prepare: Preprocess) -> Trial:
    """Score both files on the pairs as run/Eval.py does. Raises ImageError for what cannot be read."""
    first, second = _Candidate("float32", float32), _Candidate("int8", int8)
    moved = []
    for index, pair in enumerate(progress(pairs, len(pairs), "pair", None)):
        mask = pair.read_mask()
        prepared, copy = prepare(read_image(pair.image))
        image, resized = prepared[None], None if copy is None else copy[None]
        order = (first, second) if index % 2 else (second, first)  # so that neither has the warmer caches
        maps = {one.name: one.map(image, resized, mask.shape) for one in order}
        for one in order:
            one.scores.update(pair.name, score(maps[one.name], mask, SCORED))
        moved.append(float(np.abs(maps["float32"].astype(np.int16) - maps["int8"]).mean()))
    return Trial(first.result(), second.result(), len(pairs), float(np.mean(moved)))
