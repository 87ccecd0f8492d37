"""Maps and scores of a network on pairs, predicted as run/Test.py would."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader

from ..data.datasets.pairs import Pair
from ..data.datasets.torch_datasets import TestDataset, collate_test
from ..data.images.preprocess import to_map
from ..engine import build
from ..engine.test import predictor_of
from ..utils.config.schema import Config
from ..utils.metrics import Accumulator, score

BATCH = 4


def maps(
    config: Config, model: nn.Module, pairs: Sequence[Pair], device: torch.device
) -> Iterator[tuple[Pair, np.ndarray]]:
    """Every pair with its map, uint8 (H, W) at the image's own size; in the order of the batches, not of the pairs."""
    predictor = predictor_of(config, model, device)
    prepare = build.preprocess(build.section(config, "Model"), build.section(config, "Test"))
    found = {(pair.dataset, pair.name): pair for pair in pairs}
    for groups in DataLoader(TestDataset(pairs, prepare), BATCH, collate_fn=collate_test):
        for batch in groups:
            saliency = predictor(batch["image"], batch["resized"]).logits.float().sigmoid().cpu().numpy()
            for i, key in enumerate(zip(batch["dataset"], batch["name"], strict=True)):
                yield found[key], to_map(saliency[i : i + 1], batch["shape"][i])


def scores(
    config: Config, model: nn.Module, pairs: Sequence[Pair], metrics: Sequence[str], device: torch.device
) -> Accumulator:
    """The scores of every pair, by set and name."""
    total = Accumulator(metrics)
    for pair, saliency in maps(config, model, pairs, device):
        total.update(f"{pair.dataset}/{pair.name}", score(saliency, pair.read_mask(), metrics))
    return total
