"""One switch for a network whose parts may have a fast and a reference formulation."""

import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast

import torch
from torch import nn

from ..modules.norm import enough_values

Method = TypeVar("Method", bound=Callable)


class Switchable(nn.Module):
    """A network with `fast`: whether its parts use their fast formulation; False is the reference, which it must equal.

    base_size: (height, width) that it trains at.
    """

    base_size: tuple[int, int]

    _fast = True
    channels_last = False  # the fast formulation keeps the channels innermost: faster where maps have few of them

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """`forward`. Raises BatchSizeError in training for a batch of one image that leaves BatchNorm nothing to learn from."""
        if not self.training:
            return super().__call__(*args, **kwargs)
        with enough_values():
            return super().__call__(*args, **kwargs)

    @property
    def fast(self) -> bool:
        return self._fast

    @fast.setter
    def fast(self, on: bool) -> None:
        self._fast = on
        module: Any  # the parts that have the switch are of several classes
        for module in self.modules():
            if module is not self and hasattr(module, "fast"):
                module.fast = on
        if self.channels_last:
            self.to(memory_format=torch.channels_last if on else torch.contiguous_format)


def accelerated_by(fast: Callable) -> Callable[[Method], Method]:
    """Decorator of a module's method, which is the reference: while the module's `fast` is set, fast(plain, module, …) runs.

    plain is the reference, bound to the module, for where the fast formulation has nothing to gain.
    """

    def decorated(plain: Method) -> Method:
        @functools.wraps(plain)
        def method(module: Any, *args: Any, **kwargs: Any) -> Any:
            if not module.fast:
                return plain(module, *args, **kwargs)
            return fast(functools.partial(plain, module), module, *args, **kwargs)

        return cast(Method, method)

    return decorated
