"""Score many pairs, on one process per core.

Workers are started fresh (`spawn`) and import neither torch nor anything else that is slow. A script that calls this
with more than one worker needs the usual `if __name__ == "__main__":`.
"""

import multiprocessing
import os
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import dataclass, field

import cv2
import numpy as np
from tqdm import tqdm

from .files import ScorePair, read_pair
from .prepare import MapError
from .registry import MetricError, check_metrics
from .score import Accumulator, ImageScores, Result, score

_FEW = 24  # pairs per worker that pay for starting it
_LISTED = 50


@dataclass
class SetScores:
    """Scores of one data set, and which of its predictions had to be resized to their masks."""

    dataset: str
    scores: Accumulator
    resized: list[str] = field(default_factory=list)

    def result(self) -> Result:
        return self.scores.result()


def evaluate_folder(
    pairs: Sequence[ScorePair], metrics: Sequence[str], workers: int = 0, bar: bool = False
) -> dict[str, SetScores]:
    """Score the pairs; data set -> scores, in the order in which the sets first occur.

    workers  processes; 0: one per core, but none where there are few pairs or where arrays are scored
    bar      show progress
    MetricError lists every pair that could not be scored, with the file and the reason.
    The numbers do not depend on the number of workers.
    """
    metrics = check_metrics(metrics)
    table = {pair.dataset: SetScores(pair.dataset, Accumulator(metrics)) for pair in pairs}
    failed = []
    with closing(_scored(pairs, metrics, workers)) as answers:
        progress = tqdm(zip(pairs, answers, strict=True), total=len(pairs), unit="image", disable=not bar)
        for pair, (scores, resized, error) in progress:
            if scores is None:
                failed.append(f"{pair.dataset}/{pair.name}: {error}")
                continue
            table[pair.dataset].scores.update(pair.name, scores)
            if resized:
                table[pair.dataset].resized.append(pair.name)
    if failed:
        rest = len(failed) - _LISTED
        lines = "\n  ".join(failed[:_LISTED] + ([f"… and {rest} more"] if rest > 0 else []))
        raise MetricError(f"{len(failed)} of {len(pairs)} pairs could not be scored:\n  {lines}")
    return table


Answer = tuple[ImageScores | None, bool, str]


def _scored(pairs: Sequence[ScorePair], metrics: tuple[str, ...], workers: int) -> Iterator[Answer]:
    """Answers in the order of the pairs."""
    workers = _how_many(pairs, workers)
    if workers == 1:
        for pair in pairs:
            yield _score_one(pair, metrics)
        return
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _prepare_worker)
    try:
        chunk = max(1, min(16, len(pairs) // (4 * workers)))
        yield from pool.map(_score_one, pairs, [metrics] * len(pairs), chunksize=chunk)
    except BrokenProcessPool as error:
        raise MetricError(
            "a scoring process ended unexpectedly, perhaps for lack of memory; try Eval.num_workers=1"
        ) from error
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _how_many(pairs: Sequence[ScorePair], workers: int) -> int:
    if workers > 0:
        return min(workers, max(1, len(pairs)))
    if any(isinstance(pair.prediction, np.ndarray) for pair in pairs):
        return 1
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores, len(pairs) // _FEW))


def _prepare_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent process answers Ctrl-C
    cv2.setNumThreads(1)
    # After such a block was freed, the C library of Linux keeps memory instead of returning it after every array.
    np.empty(31 << 20, np.uint8)


def _score_one(pair: ScorePair, metrics: tuple[str, ...]) -> Answer:
    try:
        prediction, truth, resized = read_pair(pair)
    except (MapError, OSError) as error:
        return None, False, str(error)
    try:
        return score(prediction, truth, metrics), resized, ""
    except MapError as error:
        return None, False, f"{_where(pair)}{error}"


def _where(pair: ScorePair) -> str:
    return "" if isinstance(pair.prediction, np.ndarray) else f"{pair.prediction}: "
