"""What the context attention of a network looks at while it sees an image."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ..modules.sica import SICA


class Attention(NamedTuple):
    """Of one SICA the context maps and the share of each position's attention that goes to each context, (B, n, h, w)."""

    contexts: Tensor
    weights: Tensor


@torch.no_grad()
def watched(model: nn.Module, image: Tensor) -> tuple[Any, dict[str, Attention]]:
    """What the network gives for (B, 3, H, W), and the attention of each of its SICAs by name, in the order of computation.

    The network computes in its reference formulation, which holds whole maps. Without SICA there is no attention.
    """
    parts = {name: module for name, module in model.named_modules() if isinstance(module, SICA)}
    kept: dict[str, dict[str, Tensor]] = {name: {} for name in parts}
    with ExitStack() as stack:
        stack.enter_context(_reference(model))
        for name, part in parts.items():
            for method in ("context_maps", "attention_weights"):
                stack.enter_context(_noted(part, method, kept[name]))
        out = model(image)
    seen = {name: Attention(found["context_maps"], found["attention_weights"]) for name, found in kept.items() if found}
    return out, dict(sorted(seen.items(), key=lambda item: item[1].weights[0, 0].numel()))


@contextmanager
def _reference(model: Any) -> Iterator[None]:
    """While it lasts, a network that has a fast formulation does without."""
    fast = getattr(model, "fast", False)
    if fast:
        model.fast = False
    try:
        yield
    finally:
        if fast:
            model.fast = True


@contextmanager
def _noted(part: nn.Module, method: str, kept: dict[str, Tensor]) -> Iterator[None]:
    """While it lasts, what the method gives is also kept."""
    plain = getattr(part, method)

    def noting(*arguments: Any) -> Tensor:
        kept[method] = plain(*arguments)
        return kept[method]

    setattr(part, method, noting)
    try:
        yield
    finally:
        delattr(part, method)
