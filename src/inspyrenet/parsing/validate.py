"""Scores a network on held-out scenes while it trains, with the counts that Eval uses."""

import math
from collections.abc import Mapping, Sequence

import torch
from torch import nn

from ..data.datasets.pairs import Pair
from ..data.images.preprocess import Preprocess
from ..data.images.read import read_image
from ..engine.validate import warn_not_finite
from ..utils.train import distributed
from .confusion import ConfusionMatrix
from .predictor import ScenePredictor


class SceneValidator:
    """Model → {metric: value}. Under several processes each counts its share; all of them get the whole result.

    Where the network's values are not finite, the image is named in the log and every value is NaN: training goes on, and this
    is never the best.
    """

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
        broken: list[str] = []
        for pair in self.pairs:
            image, _ = self.preprocess(read_image(pair.image))
            labels = pair.read_mask()
            (predicted,) = predictor(torch.from_numpy(image)[None], [labels.shape])
            if predicted is None:
                broken.append(f"{pair.dataset}/{pair.name}")
            else:
                matrix.update(predicted, labels)
        return self._together(matrix, broken)

    def _together(self, matrix: ConfusionMatrix, broken: list[str]) -> Mapping[str, float]:
        """The result of all processes. broken: where the network's values are not finite."""
        total, names = ConfusionMatrix(self.classes, self.ignore_label), list[str]()
        for part, others in distributed.gather((matrix, broken)):
            total.merge(part)
            names += others
        values = total.scores().values()
        if not names:
            return values
        warn_not_finite(names)
        return dict.fromkeys(values, math.nan)
