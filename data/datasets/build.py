"""Composes reading, caching and augmentation into the data set that a config asks for."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ..augment.coarse_map import CoarseMap
from ..augment.copy_paste import CopyPaste
from ..augment.fused import FastCompose
from ..augment.random_size import RandomSize
from ..augment.transforms import Compose, DynamicResize, Resize, Sample, StaticResize, Transform, build_transforms
from .cache import build_cache
from .pairs import Pair
from .reader import FastReader
from .torch_datasets import TrainDataset, read_pair


def build_train_dataset(
    pairs: Sequence[Pair],
    steps: Iterable[tuple[str, Mapping[str, Any] | None]],
    seed: int = 0,
    pipeline: Literal["fast", "pil"] = "fast",
    cache: Literal["none", "ram", "disk"] = "none",
    cache_folder: Path | str | None = None,
    random_size: Mapping[str, Any] | None = None,
    labels: Sequence[int] | None = None,
    copy_paste: Mapping[str, Any] | None = None,
    coarse_map: Mapping[str, Any] | None = None,
    further: Sequence[Transform] = (),
) -> TrainDataset:
    """A TrainDataset of `pairs` with the named transforms, see `build_transforms`.

    `pipeline` is how they are carried out: fused, or one by one as published; the draws are the same. `cache` keeps the
    first resize in memory or below `cache_folder` (see `cache.default_folder`); it gives the same batches as no cache.
    `random_size`: ranges of a `RandomSize`, which gives every batch a size of its own. `labels`: class number of each pair.
    `copy_paste`: parameters of a `CopyPaste`. `coarse_map`: parameters of a `CoarseMap`. `further`: transforms after the named
    ones.
    Raises ValueError for an unknown name or choice, and what `build_cache` raises.
    """
    if pipeline not in ("fast", "pil"):
        raise ValueError(f"pipeline must be 'fast' or 'pil', not {pipeline!r}")
    if cache not in ("none", "ram", "disk"):
        raise ValueError(f"cache must be 'none', 'ram' or 'disk', not {cache!r}")
    compose = build_transforms(steps)
    compose = Compose((*compose.steps, *further), compose.normalize, compose.crop)
    resize, fast = compose.resize, pipeline == "fast"
    known = resize is None or (type(resize) in (StaticResize, DynamicResize) and resize.backend == "pillow")
    read: Callable[[Pair], Sample] = FastReader(resize) if fast and known else _ExactReader(resize)
    if cache != "none":
        way = f"{pipeline} {type(resize).__name__}{'' if resize is None or known else f' {resize.backend}'}"
        read = build_cache(pairs, resize, read, cache, cache_folder, way)
    compose = compose.without_resize()
    apply = FastCompose(compose) if fast and compose.crop is None else compose
    collate = None if random_size is None else RandomSize(seed, **random_size)
    paste = None if copy_paste is None else CopyPaste(**copy_paste)
    coarse = None if coarse_map is None else CoarseMap(**coarse_map)
    return TrainDataset(pairs, apply, seed, read, labels, collate, paste, coarse)


@dataclass(frozen=True)
class _ExactReader:
    """Reads a pair and applies the first, deterministic resize as it is defined; None: no resize."""

    resize: Resize | None

    def __call__(self, pair: Pair) -> Sample:
        sample = read_pair(pair)
        return sample if self.resize is None else self.resize.apply(sample, None)
