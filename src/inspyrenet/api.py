"""The Python face of the networks: build, load, predict, train."""

from collections.abc import Mapping
from pathlib import Path

from torch import nn

from .hub.pretrained import from_pretrained
from .lib.build import build_model
from .lib.checkpoints.state_dict import load_state
from .lib.inference.pyramid_blending import predict
from .lib.losses.build import build_criterion
from .utils.train.checkpoint import read_weights, weights_in

__all__ = ["build_criterion", "build_model", "from_pretrained", "load_weights", "predict"]


def load_weights(model: nn.Module, source: str | Path | Mapping) -> nn.Module:
    """Load published weights or ours into `model`, strictly, and return it.

    source: a .pth (read with weights_only) or .safetensors file, a checkpoint of run/Train.py, a state dict, or what
    torch.load gives of such a file.
    Raises WeightsError (a ValueError) that says what the weights look like and which config fits them.
    """
    if isinstance(source, Mapping):
        return load_state(model, weights_in(source, "the given dictionary"))
    return load_state(model, read_weights(source), str(source))
