"""The way from the start to the tuned weights, and how far to go on it (Wortsman et al., Robust fine-tuning of zero-shot
models, CVPR 2022)."""

from collections.abc import Mapping

from torch import Tensor

ALPHAS = (0.25, 0.5, 0.75, 1.0)  # 0 is the start


def blended(start: Mapping[str, Tensor], tuned: Mapping[str, Tensor], alpha: float) -> dict[str, Tensor]:
    """(1 − alpha) · start + alpha · tuned; counters, which are no weights, as tuned.

    Raises ValueError where the two are not of one network.
    """
    if start.keys() != tuned.keys():
        raise ValueError(f"the two states differ in {sorted(start.keys() ^ tuned.keys())[0]}: not of one network")
    return {
        name: start[name].lerp(value, alpha) if value.is_floating_point() else value for name, value in tuned.items()
    }


def choose_alpha(own: Mapping[float, float], general: Mapping[float, float], loss: float) -> float:
    """The alpha with the highest gain on the user's pairs among those that lose at most `loss` on the general ones.

    own, general: alpha → gain over the start. 0, the start, where none gains; of equal ones the lowest alpha.
    """
    able = {alpha: gain for alpha, gain in own.items() if gain > 0 and general[alpha] >= -loss}
    return max(sorted(able), key=lambda alpha: able[alpha], default=0.0)
