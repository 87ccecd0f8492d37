"""Results into files: one, and one more for each object where they were asked for by themselves."""

from pathlib import Path

from ..data.images.encode import encode, write_bytes, write_picture
from .image_types import Result
from .object_files import Write, write_objects
from .output_paths import object_path


def write_result(result: Result, path: Path | str, form: str | None = None) -> None:
    """Write the result, and before it its objects, beside it as `object_path` names them, see `object_files`.

    Raises as `write_picture` does.
    """
    path = Path(path)
    write_objects_of(result, path, form or path.suffix, write_bytes)
    write_picture(result.array, path, form, result.metadata)


def write_objects_of(result: Result, path: Path, form: str, write: Write) -> None:
    """The objects of a result that goes to `path`. Raises OSError, FormatError."""
    files = {
        object_path(path, number): encode(one.array, form, one.metadata) for number, one in enumerate(result.objects, 1)
    }
    if files:
        write_objects(path, files, write)


def places_of(result: Result) -> str:
    """Where the objects are, in words: the box left,top,width,height of each, or of all together."""
    boxes = [one.bbox for one in result.objects] or [result.bbox]
    words = [",".join(map(str, box)) for box in boxes if box is not None]
    return f"object at {' and '.join(words)}" if words else "nothing found"
