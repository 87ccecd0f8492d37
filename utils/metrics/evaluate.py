"""Score many pairs, on one process per core.

Workers are started fresh (`spawn`) and import neither torch nor anything else that is slow. A script that calls this
with more than one worker needs the usual `if __name__ == "__main__":`.
"""

import hashlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass, field
from multiprocessing import connection
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from ..system.cores import usable_cores
from ..system.failures import one_line
from ..system.signals import ignore
from .accumulate import Accumulator, Result
from .cache import Record, ScoreCache, cache_key
from .conventions import PYSOD, Conventions
from .files import ScorePair, decode_pair, is_faint, load, read_photo
from .prepare import MapError, prepare
from .registry import OUTSIDE, MetricError, OutsideMetric, add_outside, check_metrics, need_photo, sources
from .scoring import ImageScores, join, kept_for_later, measure, still_wanted

_FEW = 24  # pairs per worker that pay for starting it
_LISTED = 50
_BATCH = 64  # new scores that are written to the cache together


@dataclass
class SetScores:
    """Scores of one data set.

    resized  predictions that were resized to their masks
    reused   how many pairs were found in the cache
    """

    dataset: str
    scores: Accumulator
    resized: list[str] = field(default_factory=list)
    reused: int = 0

    def result(self) -> Result:
        return self.scores.result()


@dataclass(frozen=True)
class Job:
    """What a worker needs to know about all pairs. `cache` is a file of scores, `skeletons` a folder; both may be absent.

    outside: metrics that a new process has to be told of.
    """

    wanted: frozenset[str]
    conventions: Conventions
    cache: Path | None = None
    skeletons: Path | None = None
    outside: tuple[OutsideMetric, ...] = ()


@dataclass(frozen=True)
class Answer:
    """What a worker found: scores, or the reason why there are none. `new` is the key of what the cache does not have yet.

    faint: as `is_faint` says; scores of such maps are not kept.
    """

    scores: ImageScores | None
    resized: bool = False
    new: bytes | None = None
    reused: bool = False
    faint: bool | None = False
    error: str = ""


def evaluate_folder(
    pairs: Sequence[ScorePair],
    metrics: Sequence[str],
    workers: int = 0,
    bar: bool | None = False,
    conventions: Conventions = PYSOD,
    cache: Path | None = None,
    skeletons: Path | None = None,
) -> dict[str, SetScores]:
    """Score the pairs; data set -> scores, in the order in which the sets first occur.

    workers    processes; 0: one per core, but none where there are few pairs or where arrays are scored
    bar        show progress; None: on a terminal, after two seconds
    cache      file that keeps scores of files by their content
    skeletons  folder in which HCE keeps the masks' skeletons
    MetricError lists every pair that could not be scored, with the file and the reason.
    The numbers do not depend on the number of workers or on the cache.
    """
    metrics = check_metrics(metrics)
    own = tuple(OUTSIDE[name] for name in metrics if name in OUTSIDE)
    job = Job(sources(metrics), conventions, cache, skeletons, own)
    table = {pair.dataset: SetScores(pair.dataset, Accumulator(metrics, conventions)) for pair in pairs}
    failed = []
    kinds: dict[str, set[bool | None]] = {dataset: set() for dataset in table}  # of their maps: faint, blank, neither
    new: list[Record] = []
    with ScoreCache(cache) if cache else nullcontext() as kept, closing(_answers(pairs, job, workers)) as answers:
        try:
            for pair, answer in progress(zip(pairs, answers, strict=True), len(pairs), "image", bar):
                if answer.scores is None:
                    failed.append(f"{pair.dataset}/{pair.name}: {answer.error}")
                    continue
                _collect(table[pair.dataset], pair.name, answer, answer.scores)
                kinds[pair.dataset].add(answer.faint)
                if answer.new is not None:
                    new.append(Record(answer.new, kept_for_later(answer.scores), answer.resized))
                if kept is not None and len(new) == _BATCH:
                    kept.put(new)
                    new.clear()
        finally:
            if kept is not None and new:
                kept.put(new)
    if failed:
        rest = len(failed) - _LISTED
        lines = "\n  ".join(failed[:_LISTED] + ([f"… and {rest} more"] if rest > 0 else []))
        raise MetricError(f"{len(failed)} of {len(pairs)} pairs could not be scored:\n  {lines}")
    dark = [dataset for dataset, kind in kinds.items() if True in kind and False not in kind]
    if dark:
        text = "no map holds anything above 1 of 255: if they are of 0 and 1, save them with 0 and 255"
        raise MetricError("\n".join(f"{dataset}: {text}" for dataset in dark))
    return table


