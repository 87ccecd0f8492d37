"""An InSPyReNet in torch, in parts: encoder and decoder, with the coarse map between them."""

from collections.abc import Sequence

import numpy as np
import torch

from ..engine.predictor import Predictor
from ..lib.inference.pyramid_blending import ALIGNMENTS, add_details
from ..lib.models.inspyrenet import InSPyReNet
from ..lib.types import SaliencyPyramid
from ..utils.system.precision import flushed_denormals
from .network import LAPLACIAN, SALIENCY


class TorchParts:
    """See `Parts`."""

    def __init__(self, model: InSPyReNet, predictor: Predictor):
        self.model, self.predictor, self.threshold = model, predictor, predictor.threshold

    def encode(self, image: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
        """See `Parts`."""
        with self.predictor.inference(), flushed_denormals():
            contexts, f3, s3 = self.model.decode(self._tensor(image))
            return [as_array(x) for x in (contexts[1], contexts[2], f3)], as_array(s3)

    def decode(self, features: Sequence[np.ndarray], s3: np.ndarray, outputs: Sequence[str]) -> list[np.ndarray]:
        """See `Parts`."""
        x1, x2, f3, coarse = map(self._tensor, (*features, s3))
        with self.predictor.inference(), flushed_denormals():
            return _named(self.model.reconstruct({1: x1, 2: x2}, f3, coarse), outputs)

    def blend(
        self, low: np.ndarray, s3: np.ndarray, details: Sequence[np.ndarray], outputs: Sequence[str]
    ) -> list[np.ndarray]:
        """See `Parts`."""
        with self.predictor.inference(), flushed_denormals():
            coarse = ALIGNMENTS[self.predictor.alignment](self._tensor(low), s3.shape[-2:])
            return _named(add_details(self.model.pyramid, coarse, list(map(self._tensor, details))), outputs)

    def _tensor(self, array: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(array).to(self.predictor.device)


def as_array(tensor: torch.Tensor) -> np.ndarray:
    """Any tensor as float32."""
    return tensor.float().cpu().numpy()


def _named(pyramid: SaliencyPyramid, outputs: Sequence[str]) -> list[np.ndarray]:
    levels = dict(zip((*SALIENCY, *LAPLACIAN), (*pyramid.saliency, *pyramid.laplacian), strict=True))
    return [as_array(levels[name]) for name in outputs]
