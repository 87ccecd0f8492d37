"""The decision: better on the user's pairs and not worse on general ones, or the start is kept."""

import numpy as np
import pytest

from inspyrenet.tune.decide import decide, is_better, is_not_worse
from inspyrenet.utils.metrics import Accumulator, Comparison, ImageScores, compare


def compared(gain: float, spread: float, images: int = 40, metric: str = "wFm") -> Comparison:
    """Tuned against start: per-image differences of this mean and deviation."""
    rng = np.random.default_rng(0)
    noise = rng.standard_normal(images)
    differences = gain + spread * (noise - noise.mean())
    both = Accumulator([metric]), Accumulator([metric])
    for i, difference in enumerate(differences):
        both[0].update(str(i), ImageScores({metric: 0.5 + difference}))
        both[1].update(str(i), ImageScores({metric: 0.5}))
    (found,) = compare(*both)
    return found


def test_a_clear_gain_is_better_and_a_lucky_one_is_not():
    assert is_better(compared(0.05, 0.05))
    assert not is_better(compared(0.005, 0.1))
    assert not is_better(compared(-0.05, 0.05))


def test_of_an_error_less_is_better():
    assert is_better(compared(-0.05, 0.05, metric="mae"))
    assert not is_better(compared(0.05, 0.05, metric="mae"))
    assert not is_not_worse(compared(0.05, 0.05, metric="mae"), 0.01)


def test_five_images_prove_nothing():
    assert not is_better(compared(0.1, 0.001, images=5))
    assert is_better(compared(0.1, 0.001, images=7))


def test_not_worse_means_shown_and_not_merely_unproven():
    assert is_not_worse(compared(0.0, 0.01), 0.01)
    assert not is_not_worse(compared(0.0, 0.2), 0.01)  # too uncertain to tell
    assert not is_not_worse(compared(-0.05, 0.01), 0.01)


@pytest.mark.parametrize(
    ("own", "general", "shipped", "words"),
    [
        ((0.05, 0.05), (0.0, 0.01), True, "not worse on general ones"),
        ((0.0, 0.05), (0.0, 0.01), False, "not proven better on your pairs"),
        ((0.05, 0.05), (-0.05, 0.01), False, "but worse on general ones"),
        ((0.05, 0.05), (0.0, 0.2), False, "not proven to be no worse"),
    ],
)
def test_both_tests_must_hold(own, general, shipped, words):
    decision = decide(compared(*own), compared(*general), margin=0.01)
    assert decision.shipped == shipped and words in decision.reason
