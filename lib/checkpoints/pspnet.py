"""Published PSPNet weights: their names, and one- and two-class heads as exact conversions of each other.

Published names have the encoder's layers at the top (layer0.0.weight), ours under backbone.
"""

import re
from collections.abc import Mapping

import torch
from torch import Tensor, nn

HEADS = ("cls.4", "aux.4")


def from_published(state: Mapping[str, Tensor], classes: int | None = None) -> dict[str, Tensor]:
    """Published names → ours; a two-class head becomes a one-class head (or the reverse) where `classes` asks for it.

    None: heads of scene parsing, which stay as they are.
    """
    state = {re.sub(r"^(layer\d)\.", r"backbone.\1.", name): value for name, value in state.items()}
    for head in HEADS:
        weight, bias = (state.get(f"{head}.{part}") for part in ("weight", "bias"))
        if weight is None or bias is None:
            continue
        if weight.shape[0] == 2 and classes == 1:
            state[f"{head}.weight"], state[f"{head}.bias"] = one_class(weight), one_class(bias)
        elif weight.shape[0] == 1 and classes == 2:
            state[f"{head}.weight"], state[f"{head}.bias"] = two_classes(weight), two_classes(bias)
    return state


def one_class(x: Tensor) -> Tensor:
    """Two-class weight or bias (2, …) → one class (1, …): object minus background, so sigmoid equals softmax."""
    return x[1:] - x[:1]


def two_classes(x: Tensor) -> Tensor:
    """The way back: background 0, object as it is; `one_class` of it is x again."""
    return torch.cat([torch.zeros_like(x), x])


def to_published(model: nn.Module, aux: bool = True) -> dict[str, Tensor]:
    """State dict of a PSPNet under published names; aux False leaves the auxiliary head out, which only training needs."""
    state = {name.removeprefix("backbone."): value for name, value in model.state_dict().items()}
    return {name: value for name, value in state.items() if aux or not name.startswith("aux.")}


def recognize(state: Mapping[str, Tensor]) -> tuple[str, str | None]:
    """(description, name of the config that fits) of a normalized PSPNet state dict under either names."""
    prefix = "backbone." if any(name.startswith("backbone.") for name in state) else ""
    blocks = sum(name.startswith(f"{prefix}layer3.") and name.endswith(".conv1.weight") for name in state)
    variant = {6: "50", 23: "101", 36: "152"}.get(blocks)
    if variant is None:
        return f"PSPNet with {blocks} blocks in layer 3, which is no ResNet known here", None
    classes = state["cls.4.weight"].shape[0] if "cls.4.weight" in state else 0
    model = f"PSPNet_ResNet{variant}"
    if classes > 2:
        return (
            f"{model} for {classes} classes of scene parsing, not for saliency (set Model.classes={classes})",
            None,
        )
    named = "" if variant == "50" else f" (set Model.name={model})"
    return f"{model}, {classes} class{'es' if classes > 1 else ''}{named}", "PSPNet_ResNet50"
