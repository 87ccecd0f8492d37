"""The first, deterministic resize of every pair, kept as bytes: decoding is paid once instead of every epoch.

On disk the cache is two memory-mapped arrays in a folder named after everything that they depend on: paths, sizes and
modification times of the files, how their masks are read, the target size and the way of resizing. Changed files therefore
get a new cache, and a folder that exists is whole, since it gets its name last. Old folders may be deleted at any time.
"""

import contextlib
import hashlib
import json
import logging
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np

from ..augment.transforms import Resize, Sample, StaticResize
from ..images.read import ImageError
from .layout import cache_root
from .pairs import Pair

log = logging.getLogger(__name__)

VERSION = 2  # raise it whenever the same files would be cached as other bytes
_FILES = ("images.npy", "masks.npy")

Reader = Callable[[Pair], Sample]


def default_folder() -> Path:
    """Where disk caches go: below $INSPYRENET_CACHE, else below the platform's cache folder."""
    return cache_root() / "resized"


class CachedReader:
    """Maps a pair to its resized Sample, read-only, without opening its files. Made by `build_cache`."""

    def __init__(self, pairs: Sequence[Pair], source: Path | tuple[np.ndarray, np.ndarray]):
        self.rows = {(pair.image, pair.mask): row for row, pair in enumerate(pairs)}
        self.folder = source if isinstance(source, Path) else None
        self.arrays = _load(source) if isinstance(source, Path) else source

    def __call__(self, pair: Pair) -> Sample:
        row = self.rows[pair.image, pair.mask]
        return Sample(*(np.asarray(array[row]) for array in self.arrays))

    def __getstate__(self) -> dict:
        """A cache on disk travels to a worker process by name, one in memory as a whole (a forked worker shares it)."""
        return {**self.__dict__, "arrays": None if self.folder else self.arrays}

    def __setstate__(self, state: dict) -> None:
        self.__dict__.update(state)
        if self.folder is not None:
            self.arrays = _load(self.folder)


def build_cache(
    pairs: Sequence[Pair],
    resize: Resize | None,
    read: Reader,
    kind: Literal["ram", "disk"],
    folder: Path | str | None = None,
    label: str = "",
) -> CachedReader:
    """Reads every pair once, unless a fitting cache is on disk already. `read` must give samples of resize.size.

    `label` names the way of resizing. Several processes may build at once: the first one to finish is used by all.
    Raises ValueError where sizes would differ or memory does not suffice, OSError where the disk is full, ImageError
    where a file cannot be read.
    """
    if kind not in ("ram", "disk"):
        raise ValueError(f"cache must be none, ram or disk, not {kind!r}")
    if not isinstance(resize, StaticResize):
        raise ValueError("a cache needs static_resize as the first transform; set cache: none")
    size = (resize.size[0], resize.size[1])
    needed = len(pairs) * size[0] * size[1] * 4
    if kind == "ram":
        _announce(len(pairs), size, needed, "memory")
        _refuse_shortage(needed, available_memory(), "memory", "cache: disk or cache: none")
        return CachedReader(pairs, _fill_memory(pairs, size, read))
    folder = Path(folder) if folder else default_folder()
    target = folder / f"{size[0]}x{size[1]}-{_key(pairs, size, label)}"
    if not _is_whole(target):
        _announce(len(pairs), size, needed, str(folder))
        folder.mkdir(parents=True, exist_ok=True)
        _refuse_shortage(needed, shutil.disk_usage(folder).free, str(folder), "another cache folder or cache: none")
        _fill_disk(pairs, size, read, target)
    return CachedReader(pairs, target)


def _is_whole(target: Path) -> bool:
    """Whether a cache is there; a damaged one is removed. Raises OSError where that is not allowed."""
    if not target.is_dir():
        return False
    try:
        _load(target)
    except (ValueError, EOFError, FileNotFoundError) as error:
        log.warning("the cache %s is damaged (%s): it is made anew", target, error)
        aside = target.with_name(f".{secrets.token_hex(8)}")
        with contextlib.suppress(FileNotFoundError):  # another process was faster
            target.rename(aside)
        shutil.rmtree(aside, ignore_errors=True)
        return False
    return True