def progress(items: Iterable, total: int, unit: str, bar: bool | None) -> Iterable:
    """The items, with a progress bar: always, never, or (None) on a terminal when it takes more than two seconds."""
    return tqdm(items, total=total, unit=unit, disable=None if bar is None else not bar, delay=0 if bar else 2)


def _collect(into: SetScores, name: str, answer: Answer, scores: ImageScores) -> None:
    into.scores.update(name, scores)
    if answer.resized:
        into.resized.append(name)
    into.reused += answer.reused


# -- processes ----------------------------------------------------------------------------------------------------


def _answers(pairs: Sequence[ScorePair], job: Job, workers: int) -> Generator[Answer]:
    """Answers in the order of the pairs."""
    workers = _how_many(pairs, workers)
    if workers == 1:
        with ScoreCache(job.cache) if job.cache else nullcontext() as cache:
            for pair in pairs:
                yield score_pair(pair, job, cache)
        return
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, context, _prepare_worker, (job,))
    try:
        with one_thread_each():
            answers = pool.map(_work, pairs, chunksize=max(1, min(16, len(pairs) // (4 * workers))))
        yield from answers
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
    return max(1, min(usable_cores(), len(pairs) // _FEW))


_job: Job
_cache: ScoreCache | None = None


def _prepare_worker(job: Job) -> None:
    global _job, _cache  # a process pool has no other place for what belongs to a worker
    _job, _cache = job, ScoreCache(job.cache) if job.cache else None
    for metric in job.outside:
        add_outside(metric)
    start_worker()


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Processes started inside use one thread in BLAS: its idle threads spin, and with several processes on all cores
    they take more time than the work itself."""
    names = [name for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS") if name not in os.environ]
    os.environ.update(dict.fromkeys(names, "1"))
    try:
        yield
    finally:
        for name in names:
            del os.environ[name]


def start_worker() -> None:
    """What every process of a pool does first: one thread, and an end when the parent process ends, however that happens."""
    ignore(signal.SIGINT)  # the parent process answers Ctrl-C
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    cv2.setNumThreads(1)
    # After such a block was freed, the C library of Linux keeps memory instead of returning it after every array.
    np.empty(31 << 20, np.uint8)


def _leave_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)


def _work(pair: ScorePair) -> Answer:
    return score_pair(pair, _job, _cache)


def score_pair(pair: ScorePair, job: Job, cache: ScoreCache | None = None) -> Answer:
    """Read and score one pair, unless the cache knows it. Errors of the files are part of the answer."""
    try:
        prediction, truth = load(pair.prediction), load(pair.truth)
        in_files = isinstance(pair.prediction, Path) and isinstance(pair.truth, Path)
        reading = pair.reader.key if pair.reader else ""
        photo = read_photo(pair) if need_photo(job.wanted) else None
        if photo is not None:
            reading += f" {hashlib.blake2b(photo.data, digest_size=20).hexdigest()}"
        key = cache_key(prediction, truth, job.conventions, reading) if cache and in_files else None
        kept = cache.get(key) if cache and key else None
        wanted = still_wanted(job.wanted, kept.scores) if kept else job.wanted
        if kept and not wanted:
            return Answer(kept.scores, kept.resized, reused=True)
        prediction, truth, resized = decode_pair(pair, prediction, truth)
        if photo is not None and photo.shape[:2] != truth.shape[:2]:
            (height, width), (rows, columns) = photo.shape[:2], truth.shape[:2]
            raise MapError(f"{pair.image}: is {width}x{height} but its mask {pair.truth} is {columns}x{rows}")
    except Exception as error:  # a decoder's, of any class, is that of its file
        return Answer(None, error=one_line(error))
    try:
        prepared = prepare(prediction, truth, job.conventions.stretch, photo)
        scores = measure(prepared, wanted, job.conventions, job.skeletons)
    except Exception as error:  # too little memory for one image, say: the others are scored
        return Answer(None, error=f"{_where(pair)}{one_line(error)}")
    faint = is_faint(prediction)
    return Answer(join(kept.scores, scores) if kept else scores, resized, key if faint is False else None, faint=faint)


def _where(pair: ScorePair) -> str:
    return "" if isinstance(pair.prediction, np.ndarray) else f"{pair.prediction}: "
