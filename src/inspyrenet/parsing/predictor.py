"""A trained network for scene parsing behind one call: images in, label maps of the photographs' own size out."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..lib.inference.scenes import scene_probabilities
from ..utils.system.precision import DTYPES, choose_precision


class ScenePredictor:
    """Network and how it is asked. precision: float32, bfloat16, float16 or auto; the others as in `scene_probabilities`.

    Raises PrecisionError for what cannot be had here.
    """

    def __init__(
        self,
        model: nn.Module,
        device: torch.device,
        precision: str = "float32",
        scales: Sequence[float] = (1.0,),
        flip: bool = False,
        crop: tuple[int, int] | None = None,
    ):
        self.model, self.device = model, device
        self.scales, self.flip, self.crop = tuple(scales), flip, crop
        self.precision = choose_precision(precision, device)

    @torch.inference_mode()
    def __call__(self, images: Tensor, shapes: Sequence[tuple[int, int]]) -> list[np.ndarray | None]:
        """(B, 3, H, W), normalized, and the (height, width) of each photograph → their label maps, uint8 (height, width).

        None where the network's values are not finite: they have no largest one.
        """
        images = images.to(self.device, non_blocking=True)
        with torch.autocast(self.device.type, DTYPES[self.precision], enabled=self.precision != "float32"):
            probabilities = scene_probabilities(self.model, images, self.scales, self.flip, self.crop)
        return [
            most_probable(one, shape) if one.isfinite().all() else None
            for one, shape in zip(probabilities, shapes, strict=True)
        ]


def most_probable(probabilities: Tensor, size: tuple[int, int]) -> np.ndarray:
    """(classes, h, w) → the most probable class of each pixel at another size, uint8 (height, width); of equals the first.

    Probabilities are enlarged, bilinear, and not classes. One class after the other, since all of them at the size of a
    photograph may not fit into memory.
    """
    best, labels = _at(probabilities[:1], size), torch.zeros(size, dtype=torch.uint8, device=probabilities.device)
    for number in range(1, len(probabilities)):
        other = _at(probabilities[number : number + 1], size)
        labels.masked_fill_(other > best, number)
        best = torch.maximum(best, other)
    return labels.cpu().numpy()


def _at(probability: Tensor, size: tuple[int, int]) -> Tensor:
    """(1, h, w) → (height, width)."""
    return F.interpolate(probability[None], size=size, mode="bilinear", align_corners=False)[0, 0]