def _key(pairs: Sequence[Pair], size: tuple[int, int], label: str) -> str:
    """Short hash of everything that the cached bytes depend on."""
    digest = hashlib.sha256(json.dumps([VERSION, size, label]).encode())
    for pair in pairs:
        digest.update(f"{pair.coding.key if pair.coding else ''}\n".encode())
        for path in filter(None, (pair.image, pair.mask)):
            try:
                status = path.stat()
            except OSError as error:
                raise ImageError(f"{path}: cannot be read ({error.strerror or error})") from error
            digest.update(f"{path.absolute()}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:20]


def _fill_memory(pairs: Sequence[Pair], size: tuple[int, int], read: Reader) -> tuple[np.ndarray, np.ndarray]:
    images = np.empty((len(pairs), *size, 3), np.uint8)
    masks = np.empty((len(pairs), *size), np.uint8)
    for row, sample in enumerate(_samples(pairs, size, read)):
        images[row], masks[row] = sample
    return images, masks


def _fill_disk(pairs: Sequence[Pair], size: tuple[int, int], read: Reader, target: Path) -> None:
    """Ordinary writes, not a memory map: a full disk is then an error instead of a crash."""
    temporary = target.with_name(f".{secrets.token_hex(8)}")
    temporary.mkdir()
    try:
        with (temporary / _FILES[0]).open("wb") as images, (temporary / _FILES[1]).open("wb") as masks:
            _write_header(images, (len(pairs), *size, 3))
            _write_header(masks, (len(pairs), *size))
            for sample in _samples(pairs, size, read):
                images.write(np.ascontiguousarray(sample.image).data)
                masks.write(np.ascontiguousarray(sample.mask).data)
        temporary.rename(target)
    except OSError as error:
        if not target.is_dir():  # else another process was faster
            reason = error.strerror or str(error)
            raise OSError(error.errno, f"cannot write the cache {target} ({reason}); set cache: none") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _write_header(file: BinaryIO, shape: tuple[int, ...]) -> None:
    description = {"descr": np.lib.format.dtype_to_descr(np.dtype(np.uint8)), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, description)


def _load(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    images, masks = (np.load(folder / name, mmap_mode="r", allow_pickle=False) for name in _FILES)
    return images, masks


def _samples(pairs: Sequence[Pair], size: tuple[int, int], read: Reader) -> Iterator[Sample]:
    """All samples in order, read by as many threads as there are cores; says how far it is every two seconds."""
    said, ahead = time.monotonic(), 64  # pairs at a time, so that memory stays bounded
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in range(0, len(pairs), ahead):
            for pair, sample in zip(
                pairs[start : start + ahead], pool.map(read, pairs[start : start + ahead]), strict=True
            ):
                if sample.mask.shape != size or sample.image.shape[:2] != size:
                    raise ValueError(f"{pair.image}: was read as {sample.mask.shape}, the cache holds {size}")
                yield sample
            if time.monotonic() - said > 2:
                log.info("caching: %d of %d pairs", min(start + ahead, len(pairs)), len(pairs))
                said = time.monotonic()


def _announce(count: int, size: tuple[int, int], needed: int, place: str) -> None:
    log.info("caching %d pairs at %dx%d: %.2f GB in %s", count, *size, needed / 1e9, place)


def _refuse_shortage(needed: int, free: int | None, place: str, remedy: str) -> None:
    if free is not None and needed > free:
        raise ValueError(
            f"the cache needs {needed / 1e9:.2f} GB but {place} has {free / 1e9:.2f} GB left; use {remedy}"
        )


def available_memory() -> int | None:
    """Bytes that can be had without swapping; None where the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    values = dict(line.split(":", 1) for line in lines if ":" in line)
    return int(values["MemAvailable"].split()[0]) * 1024 if "MemAvailable" in values else None
