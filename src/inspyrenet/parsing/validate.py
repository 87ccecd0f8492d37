"""Scores a network on held-out scenes while it trains, with the counts that Eval uses."""

from collections.abc import Mapping, Sequence

import torch
from torch import nn

from ..data.datasets.pairs import Pair
from ..data.images.preprocess import Preprocess
from ..data.images.read import read_image
from ..utils.train import distributed
from .confusion import ConfusionMatrix
from .predictor import ScenePredictor


class SceneValidator:
    """Model → {metric: value}. Under several processes each counts its share; all of them get the whole result."""

    def __init__(
        self,
        pairs: Sequence[Pair],
        preprocess: Preprocess,
        classes: int,
        ignore_label: int,
        device: torch.device,
        precision: str = "float32",
    ):
        self.pairs = list(pairs)[distributed.rank() :: distributed.world_size()]
        self.preprocess, self.classes, self.ignore_label = preprocess, classes, ignore_label
        self.device, self.precision = device, precision

    def __call__(self, model: nn.Module) -> Mapping[str, float]:
        predictor = ScenePredictor(model, self.device, self.precision)
        matrix = ConfusionMatrix(self.classes, self.ignore_label)
        for pair in self.pairs:
            image, _ = self.preprocess(read_image(pair.image))
            labels = pair.read_mask()
            (predicted,) = predictor(torch.from_numpy(image)[None], [labels.shape])
            matrix.update(predicted, labels)
        total = ConfusionMatrix(self.classes, self.ignore_label)
        for part in distributed.gather(matrix):
            total.merge(part)
        return total.scores().values()
