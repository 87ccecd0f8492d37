"""What a map says about itself."""

import numpy as np
import pytest

from inspyrenet.networks.network import NetworkMaps
from inspyrenet.quality.signals import NAMES, signals


def maps_of(fine, coarse=None):
    """Probabilities (h, w), and those of the coarsest level, as a network gives them."""
    inner = [one.clip(1e-6, 1 - 1e-6) for one in (coarse, fine) if one is not None]
    levels = () if coarse is None else tuple(np.log(one / (1 - one))[None, None] for one in inner)
    return NetworkMaps(fine[None, None].astype(np.float32), levels)


def disc(side=64, softness=1.0, radius=0.3):
    """A disc in the middle whose edge is so many pixels wide, within 0.001..0.999."""
    y, x = np.mgrid[:side, :side] / side - 0.5
    edge = (radius - np.hypot(y, x)) * side / softness
    return (1 / (1 + np.exp(-edge))).clip(0.001, 0.999)


def reduced(fine):
    return fine.reshape(8, 8, 8, 8).mean((1, 3)).clip(0.001, 0.999)


def test_a_map_that_is_sure_of_itself_says_so():
    sure, hazy = (signals(maps_of(disc(softness=softness))) for softness in (0.5, 8))
    assert sure["certain"] > hazy["certain"] + 0.5
    assert sure["band"] < hazy["band"] - 0.5


def test_levels_that_disagree_say_so():
    fine = disc()
    agreed, moved = (signals(maps_of(fine, level)) for level in (reduced(fine), np.roll(reduced(fine), 4, 1)))
    assert agreed["agreement"] > 3 > 0 > moved["agreement"]
    assert agreed["coarse certain"] == pytest.approx(moved["coarse certain"])
    flat = signals(maps_of(fine, np.full((8, 8), 0.4)))
    assert flat["coarse certain"] < agreed["coarse certain"]


def test_the_signals_are_those_that_are_named():
    assert tuple(signals(maps_of(disc(), reduced(disc())))) == NAMES
    assert set(signals(maps_of(disc()))) == {"certain", "band"}  # one level alone


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_maps_without_an_edge_have_finite_signals(value):
    fine = np.full((40, 72), value)
    assert np.isfinite([*signals(maps_of(fine, np.full((5, 9), 0.2))).values()]).all()


def test_sides_that_no_level_divides():
    found = signals(maps_of(np.full((43, 77), 0.9), np.full((5, 9), 0.9)))
    assert found["agreement"] == pytest.approx(np.log(1.01 / 0.01), abs=0.01)
