"""One image whose features are kept, so that every further stroke costs the finer stages alone.

A prompt changes the coarse map S3; stages 2, 1 and 0 run on from it, so that their context attention sees the change and their
details find the edges (InSPyReNet §3.2). Where a prompt does not reach, the map stays as it was.
"""

from dataclasses import dataclass

import numpy as np

from ..data.images.preprocess import stretched, to_map
from ..networks.network import LAPLACIAN, Network, NetworkMaps, Parts, RemoverError, sigmoid
from . import coarse, raster
from .head import head_beside
from .prompt import Prompt


@dataclass(frozen=True, eq=False)
class Answer:
    """What a prompt made of an image. probability: (1, 1, h, w), 0..1. reach: alike, 0 where the network's own map stands."""

    probability: np.ndarray
    reach: np.ndarray


class InteractiveImage:
    """An image uint8 RGB (H, W, 3) that the network has seen once. own: its own map, (1, 1, h, w) in 0..1.

    Any number of threads may ask it. Raises RemoverError for a network without a coarse map that could be changed.
    """

    def __init__(self, network: Network, image: np.ndarray):
        if network.parts is None:
            raise RemoverError(f"{network.name} takes no strokes here: it has no coarse map that they could change")
        self.network, self.parts, self.shape = network, network.parts, (image.shape[0], image.shape[1])
        whole, copy = network.preprocess(image)
        self._details: _Details | None = None
        if self.parts.threshold is not None and copy is not None:
            if min(whole.shape[1:]) > self.parts.threshold:
                self._details = _Details(self.parts, whole[None])
            whole = copy
        self.features, s3 = self.parts.encode(whole[None])
        self.own = self._finest(s3[0, 0])
        self.scene = coarse.scene_of(image, self.features, s3, self.own, head_beside(network.weights))

    @property
    def nbytes(self) -> int:
        """Of the features and maps that are kept."""
        details = () if self._details is None else self._details.details
        return sum(
            array.nbytes
            for array in (*self.features, self.scene.colors, self.scene.s3, self.scene.found, self.own, *details)
        )

    def answer(self, prompt: Prompt) -> Answer:
        """The map with what a prompt says. Raises PromptError for one that does not fit this image."""
        prompt.check(self.shape)
        edited = coarse.edit(self.scene, prompt)
        untouched = edited.start is self.scene.s3
        base = self.own if untouched else self._finest(edited.start)
        reach = np.zeros_like(base) if untouched else np.ones_like(base)
        probability, grid = base, (base.shape[2], base.shape[3])
        if edited.changed.any():
            share = raster.enlarged(edited.changed, grid)
            probability = base + share * (self._finest(edited.s3) - base)
            reach = np.maximum(reach, share)
        probability, brushed = raster.brushed(probability, edited.strokes, self.shape)
        reach = np.maximum(reach, brushed)
        if prompt.boxes:
            cover = raster.box_cover(prompt.boxes, self.shape, grid)
            probability, reach = probability * cover, np.maximum(reach, 1 - cover)
        return Answer(probability, reach)

    def maps(self, prompt: Prompt) -> NetworkMaps:
        """As `Remover.predict` gives them for an image without a prompt."""
        probability = self.answer(prompt).probability
        if self.network.normalize == "minmax":  # by the network's own map, so that what was not touched stays as it was
            probability = stretched(probability, self.own)
        return NetworkMaps(probability, stretched=True)

    def saliency(self, prompt: Prompt) -> np.ndarray:
        """The map at the image's size, uint8 (H, W)."""
        return to_map(self.maps(prompt).probability, self.shape)

    def _finest(self, s3: np.ndarray) -> np.ndarray:
        """S0 from a coarse map (h, w), in 0..1."""
        s0 = self.parts.decode(self.features, s3[None, None], ["S0"])[0]
        return sigmoid(s0 if self._details is None else self._details.added_to(s0))


class _Details:
    """The high-resolution pass of a large image, whose details are blended into the map of its base-size copy (§3.4).

    They are found once, from the network's own coarse map: where they count is decided by the map that they are added to.
    """

    def __init__(self, parts: Parts, image: np.ndarray):
        features, self.s3 = parts.encode(image)
        self.parts, self.details = parts, parts.decode(features, self.s3, LAPLACIAN)

    def added_to(self, low: np.ndarray) -> np.ndarray:
        """S0 of the base-size copy → the blended S0, logits."""
        return self.parts.blend(low, self.s3, self.details, ["S0"])[0]
