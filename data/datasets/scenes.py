"""Data sets for scene parsing: pictures and their label maps, found, checked and augmented."""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ..augment.label_maps import SceneCompose
from ..augment.transforms import Compose, Transform, build_transforms
from ..images.label_maps import label_problem, read_label_map
from ..images.read import ImageError
from .pairs import Match, Pair, PreflightError, find_pairs, match_folders
from .torch_datasets import TrainDataset

_THREADS = 8  # Pillow decodes without holding Python's lock


@dataclass(frozen=True)
class ScenePair(Pair):
    """A picture and its label map, which `mask` names."""

    def read_mask(self) -> np.ndarray:
        """The classes, uint8 (H, W). Raises ImageError where there is no label map or it cannot be read."""
        return read_label_map(self.mask_file)


def find_scenes(
    root: Path | str,
    sets: Iterable[str],
    on_bad_pair: Literal["error", "skip"] = "error",
    need_masks: bool = True,
    limit: int | None = None,
    mask_root: Path | str | None = None,
    match: Match | None = None,
) -> list[Pair]:
    """As `find_pairs`, for sets whose masks are label maps (PNG). Their values are for `check_labels` to look at."""
    masks = None if mask_root is None else Path(mask_root)

    def scenes(root: Path, name: str, _: bool) -> tuple[list[Pair], list[str]]:
        found = match_folders(root, name, need_masks, masks) if match is None else match(root, name, need_masks)
        return [ScenePair(pair.image, pair.mask, pair.name, pair.dataset) for pair in found[0]], found[1]

    # without need_masks, since there it is asked what gray values mean
    return find_pairs(root, sets, on_bad_pair, need_masks=False, limit=limit, match=scenes)


def check_labels(pairs: Sequence[Pair], classes: int, ignore_label: int) -> None:
    """Reads all label maps. Raises PreflightError that names each file with a label that is no class, or that cannot be read."""

    def problem(pair: Pair) -> str | None:
        try:
            return label_problem(pair.mask_file, pair.read_mask(), classes, ignore_label)
        except ImageError as error:
            return str(error)

    with ThreadPoolExecutor(_THREADS) as pool:
        problems = [text for text in pool.map(problem, pairs) if text]
    if problems:
        raise PreflightError(problems, "repair them, or set Model.classes and Dataset.ignore_label to what they hold")


def build_scene_dataset(
    pairs: Sequence[Pair],
    steps: Iterable[tuple[str, Mapping[str, Any] | None]],
    seed: int = 0,
    ignore_label: int = 255,
    further: Sequence[Transform] = (),
) -> TrainDataset:
    """A TrainDataset whose items have a label map uint8 (1, H, W) as "mask"; transforms as in `build_train_dataset`.

    Raises ValueError for an unknown transform, or one that label maps cannot follow.
    """
    compose = build_transforms(steps)
    compose = Compose((*compose.steps, *further), compose.normalize, compose.crop)
    return TrainDataset(pairs, SceneCompose(compose, ignore_label), seed)
