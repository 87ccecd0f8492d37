"""Files of single objects, beside the result that holds all of them. A note tells which of them this program wrote.

The note is a hidden file of lines as sha256sum writes them. It is there before the objects are, so whatever moment a run is stopped
at, the next one knows its files from photographs that are called alike, and replaces no other.
"""

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path

Write = Callable[[bytes, Path], None]
Line = tuple[str, str]  # sha256, name


def note_of(target: Path) -> Path:
    """.photo.out.objects beside the result photo.out.png. Hidden, so that no folder's images are looked for in it."""
    return target.with_name(f".{target.stem}.objects")


def write_objects(target: Path, files: dict[Path, bytes], write: Write) -> None:
    """Write the objects of one result. target: where the result goes.

    Raises OSError, of which FileExistsError where a file would be replaced that this program did not write, or that was changed.
    """
    lines = _read(note_of(target))
    there = {line for place in files if (line := _line_of(place)) is not None}
    made = {_line(place, data) for place, data in files.items()}
    _refuse(target, there - made - lines)
    names = {name for _, name in made}
    lines = {line for line in lines if line[1] not in names}  # objects of an earlier run that found more of them
    write(_text(lines | there | made), note_of(target))
    for place, data in files.items():
        write(data, place)


def _refuse(target: Path, foreign: Iterable[Line]) -> None:
    names = sorted(name for _, name in foreign)
    if names:
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        raise FileExistsError(
            f"{target.with_name(names[0])}{more}: an object's own file would replace it: rename it if it is a photograph or was "
            "changed since, else remove it"
        )


def _line_of(place: Path) -> Line | None:
    try:
        return _line(place, place.read_bytes())
    except FileNotFoundError:
        return None


def _line(place: Path, data: bytes) -> Line:
    return hashlib.sha256(data).hexdigest(), place.name


def _read(note: Path) -> set[Line]:
    try:
        text = note.read_bytes().decode("utf-8", "surrogateescape")
    except FileNotFoundError:
        return set()
    return {(digest, name) for digest, _, name in (line.partition("  ") for line in text.split("\n")) if name}


def _text(lines: Iterable[Line]) -> bytes:
    return "".join(f"{digest}  {name}\n" for digest, name in sorted(lines)).encode("utf-8", "surrogateescape")
