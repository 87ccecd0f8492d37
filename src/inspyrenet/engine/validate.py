"""Scores a network on held-out pairs while it trains, with the metrics that Eval uses."""

import logging
import math
from collections.abc import Mapping, Sequence

import torch
from torch import nn
from torch.utils.data import DataLoader

from ..data.datasets.pairs import Pair
from ..data.datasets.torch_datasets import TestDataset, collate_test
from ..data.images.preprocess import NotFiniteError, Preprocess, to_map
from ..utils.metrics import Accumulator, check_metrics, score
from ..utils.metrics.files import listing
from ..utils.train import distributed
from .predictor import Predictor

log = logging.getLogger(__name__)

ALWAYS = ("maxFm", "mae", "Sm")  # shown beside the metric that chooses the best checkpoint


class Validator:
    """Model → {metric: value}. Under several processes each scores its share; all of them get the whole result.

    Where a map is not finite, it is named in the log and every value is NaN: training goes on, and this is never the best.
    """

    def __init__(
        self,
        pairs: Sequence[Pair],
        preprocess: Preprocess,
        metric: str,
        device: torch.device,
        precision: str = "float32",
        num_workers: int = 0,
        batch_size: int = 8,
    ):
        self.metrics = check_metrics((metric, *ALWAYS))
        self.pairs = list(pairs)[distributed.rank() :: distributed.world_size()]
        self.device, self.precision = device, precision
        self.loader = (
            DataLoader(
                TestDataset(self.pairs, preprocess),
                batch_size=batch_size,
                num_workers=num_workers,
                collate_fn=collate_test,
                generator=torch.Generator().manual_seed(0),  # leave the global one to training
            )
            if self.pairs
            else ()
        )

    def __call__(self, model: nn.Module) -> Mapping[str, float]:
        predictor = Predictor(model, self.device, precision=self.precision)
        scores = Accumulator(self.metrics)
        broken: list[str] = []
        pairs = {(pair.dataset, pair.name): pair for pair in self.pairs}  # batches come grouped by size
        for groups in self.loader:
            for batch in groups:
                saliency = predictor(batch["image"]).logits.sigmoid().float().cpu().numpy()
                for i, (dataset, name) in enumerate(zip(batch["dataset"], batch["name"], strict=True)):
                    mask = pairs[dataset, name].read_mask()
                    try:
                        prediction = to_map(saliency[i : i + 1], mask.shape)
                    except NotFiniteError:
                        broken.append(f"{dataset}/{name}")
                        continue
                    scores.update(f"{dataset}/{name}", score(prediction, mask, self.metrics))
        return self._together(scores, broken)

    def _together(self, scores: Accumulator, broken: list[str]) -> Mapping[str, float]:
        """The result of all processes. broken: whose maps are not finite."""
        total = Accumulator(self.metrics)
        names: list[str] = []
        for part, others in distributed.gather((scores, broken)):
            total.merge(part)
            names += others
        if not names:
            return total.result().values
        warn_not_finite(names)
        return dict.fromkeys(self.metrics, math.nan)


def warn_not_finite(names: Sequence[str]) -> None:
    """Says once, in the main process, which images have maps with values that are not finite."""
    if distributed.is_main():
        log.warning(
            "validation: maps with values that are not finite: %d of them, %s; try precision float32",
            len(names),
            listing(names),
        )
