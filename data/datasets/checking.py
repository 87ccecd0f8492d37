"""Looking at all files of a data set before the first step: in threads, saying how far it is, and for what its masks are taken."""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from ..images.mask_layers import Layer
from ..images.masks import Coding, coding_of, survey
from ..images.read import ImageError

log = logging.getLogger(__name__)

QUIET_SECONDS = 2.0

Item = TypeVar("Item")
Answer = TypeVar("Answer")


def answers(
    check: Callable[[Item], Answer], items: Sequence[Item], unit: str, chunk_size: int = 64
) -> Iterator[Answer]:
    """`check` of each item, in order; threads help where the disk is slow and where files are decoded.

    Each thread takes `chunk_size` items at a time. When it takes longer than two seconds, it is said how far it is.
    """

    def check_chunk(start: int) -> list[Answer]:
        return [check(item) for item in items[start : start + chunk_size]]

    said, done = time.monotonic(), 0
    with ThreadPoolExecutor(8) as pool:
        for chunk in pool.map(check_chunk, range(0, len(items), chunk_size)):
            for answer in chunk:
                yield answer
                done += 1
                if time.monotonic() - said > QUIET_SECONDS:
                    log.info("checking the data: %d of %d %s", done, len(items), unit)
                    said = time.monotonic()


def survey_masks(paths: Sequence[Path]) -> tuple[list[tuple[str, Layer]], dict[Path, str]]:
    """(name and contents of every mask that can be read, file -> why the others cannot). All of each file is decoded."""
    layers, problems = [], {}
    for path, answer in zip(paths, answers(_survey, paths, "masks"), strict=True):
        if isinstance(answer, Layer):
            layers.append((str(path), answer))
        else:
            problems[path] = answer
    return layers, problems


def say_coding(dataset: str, layers: Sequence[tuple[str, Layer]]) -> Coding:
    """The coding of a set's masks, which is logged. Raises MaskError where it is not certain."""
    coding = coding_of(layers)
    log.info("%s: %s", dataset, coding)
    if coding.without_objects:
        log.warning("%s: all of its %d masks are empty: no pixel is foreground", dataset, coding.count)
    return coding


def _survey(path: Path) -> Layer | str:
    try:
        return survey(path)
    except ImageError as error:
        return str(error)
