"""Whether the tuned weights replace the start: better on the user's pairs, and not worse on general ones."""

from dataclasses import dataclass

from ..utils.metrics import METRICS, Comparison
from ..utils.report.tables import number

LEVEL = 0.05  # of the permutation test


@dataclass(frozen=True)
class Decision:
    """Whether the tuned weights are shipped, and why, as a sentence."""

    shipped: bool
    reason: str


def gains(comparison: Comparison) -> tuple[float, float, float]:
    """(mean, low, high) of tuned minus start, with the sign that makes more better."""
    ends = (comparison.difference, comparison.interval.low, comparison.interval.high)
    return ends if METRICS[comparison.metric].better == "higher" else (-ends[0], -ends[2], -ends[1])


def is_better(comparison: Comparison) -> bool:
    """The 95 % bootstrap interval of the gain lies above 0, and the permutation test agrees.

    For few images that interval is too narrow; the permutation test is exact.
    """
    return gains(comparison)[1] > 0 and comparison.p <= LEVEL


def is_not_worse(comparison: Comparison, margin: float) -> bool:
    """Not inferior: the 95 % interval of the gain lies above −margin, so that too few images cannot pass for no loss."""
    return gains(comparison)[1] >= -margin


def decide(own: Comparison, general: Comparison, margin: float) -> Decision:
    """The decision from the two paired tests of tuned (first) against start (second)."""
    if not is_better(own):
        return Decision(False, f"not proven better on your pairs ({_gain(own)}, p {own.p:.3f})")
    if not is_not_worse(general, margin):
        kind = "worse" if gains(general)[2] < 0 else "not proven to be no worse"
        return Decision(
            False, f"better on your pairs, but {kind} on general ones ({_gain(general)}, allowed −{margin:g})"
        )
    return Decision(True, f"better on your pairs ({_gain(own)}) and not worse on general ones ({_gain(general)})")


def _gain(comparison: Comparison) -> str:
    mean, low, high = gains(comparison)
    digits = METRICS[comparison.metric].digits
    values = f"{number(comparison.metric, comparison.second)} → {number(comparison.metric, comparison.first)}"
    return (
        f"{comparison.metric} {values}, gain {mean:+.{digits}f}, 95 % interval {low:+.{digits}f} … {high:+.{digits}f}"
    )
