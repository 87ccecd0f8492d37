"""Which images a batch is about, where each result goes, and how they are cut into shards and tasks."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..cloud.path import as_path, is_url
from ..cloud.sources import find_objects
from ..cloud.store import State
from ..files.report import named_like_results, named_others
from ..files.sources import find_sources
from ..remover.output_paths import kind_of, plan
from .errors import BatchError, load_arrow
from .places import readable

LISTS = (".txt", ".lst", ".parquet")  # files that name images
PATH_COLUMN = "path"
UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
TASK = 16  # images that a worker is given at once: what a dying worker can cost
TASKS = 5_000  # of a whole batch; more of them would only keep the scheduler busy


@dataclass(frozen=True, slots=True)
class Item:
    """One image to do. suspect: a worker may have died of it, see `in_flight.py`."""

    path: str
    output: str
    shard: int = 0
    suspect: bool = False


@dataclass(frozen=True)
class Inputs:
    """The images in order, the folder that their names count from, and what was left out.

    videos, twice: numbers of entries. unnamed: images whose names are no text, and so cannot stand in a manifest. like_results,
    others: as of `files.sources.Sources`. states: of images that a listing told of, by path.
    """

    images: list[Path]
    root: Path
    videos: int = 0
    twice: int = 0
    unnamed: tuple[str, ...] = ()
    like_results: tuple[Path, ...] = ()
    others: tuple[Path, ...] = ()
    states: dict[str, State] = field(default_factory=dict)

    def __str__(self) -> str:
        """1,234 images, left out: 2 videos (inspyrenet p cuts them), 1 named twice"""
        left = [f"{self.videos} videos (inspyrenet p cuts them)"] * bool(self.videos)
        left += [f"{self.twice} named twice"] * bool(self.twice)
        text = f"{len(self.images):,} images" + (f", left out: {', '.join(left)}" if left else "")
        text += f", {named_like_results(self.like_results)}" if self.like_results else ""
        return f"{text}, {named_others(self.others)}" if self.others else text


def find_inputs(source: str, dest: Path, root: Path | None = None) -> Inputs:
    """A pattern in quotes, a folder, or a list (.txt, .lst: a path in each line; .parquet: column path) → absolute paths.

    root: the folder whose structure is kept; default: a pattern's part before the first wildcard, the folder, or of a list
    the folder that all its images share. Raises BatchError, JobError, ImageError where there is nothing to do.
    """
    place = as_path(source)
    like_results: tuple[Path, ...] = ()
    others: tuple[Path, ...] = ()
    states: dict[str, State] = {}
    odd: tuple[str, ...] = ()
    if place.suffix.lower() in LISTS and place.is_file():
        found, own = _read_list(place)
    elif is_url(source):
        sources, states, odd = find_objects(source, dest)
        found, own = sources.files, sources.root
        like_results, others = sources.like_results, sources.others
    else:
        sources = find_sources(source, dest)
        found, own = [image.absolute() for image in sources.files], sources.root.absolute()
        like_results, others = sources.like_results, sources.others
    images = sorted({path for path in found if kind_of(path) == "image"})
    videos = sum(kind_of(path) == "video" for path in found)
    if not images and not odd:
        raise BatchError(f"{source}: no images, {videos} videos: videos are cut by inspyrenet p")
    twice = len(found) - videos - len(images)
    unnamed = tuple(str(path) for path in images if not is_text(str(path)))
    images = [path for path in images if str(path) not in unnamed] if unnamed else images
    root = _checked_root(root, own, images)
    return Inputs(images, root, videos, twice, (*unnamed, *odd), like_results, others, states)


def is_text(name: str) -> bool:
    """A name that a table can hold."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:  # bytes of another encoding, as Python keeps them
        return False
    return True


def _read_list(place: Path) -> tuple[list[Path], Path]:
    """Paths of a list, of which relative ones count from its own folder; and the folder that all have in common."""
    base = place.parent.absolute()
    names = _names_of_table(place) if place.suffix.lower() == ".parquet" else _names_of_text(place, base)
    if not names:
        raise BatchError(f"{place}: the list is empty")
    paths = [_normal(as_path(name) if is_url(name) else base / as_path(name)) for name in names]
    if len({is_url(str(path)) for path in paths}) > 1:
        raise BatchError(f"{place}: names files of this machine and addresses: make two lists of it")
    return paths, type(paths[0])(os.path.commonpath([path.parent for path in paths]))


def _normal(path: Path) -> Path:
    return type(path)(os.path.normpath(path))


def _names_of_text(place: Path, base: Path) -> list[str]:
    """A name in each line, quoted or not; lines from # on are comments, unless there is such a file below `base`."""
    data = place.read_bytes()
    try:  # some Windows programs write UTF-16, or a mark before UTF-8
        text = data.decode("utf-16" if data.startswith(UTF16_MARKS) else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise BatchError(f"{place}: not a text file in UTF-8 ({error.reason} at byte {error.start})") from error
    lines = [line.strip() for line in text.replace("\r", "\n").split("\n")]
    names = [line for line in lines if line and not (line.startswith("#") and not (base / line).is_file())]
    return [name[1:-1] if len(name) > 1 and name[0] == name[-1] and name[0] in "\"'" else name for name in names]


def _names_of_table(place: Path) -> list[str]:
    arrow = load_arrow()
    try:
        file = readable(place)
        schema = arrow.parquet.read_schema(file)
        if PATH_COLUMN not in schema.names:
            raise BatchError(f"{place}: has no column {PATH_COLUMN} (there is {', '.join(schema.names)})")
        column = arrow.parquet.read_table(file, columns=[PATH_COLUMN])[PATH_COLUMN]
    except (arrow.ArrowException, OSError) as error:
        raise BatchError(f"{place}: not a parquet file, or a damaged one ({error})") from error
    return [str(name) for name in column.to_pylist() if name]


def _checked_root(root: Path | None, own: Path, images: Sequence[Path]) -> Path:
    if root is None:
        return own
    root = _normal(root.absolute())
    outside = [image for image in images if not image.is_relative_to(root)]
    if outside:
        raise BatchError(f"{outside[0]} does not lie below --root {root} ({len(outside)} images do not)")
    return root


def lay_out(inputs: Inputs, dest: Path, form: str, shard_size: int) -> list[Item]:
    """Every image with its result's place and its shard. The same images always give the same items.

    No two share a result, no result replaces an input (`output_paths.plan`).
    """
    if shard_size < 1:
        raise BatchError(f"a shard has at least 1 image, not {shard_size}")
    jobs = plan(inputs.images, inputs.root, dest.absolute(), form)
    return [Item(str(job.source), str(job.target), place // shard_size) for place, job in enumerate(jobs)]


def tasks_of(items: Sequence[Item], workers: int, largest: int = TASK) -> list[list[Item]]:
    """Items in the portions that workers get: small enough for all workers to end together, not more than `TASKS`."""
    size = max(1, min(largest, -(-len(items) // (4 * workers))), -(-len(items) // TASKS))
    return [list(items[start : start + size]) for start in range(0, len(items), size)]
