"""The images that an address of S3 stands for: a pattern, a folder, or one object."""

import glob
import re
from collections.abc import Iterator
from pathlib import Path
from typing import cast

from ..data.images.formats import JUNK, is_known
from ..files.sources import JobError, Sources
from ..remover.output_paths import is_inside, is_result
from . import store
from .path import CloudPath, as_path
from .store import State


def find_objects(source: str, dest: Path) -> tuple[Sources, dict[str, State], tuple[str, ...]]:
    """(as of `files.sources.find_sources`, state of each by its address, addresses that no path can stand for).

    What lies below `dest`, hidden names and names of results are left out. The listing is taken in page by page, and only what
    counts is kept. Raises JobError where there is none, CloudError.
    """
    root, urls = _look(source)
    states: dict[str, State] = {}
    like_results: list[Path] = []
    others: list[Path] = []
    odd: list[str] = []
    for url, state in urls:
        place = as_path(url)
        hidden = any(part.startswith(".") for part in place.relative_to(root).parts) if place != root else False
        if hidden or url.endswith("/") or (is_inside(dest, root) and is_inside(place, dest)):
            continue
        if str(place) != url:  # a//b, a/./b
            odd.append(url)
        elif not is_known(place):
            others += [place] if place.name.lower() not in JUNK else []
        elif is_result(place):
            like_results.append(place)
        else:
            states[url] = state
    if not states and not odd:
        raise JobError(
            f"{source}: no images there ({len(like_results)} named as results are, {len(others)} of other kinds)"
        )
    files = [cast(Path, CloudPath(url)) for url in states]
    return Sources(files, root, tuple(like_results), tuple(others)), states, tuple(odd)


def _look(source: str) -> tuple[Path, Iterator[tuple[str, State]]]:
    """The folder that names count from, and the objects with their states."""
    place = as_path(source)
    if glob.has_magic(source):
        return _matching(source)
    below = _objects(f"{source.rstrip('/')}/")
    first = next(below, None)
    if first is not None:
        return place, _chain(first, below)
    if store.split(source)[1] and store.exists(source):
        return place.parent, iter([(source, store.state(source))])
    raise JobError(f"{source}: no such object, and none below it")


def _matching(pattern: str) -> tuple[Path, Iterator[tuple[str, State]]]:
    from fsspec.utils import glob_translate

    fixed = re.split(r"[*?\[]", pattern, maxsplit=1)[0]
    if store.split(fixed)[0] == fixed.removeprefix("s3://"):
        raise JobError(f"{pattern}: the bucket is named without wildcards")
    matches = re.compile(glob_translate(pattern)).match
    return as_path(fixed.rpartition("/")[0]), (entry for entry in _objects(fixed) if matches(entry[0]))


def _objects(prefix: str) -> Iterator[tuple[str, State]]:
    for page in store.pages(prefix):
        yield from page


def _chain(first: tuple[str, State], rest: Iterator[tuple[str, State]]) -> Iterator[tuple[str, State]]:
    yield first
    yield from rest
