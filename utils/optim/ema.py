"""A running average of the weights: often scores better than the last weights, costs one copy of them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn


class EMA:
    """Exponential moving average of a model's floating parameters and buffers; other buffers are copied.

    The decay starts low, `(1 + n) / (10 + n)` after n updates, and rises to `decay`, so that the random start is
    soon forgotten.

    Args:
        model: the model that learns; on its final device.
        decay: weight of the past, in 0..1 (exclusive).
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        if not 0 < decay < 1:
            raise ValueError(f"the decay of the averaged weights must lie between 0 and 1, not {decay}")
        self.decay = decay
        self.restart(model)

    def restart(self, model: nn.Module) -> None:
        """Forget the past: the average is what the model is now."""
        self.updates = 0
        self.weights = {name: value.detach().clone() for name, value in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Take in the weights after one optimizer step."""
        share = 1 - min(self.decay, (1 + self.updates) / (10 + self.updates))
        self.updates += 1
        floating: tuple[list[Tensor], list[Tensor]] = ([], [])
        for name, value in model.state_dict().items():
            mine = self.weights[name]
            if mine.is_floating_point():
                floating[0].append(mine)
                floating[1].append(value.detach())
            else:
                mine.copy_(value)
        torch._foreach_lerp_(floating[0], floating[1], share)

    @contextmanager
    def applied(self, model: nn.Module) -> Iterator[None]:
        """Put the averaged weights into the model; its own come back, to the bit, at the end."""
        own = {name: value.detach().clone() for name, value in model.state_dict().items()}
        model.load_state_dict(self.weights)
        try:
            yield
        finally:
            model.load_state_dict(own)

    def state_dict(self) -> dict[str, Any]:
        """Averaged weights and how many updates they have seen."""
        return {"weights": self.weights, "updates": self.updates}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue an average. Raises KeyError if the names differ from the model's."""
        for name, mine in self.weights.items():
            mine.copy_(state["weights"][name])
        self.updates = int(state["updates"])
