"""Data sets in parquet files, as Hugging Face keeps them: train-00000-of-00002.parquet, in the set's folder or in its `data`.

A row holds an image and its mask: encoded bytes, or {bytes, path}. Rows are read a few at a time and written once as files into
the cache folder, with the names that `path` has where these are distinct, else their number; everybody else sees an ordinary
folder. What is written depends on the names, sizes and modification times of the shards. Needs pyarrow (extra `parquet`).
"""

import logging
import re
import secrets
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from ..hub.archives import ArchiveError
from .layout import CACHE_VARIABLE, cache_root, image_folder, mask_folder
from .packed import key_of

log = logging.getLogger(__name__)

IMAGE_COLUMNS = ("image", "images", "img", "im", "photo")
MASK_COLUMNS = ("mask", "masks", "gt", "label", "annotation", "ground_truth", "segmentation", "matte", "alpha")
ROWS = 16  # in memory at a time
_SHARD = re.compile(r"(?P<split>.+)-(?P<index>\d{5})-of-(?P<count>\d{5})(-[0-9a-f]+)?\.parquet")  # at the end its hash
_NUMBER = re.compile(r"\d+\.parquet")
_SIGNATURES = {
    b"\xff\xd8": ".jpg",
    b"\x89PNG": ".png",
    b"RIFF": ".webp",
    b"BM": ".bmp",
    b"II*\0": ".tif",
    b"MM\0*": ".tif",
}


def splits(folder: Path) -> dict[str, list[Path]]:
    """Split → its shards in order, in `folder` or its sub-folder `data`. Shards that are called by a number are the split "".

    A file of any other name is a split of its own, so that no two are taken for one. Beside folders of images or masks, other
    tables are left alone, and shards are an ArchiveError.
    """
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.glob("*.parquet")) or sorted(folder.glob("data/*.parquet")):
        match = _SHARD.fullmatch(path.name)
        name = match["split"] if match else "" if _NUMBER.fullmatch(path.name) else path.stem
        found.setdefault(name, []).append(path)
    other = (image_folder(folder) or mask_folder(folder)) if found else None
    if other is None:
        return found
    shards = [path.name for paths in found.values() for path in paths if _holds_pairs(path)]
    if shards:
        raise ArchiveError(f"{folder}: has both the folder {other.name} and {shards[0]}; remove one")
    return {}


def unpacked_split(folder: Path, split: str | None = None) -> Path:
    """The folder with the images and masks of the shards in `folder`, unpacked if need be; `folder` itself without shards.

    Raises ArchiveError where a shard is missing or damaged, or it is not certain which split or column is meant, OSError where the
    cache cannot be written, ModuleNotFoundError without pyarrow.
    """
    found = splits(folder)
    if not found:
        return folder
    if split is None and len(found) > 1:
        raise ArchiveError(
            f"{folder}: has the splits {' and '.join(found)}; name one: {folder.name}/{next(iter(found))}"
        )
    shards = found[next(iter(found)) if split is None else split]
    _check_complete(shards)
    target = cache_root() / "parquet" / f"{folder.name}-{key_of(shards)}"
    if not target.is_dir():
        log.info("unpacking %s and its %d other parts into %s", shards[0], len(shards) - 1, target)
        _unpack(shards, target)
    return target


def _check_complete(shards: Sequence[Path]) -> None:
    matches = [match for match in (_SHARD.fullmatch(path.name) for path in shards) if match]
    indices = [int(match["index"]) for match in matches]
    counts = {int(match["count"]) for match in matches}
    if len(counts) > 1 or len(set(indices)) < len(indices) or 0 < len(matches) < len(shards):
        raise ArchiveError(
            f"{shards[0].parent}: has shards of different packings ({shards[0].name}, …); keep those of one"
        )
    missing = set(range(*counts)) - set(indices) if counts else set()
    if missing:
        name = f"{matches[0]['split']}-{min(missing):05}-of-{matches[0]['count']}.parquet"
        raise ArchiveError(f"{shards[0].parent}: the set is not complete: {name} missing")


