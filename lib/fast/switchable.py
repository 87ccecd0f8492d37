"""One switch for a network whose parts may have a fast and a reference formulation."""

import torch
from torch import nn


class Switchable(nn.Module):
    """A network with `fast`: whether its parts use their fast formulation; False is the reference, which it must equal."""

    _fast = True
    channels_last = False  # the fast formulation keeps the channels innermost: faster where maps have few of them

    @property
    def fast(self) -> bool:
        return self._fast

    @fast.setter
    def fast(self, on: bool) -> None:
        self._fast = on
        for module in self.modules():
            if module is not self and hasattr(module, "fast"):
                module.fast = on
        if self.channels_last:
            self.to(memory_format=torch.channels_last if on else torch.contiguous_format)
