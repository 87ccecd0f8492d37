"""Weights that fit a network in part: what fits is loaded, and what does not is said."""

from typing import Any

from torch import nn

from .encoder_names import counts
from .state_dict import DERIVED, WeightsError, describe, normalize_state


def load_fitting(model: nn.Module, state: Any, source: str | None = None) -> str:
    """Load the entries whose name and shape the network has; returns what was left out, and what keeps its start value.

    state, source: as `load_state` takes them. Raises WeightsError where nothing fits.
    """
    state = normalize_state(state, source)
    if (from_published := getattr(model, "from_published", None)) is not None:
        state = from_published(state, source)
    own = {name: value for name, value in model.state_dict().items() if not name.endswith(DERIVED)}
    fitting = {
        n: v for n, v in state.items() if n in own and v.shape == own[n].shape and v.is_complex() == own[n].is_complex()
    }
    if not any(counts(name) for name in fitting):
        raise WeightsError(f"nothing in {source or 'the weights'} fits this model: it looks like {describe(state)}")
    model.load_state_dict(fitting, strict=False)
    parts = [f"{len(fitting)} of {len(own)} entries loaded"]
    for what, names in (
        ("of another shape", [name for name in state if name in own and name not in fitting]),
        ("unknown to this model", [name for name in state if name not in own]),
        ("at their start values, absent in the file", [name for name in own if name not in state and counts(name)]),
    ):
        if names:
            more = ", …" if len(names) > 3 else ""
            parts.append(f"{len(names)} {what} ({', '.join(names[:3])}{more})")
    return "; ".join(parts)
