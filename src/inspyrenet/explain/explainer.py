"""A trained network that shows how it comes to its map."""

from dataclasses import replace

import numpy as np
import torch

from ..engine.network_options import NetworkOptions
from ..lib.inference.attention import Attention, watched
from ..lib.modules.sica import CONTEXTS
from ..networks.choose import exported_path
from ..networks.network import RemoverError
from ..networks.torch_network import TorchNetwork
from ..utils.report.attention import Context, attention_picture
from ..utils.system.precision import flushed_denormals


class Explainer:
    """Image → picture of the levels and of the attention, at the size that the network was trained at, in float32.

    Raises RemoverError for an exported network, and what `TorchNetwork` raises.
    """

    def __init__(self, options: NetworkOptions):
        if (exported := exported_path(options)) is not None:
            raise RemoverError(
                f"{exported} is an exported network, which shows its results alone: give its weights (--ckpt)"
            )
        self.network = TorchNetwork(replace(options, resize="static", precision="float32"))
        self.lack: str | None = None  # what this network does not have, in one line; known after the first image

    def describe(self) -> str:
        """Network, device and engine in a few words."""
        return self.network.describe()

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """uint8 RGB (H, W, 3) → such a picture of any size."""
        array, _ = self.network.preprocess(image)
        predictor = self.network.predictor
        with flushed_denormals():
            out, seen = watched(predictor.model, torch.from_numpy(array)[None].to(predictor.device))
        if not seen:
            self.lack = (
                f"{self.network.name} has no context attention (SICA): the pictures show its saliency maps alone"
            )
        return attention_picture(
            out, image, {name.removeprefix("attention"): _contexts(one) for name, one in seen.items()}
        )


def _contexts(attention: Attention) -> list[Context]:
    maps, weights = (part[0].float().cpu().numpy() for part in attention)
    return [Context(*one) for one in zip(CONTEXTS, maps, weights, strict=False)]
