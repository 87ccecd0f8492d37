"""A picture after each epoch, to TensorBoard and the tracker and, with a folder, as PNG."""

from abc import ABC, abstractmethod
from pathlib import Path

import numpy as np
from PIL import Image
from torch import nn

from .types import EpochEnd


class EpochPictures(ABC):
    """A hook for the end of an epoch. name: of the picture, for TensorBoard and the tracker; a subclass draws it."""

    name: str

    def __init__(self, folder: Path | None):
        self.folder = folder

    def __call__(self, end: EpochEnd) -> None:
        if end.picture is None and self.folder is None:
            return
        picture = self.drawn(end.model)
        if end.picture is not None:
            end.picture(self.name, picture, end.iteration)
        if self.folder is not None:
            self.folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture).save(self.folder / f"epoch_{end.epoch:04d}.png")

    @abstractmethod
    def drawn(self, model: nn.Module) -> np.ndarray:
        """uint8 (H, W, 3), by a model in eval mode."""