def _unpack(shards: Sequence[Path], target: Path) -> None:
    temporary = target.with_name(f".{secrets.token_hex(8)}")
    try:
        for part in ("images", "masks"):
            (temporary / part).mkdir(parents=True)
        names = _names(shards)
        for number, (image, mask) in enumerate(_rows(shards)):
            for part, data in (("images", image), ("masks", mask)):
                where = f"row {number} of {shards[0].parent} ({part[:-1]})"
                (temporary / part / f"{names[number]}{_suffix(data, where)}").write_bytes(data)
        temporary.rename(target)
    except OSError as error:
        if not target.is_dir():  # else another process was faster
            remedy = f"set {CACHE_VARIABLE} to a writable folder with free space"
            raise OSError(error.errno, f"cannot unpack {shards[0]} into {target.parent} ({error}); {remedy}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _suffix(data: Any, where: str) -> str:
    if not isinstance(data, bytes) or not data:
        raise ArchiveError(f"{where}: holds no bytes; a set has the encoded image in each row, not only its path")
    known = (suffix for start, suffix in _SIGNATURES.items() if data.startswith(start))
    suffix = next(known, None)
    if suffix is None:
        raise ArchiveError(f"{where}: is no image of a known kind (it begins with {data[:8]!r})")
    return suffix


def _rows(shards: Sequence[Path]) -> Iterator[tuple[Any, Any]]:
    """Bytes of image and mask of every row."""
    for shard in shards:
        with _opened(shard) as file:
            columns = _columns(shard, file.schema_arrow.names)
            for batch in file.iter_batches(ROWS, columns=list(columns)):
                values = [batch.column(name).to_pylist() for name in columns]
                yield from ((_bytes_of(image), _bytes_of(mask)) for image, mask in zip(*values, strict=True))


def _bytes_of(value: Any) -> Any:
    return value.get("bytes") if isinstance(value, dict) else value


def _columns(shard: Path, names: Sequence[str]) -> tuple[str, str]:
    """(column of images, column of masks)."""
    found = []
    for what, known in (("images", IMAGE_COLUMNS), ("masks", MASK_COLUMNS)):
        there = [name for name in names if name.lower() in known]
        if len(there) != 1:
            trouble = (
                f"{' and '.join(there)} may hold the {what}; keep one" if there else f"no column {' or '.join(known)}"
            )
            raise ArchiveError(f"{shard}: {trouble} (columns: {', '.join(names)})")
        found += there
    return found[0], found[1]


def _holds_pairs(path: Path) -> bool:
    """Whether it is a table with encoded images and masks. Without pyarrow nobody can tell, nor read it."""
    try:
        file = _opened(path)
    except (ModuleNotFoundError, ArchiveError):
        return False
    with file:
        columns = [field.name.lower() for field in file.schema_arrow if _is_of_bytes(field.type)]
    return all(any(name in known for name in columns) for known in (IMAGE_COLUMNS, MASK_COLUMNS))


def _is_of_bytes(kind: Any) -> bool:
    from pyarrow import types

    inner = [kind.field(i).type for i in range(kind.num_fields)] if types.is_struct(kind) else [kind]
    return any(types.is_binary(one) or types.is_large_binary(one) for one in inner)


def _names(shards: Sequence[Path]) -> list[str]:
    """A file name without suffix for every row: its image's `path` where all have distinct ones, else its number."""
    paths: list[str | None] = []
    for shard in shards:
        with _opened(shard) as file:
            column = _columns(shard, file.schema_arrow.names)[0]
            kind = file.schema_arrow.field(column).type
            if not any(kind.field(i).name == "path" for i in range(kind.num_fields)):
                paths += [None] * file.metadata.num_rows
                continue
            for batch in file.iter_batches(columns=[f"{column}.path"]):
                paths += [value and value.get("path") for value in batch.column(0).to_pylist()]
    stems = [PurePosixPath(path).stem if path and path.isprintable() else "" for path in paths]
    if all(stems) and len({stem.lower() for stem in stems}) == len(stems):
        return stems
    return [f"{number:0{max(5, len(str(len(paths))))}}" for number in range(len(paths))]


def _opened(shard: Path) -> Any:
    import pyarrow
    from pyarrow.parquet import ParquetFile

    try:
        return ParquetFile(shard)
    except pyarrow.ArrowException as error:
        raise ArchiveError(f"{shard}: cannot be read ({error}); fetch it again") from error
