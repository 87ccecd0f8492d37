"""The one way to a map with a prompt, whatever the network."""

import numpy as np

from ..networks.network import Network, NetworkMaps
from . import cropping
from .prompt import Prompt
from .session import InteractiveImage


def prompted(network: Network, image: np.ndarray, prompt: Prompt) -> NetworkMaps:
    """What a network says of one image uint8 RGB (H, W, 3) where a person has said something, too; (1, 1, h, w) in 0..1.

    An InSPyReNet runs on from a changed coarse map; others see the crop of a box or mask. Raises PromptError.
    """
    if network.parts is None:
        return cropping.maps(network, image, prompt)
    return InteractiveImage(network, image).maps(prompt)
