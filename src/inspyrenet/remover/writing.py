"""Results into files: one, and one more for each object where they were asked for by themselves."""

from collections.abc import Iterator
from pathlib import Path

from ..data.images.encode import encode, write_picture
from .image_types import Result
from .output_paths import object_path


def write_result(result: Result, path: Path | str, form: str | None = None) -> None:
    """Write the result, and its objects beside it as `object_path` names them. Raises as `write_picture` does."""
    path = Path(path)
    for number, one in enumerate(result.objects, 1):
        write_picture(one.array, object_path(path, number), form or path.suffix, one.metadata)
    write_picture(result.array, path, form, result.metadata)


def encoded(result: Result, path: Path, form: str) -> Iterator[tuple[Path, bytes]]:
    """The same as bytes, each with its place; the result itself last. Raises FormatError."""
    for number, one in enumerate(result.objects, 1):
        yield object_path(path, number), encode(one.array, form, one.metadata)
    yield path, encode(result.array, form, result.metadata)


def places_of(result: Result) -> str:
    """Where the objects are, in words: the box left,top,width,height of each, or of all together."""
    boxes = [one.bbox for one in result.objects] or [result.bbox]
    words = [",".join(map(str, box)) for box in boxes if box is not None]
    return f"object at {' and '.join(words)}" if words else "nothing found"
