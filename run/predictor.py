"""A trained network behind one call, as Test, Inference and the validation of a training run use it."""

import contextlib
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from ..lib.models.blending import predict
from ..lib.types import SaliencyPyramid
from ..utils.precision import DTYPES


class Predictor:
    """Network, threshold, alignment and precision of one configuration.

    threshold: sides above it are blended; None: one pass. precision: float32, bfloat16 or float16.
    """

    def __init__(
        self,
        model: nn.Module,
        device: torch.device,
        threshold: int | None = None,
        alignment: str = "as_trained",
        precision: str = "float32",
    ):
        self.model, self.device = model, device
        self.threshold, self.alignment, self.precision = threshold, alignment, precision

    @torch.inference_mode()
    def __call__(self, image: Tensor, resized: Tensor | None = None) -> SaliencyPyramid:
        """(B, 3, H, W) and its base-size copy → pyramid of logits on the device."""
        image = image.to(self.device, non_blocking=True)
        resized = resized if resized is None else resized.to(self.device, non_blocking=True)
        with self._autocast():
            return predict(self.model, image, resized, self.threshold, self.alignment)

    @contextlib.contextmanager
    def _autocast(self) -> Iterator[None]:
        enabled = self.precision != "float32"
        with torch.autocast(self.device.type, dtype=DTYPES[self.precision], enabled=enabled):
            yield
