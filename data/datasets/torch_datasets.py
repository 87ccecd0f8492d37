"""Pairs and images as torch data sets.

Whatever is random depends on (seed, epoch, index) alone, so any number of worker processes gives the same batches.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from ..augment.coarse_map import CoarseMap
from ..augment.copy_paste import CopyPaste
from ..augment.transforms import Sample
from ..images.preprocess import Preprocess
from ..images.read import ImageError, read_image
from .pairs import Pair, PreflightError, check_pairs, find_pairs, pick_evenly

__all__ = [
    "Pair",
    "PreflightError",
    "TestDataset",
    "TrainDataset",
    "check_pairs",
    "collate_test",
    "find_pairs",
    "pick_evenly",
    "read_pair",
]


def read_pair(pair: Pair) -> Sample:
    """Image and mask of a pair. Raises ImageError where either cannot be read or their sizes differ."""
    sample = Sample(read_image(pair.image), pair.read_mask())
    if sample.image.shape[:2] != sample.mask.shape:
        (height, width), (mask_height, mask_width) = sample.image.shape[:2], sample.mask.shape
        raise ImageError(f"{pair.image}: is {width}x{height} but its mask {pair.mask} is {mask_width}x{mask_height}")
    return sample


class TrainDataset(Dataset):
    """Augmented pairs: {"image": float32 (3, H, W), "mask": float32 (1, H, W) in 0..1, "index": int}.

    `transforms` maps (sample, generator) to the two tensors, and a third one where it pads: then "valid" (1, H, W) is 1
    inside the image. `read` maps a pair to its Sample. `labels`, the class number of each pair, come as "label".
    `collate` makes the batches (None: items are of one size); items then say their "epoch" too. `paste` adds objects of
    other pairs, which are augmented like any; for items of one size. `coarse` adds "coarse" (1, H/8, W/8), logits of a
    damaged mask or NaN; for items of one size, too.
    An item (index, n) is the pair once more, for the n-th repetition in an epoch: the same pair, augmented by other draws.
    Raises ValueError without pairs; items raise ImageError, naming the file.
    """

    def __init__(
        self,
        pairs: Sequence[Pair],
        transforms: Callable[[Sample, np.random.Generator], tuple[Tensor, ...]],
        seed: int = 0,
        read: Callable[[Pair], Sample] = read_pair,
        labels: Sequence[int] | None = None,
        collate: Callable[[Sequence[Mapping[str, Any]]], dict[str, Tensor]] | None = None,
        paste: CopyPaste | None = None,
        coarse: CoarseMap | None = None,
    ):
        if not pairs:
            raise ValueError("a training data set without pairs; check Train.Dataset.root and sets")
        if labels is not None and len(labels) != len(pairs):
            raise ValueError(f"{len(labels)} labels for {len(pairs)} pairs")
        self.labels, self.collate, self.paste, self.coarse = labels, collate, paste, coarse
        self.pairs, self.transforms, self.seed, self.read = list(pairs), transforms, seed, read
        # Shared memory: worker processes that live through several epochs must see the new number.
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int | tuple[int, int]) -> dict[str, Tensor | int]:
        index, *repeat = index if isinstance(index, tuple) else (index,)
        index = range(len(self.pairs))[index]
        rng = np.random.default_rng((self.seed, self.epoch, index, *repeat))
        image, mask, *valid = self.transforms(self.read(self.pairs[index]), rng)
        if self.paste is not None and (other := self.paste.draw(rng, len(self))) is not None:
            image, mask = self.paste.apply(image, mask, *self.transforms(self.read(self.pairs[other]), rng))
        item: dict[str, Tensor | int] = {"image": image, "mask": mask, "index": index}
        if valid:
            item["valid"] = valid[0]
        if self.coarse is not None:
            item["coarse"] = self.coarse(mask, rng)
        if self.labels is not None:
            item["label"] = self.labels[index]
        if self.collate is not None:
            item["epoch"] = self.epoch
        return item

    @property
    def epoch(self) -> int:
        """The epoch whose augmentation is drawn."""
        return int(self._epoch)

    def set_epoch(self, epoch: int) -> None:
        """Other draws for every image; call before the epoch's first batch is asked for."""
        self._epoch.fill_(epoch)

    def describe(self, index: int) -> str:
        """One pair for people: set, name and image file."""
        pair = self.pairs[int(index)]
        return f"{pair.dataset}/{pair.name} ({pair.image})"

    def names(self, indices: Sequence[int] | Tensor) -> list[str]:
        """`describe` for the "index" entry of a batch."""
        return [self.describe(int(index)) for index in indices]


class TestDataset(Dataset):
    """Images for prediction: {"image": (3, h, w), "resized": (3, b, b) or None, "shape": (H, W), "name", "dataset"}.

    `images` are pairs, or paths (named by their stem). on_error="report" gives {"error": message, "name", "dataset"}
    for a file that cannot be read, instead of raising ImageError.
    """

    __test__ = False  # not a test class, whatever its name looks like

    def __init__(
        self,
        images: Sequence[Pair | Path | str],
        preprocess: Preprocess,
        on_error: Literal["raise", "report"] = "raise",
    ):
        if not images:
            raise ValueError("a test data set without images; check Test.Dataset.root and sets")
        if on_error not in ("raise", "report"):
            raise ValueError(f"on_error must be 'raise' or 'report', not {on_error!r}")
        self.pairs = [item if isinstance(item, Pair) else _unpaired(Path(item)) for item in images]
        self.preprocess, self.on_error = preprocess, on_error

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> dict[str, Any]:
        pair = self.pairs[index]
        try:
            image = read_image(pair.image)
        except ImageError as error:
            if self.on_error == "raise":
                raise
            return {"error": str(error), "name": pair.name, "dataset": pair.dataset}
        tensor, resized = (None if one is None else torch.from_numpy(one) for one in self.preprocess(image))
        shape = (image.shape[0], image.shape[1])
        return {"image": tensor, "resized": resized, "shape": shape, "name": pair.name, "dataset": pair.dataset}


def collate_test(items: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Batches of equal size: tensors stacked to (b, 3, h, w), everything else a list, in order of first appearance.

    One batch of the loader therefore is a list of batches, with one entry where all images have the same size.
    Items that could not be read form batches of their own with "error" instead of tensors.
    """
    groups: dict[tuple | None, list] = {}
    for item in items:
        groups.setdefault(None if "error" in item else tuple(item["image"].shape), []).append(item)
    return [_stack(group) for group in groups.values()]


def _stack(group: list[Mapping[str, Any]]) -> dict[str, Any]:
    batch: dict[str, Any] = {key: [item[key] for item in group] for key in group[0]}
    for key in ("image", "resized"):
        if key in batch:
            batch[key] = None if batch[key][0] is None else torch.stack(batch[key])
    return batch


def _unpaired(path: Path) -> Pair:
    return Pair(image=path, mask=None, name=path.stem, dataset="")
