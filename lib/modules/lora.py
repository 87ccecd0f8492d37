"""LoRA: an encoder learns thin corrections of its linear layers and stays otherwise as it is (Hu et al., ICLR 2022)."""

import math
import re
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

PARTS = re.compile(r"(.+)\.parametrizations\.weight\.original")


class LowRank(nn.Module):
    """weight (rows, columns) → weight + alpha / rank · B A, where B starts at zero."""

    scale: Tensor

    def __init__(self, rows: int, columns: int, rank: int, alpha: float):
        super().__init__()
        self.a, self.b = nn.Parameter(torch.empty(rank, columns)), nn.Parameter(torch.zeros(rows, rank))
        self.register_buffer("scale", torch.tensor(alpha / rank))
        nn.init.kaiming_uniform_(self.a, a=math.sqrt(5))

    def forward(self, weight: Tensor) -> Tensor:
        return weight + self.scale * (self.b @ self.a)


def add_lora(encoder: nn.Module, rank: int, alpha: float) -> int:
    """Freeze the encoder but for a correction of each linear layer, and for a feature pyramid; returns how many layers.

    Raises ValueError for an encoder without linear layers.
    """
    pyramid = getattr(encoder, "pyramid", None)
    inside = set() if pyramid is None else set(pyramid.modules())
    layers = [part for part in encoder.modules() if isinstance(part, nn.Linear) and part not in inside]
    if not layers:
        raise ValueError(
            "Train.FineTune.lora: this encoder has no linear layers; take freeze_stages for a convolutional one"
        )
    for parameter in set(encoder.parameters()) - set(() if pyramid is None else pyramid.parameters()):
        parameter.requires_grad_(False)
    for layer in layers:
        parametrize.register_parametrization(
            layer, "weight", LowRank(layer.out_features, layer.in_features, rank, alpha).to(layer.weight.device)
        )
    return len(layers)


def merged(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A state dict with corrections, as training has it, as that of the network without them; any other as it is."""
    result = {name: value for name, value in state.items() if ".parametrizations.weight." not in name}
    for name, weight in state.items():
        if found := PARTS.fullmatch(name):
            a, b, scale = (state[f"{found[1]}.parametrizations.weight.0.{part}"] for part in ("a", "b", "scale"))
            result[f"{found[1]}.weight"] = weight + scale * (b @ a)
    return result
