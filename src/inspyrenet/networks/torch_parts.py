"""An InSPyReNet in torch, in parts: encoder and decoder, with the coarse map between them."""

import contextlib
from collections.abc import Iterator, Sequence

import numpy as np
import torch

from ..engine.predictor import Predictor
from ..lib.inference.pyramid_blending import ALIGNMENTS, add_details
from ..lib.models.inspyrenet import InSPyReNet
from ..lib.types import SaliencyPyramid
from ..utils.system.precision import flushed_denormals
from .network import LAPLACIAN, SALIENCY
from .torch_errors import explained

COARSE_STEP = 2 ** len(LAPLACIAN)  # pixels of an image along a cell of S3


class TorchParts:
    """See `Parts`. Each of the three raises what `explained` does."""

    def __init__(self, model: InSPyReNet, predictor: Predictor):
        self.model, self.predictor, self.threshold = model, predictor, predictor.threshold

    def encode(self, image: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
        """See `Parts`."""
        with self._computing(image):
            contexts, f3, s3 = self.model.decode(self._tensor(image))
            return [as_array(x) for x in (contexts[1], contexts[2], f3)], as_array(s3)

    def decode(self, features: Sequence[np.ndarray], s3: np.ndarray, outputs: Sequence[str]) -> list[np.ndarray]:
        """See `Parts`."""
        with self._computing(s3, COARSE_STEP):
            x1, x2, f3, coarse = map(self._tensor, (*features, s3))
            return _named(self.model.reconstruct({1: x1, 2: x2}, f3, coarse), outputs)

    def blend(
        self, low: np.ndarray, s3: np.ndarray, details: Sequence[np.ndarray], outputs: Sequence[str]
    ) -> list[np.ndarray]:
        """See `Parts`."""
        with self._computing(s3, COARSE_STEP):
            coarse = ALIGNMENTS[self.predictor.alignment](self._tensor(low), s3.shape[-2:])
            return _named(add_details(self.model.pyramid, coarse, list(map(self._tensor, details))), outputs)

    @contextlib.contextmanager
    def _computing(self, maps: np.ndarray, step: int = 1) -> Iterator[None]:
        """As the predictor computes. maps: (B, ·, H / step, W / step) of images (H, W)."""
        number, _, height, width = maps.shape
        with (
            explained(number, step * height, step * width, str(self.predictor.device)),
            self.predictor.inference(),
            flushed_denormals(),
        ):
            yield

    def _tensor(self, array: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(array).to(self.predictor.device)


def as_array(tensor: torch.Tensor) -> np.ndarray:
    """Any tensor as float32."""
    return tensor.float().cpu().numpy()


def _named(pyramid: SaliencyPyramid, outputs: Sequence[str]) -> list[np.ndarray]:
    levels = dict(zip((*SALIENCY, *LAPLACIAN), (*pyramid.saliency, *pyramid.laplacian), strict=True))
    return [as_array(levels[name]) for name in outputs]
