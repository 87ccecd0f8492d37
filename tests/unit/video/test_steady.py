"""Flow between pictures, and networks whose maps are carried along it."""

import tracemalloc
from itertools import pairwise

import numpy as np
import pytest

from inspyrenet.networks.network import logits_of, sigmoid
from inspyrenet.video.flow import OpticalFlow, moved
from inspyrenet.video.steady import Carried, Motion, MotionFinder, SteadyNetwork
from tests.unit.video.noisy import SIDE, Noisy, NoisyParts, colored, images, scene


def changes(network, grays: list[np.ndarray]) -> float:
    """Mean change of the map from picture to picture."""
    maps = [network(images([gray])).probability for gray in grays]
    return float(np.mean([np.abs(one - other).mean() for one, other in pairwise(maps)]))


# -- flow ---------------------------------------------------------------------------------------------------------


def test_flow_tells_where_pixels_were_and_which_were_not_there():
    place, seen = OpticalFlow(fine=True).back(scene(shift=6), scene())
    x = np.arange(SIDE)
    assert np.abs(place[8:-8, 8:-16, 0] - x[8:-16] - 6).mean() < 0.3
    assert seen[8:-8, 8:-16].mean() > 0.95 and not seen[:, -4:].any()
    assert np.abs(moved(scene(), place)[8:-8, 8:-16].astype(int) - scene(shift=6)[8:-8, 8:-16]).mean() < 3


def test_the_first_picture_a_cut_and_another_size_have_no_motion():
    find = MotionFinder()
    assert find(colored(scene())) is None
    assert find(colored(scene(shift=2))).trust.mean() > 0.8
    assert find(colored(scene(seed=9))) is None
    assert find(colored(scene(seed=9))) is not None
    assert find(colored(scene(seed=9))[:64]) is None


def test_trust_is_gone_where_something_else_appears_even_of_the_same_gray():
    find, changed = MotionFinder(), colored(scene()).astype(int)
    changed[30:60, 30:60] += (59, -30, 0)  # 0.299 of red, 0.587 of green
    find(colored(scene()))
    trust = find(changed.clip(0, 255).astype(np.uint8)).trust
    assert trust[36:54, 36:54].mean() < 0.2 and trust[:20].mean() > 0.9


def test_light_that_changes_everywhere_takes_no_trust_away():
    find = MotionFinder()
    find(colored(scene() // 2))
    assert find(colored((scene() // 2 * 1.2).astype(np.uint8))).trust.mean() > 0.9


# -- maps ---------------------------------------------------------------------------------------------------------


def test_a_map_on_another_grid_is_moved_by_as_much_of_it():
    ramp = np.broadcast_to(np.arange(24, dtype=np.float32), (24, 24))
    x, y = np.meshgrid(np.arange(SIDE, dtype=np.float32), np.arange(SIDE, dtype=np.float32))
    carried = Carried(keep=0.5)
    carried(ramp, None)
    found = carried(ramp, Motion(np.dstack([x + 8, y]), np.ones((SIDE, SIDE), np.float32)))
    assert np.allclose(found[:, 1:-3], ramp[:, 1:-3] + 0.5 * 2, atol=1e-4)  # 8 of 96 pixels are 2 of 24


@pytest.mark.parametrize("kind", [Noisy, NoisyParts])
def test_maps_change_less_than_half_as_much(kind):
    grays = [scene()] * 8
    assert changes(SteadyNetwork(kind()), grays) < 0.4 * changes(kind(), grays)


def test_noise_becomes_less_under_a_moving_camera():
    own, steady, exact = Noisy(), SteadyNetwork(Noisy()), Noisy(spread=0)
    for number in range(8):
        batch = images([scene(shift=2 * number)])
        found, noisy, expected = (network(batch).probability for network in (steady, own, exact))
    assert np.abs(found - expected).mean() < 0.6 * np.abs(noisy - expected).mean()


def test_without_noise_maps_stay_in_their_place():
    steady, own = SteadyNetwork(Noisy(spread=0)), Noisy(spread=0)
    for number in range(6):
        batch = images([scene(shift=3 * number)])
        assert np.abs(steady(batch).probability - own(batch).probability).mean() < 0.01


def test_after_a_cut_the_map_is_the_networks_own():
    steady, own = SteadyNetwork(Noisy()), Noisy()
    for gray in (scene(), scene(), scene(seed=9)):
        found, expected = steady(images([gray])).probability, own(images([gray])).probability
    assert np.abs(found - expected).max() < 1e-5


@pytest.mark.parametrize("kind", [Noisy, NoisyParts])
def test_batches_give_what_single_pictures_give(kind):
    grays = [scene(shift=number) for number in range(5)]
    one, several = SteadyNetwork(kind(spread=0)), SteadyNetwork(kind(spread=0))
    singles = [one(images([gray])).probability[0] for gray in grays]
    batches = [*several(images(grays[:2])).probability, *several(images(grays[2:])).probability]
    assert np.allclose(singles, batches, atol=1e-5)


def test_levels_are_those_of_each_picture():
    steady, own = SteadyNetwork(Noisy()), Noisy()
    for _ in range(2):
        found = steady(images([scene()]), levels=True)
        assert np.array_equal(found.saliency[0], own(images([scene()]), levels=True).saliency[0])


def test_a_wrapped_network_says_what_it_is():
    network = NoisyParts()
    steady = SteadyNetwork(network)
    for name in ("name", "weights", "device", "preprocess", "normalize", "merging", "batch_size", "parts"):
        assert getattr(steady, name) == getattr(network, name)
    assert steady.describe() == "noisy"


def test_ten_times_the_pictures_take_no_more_memory():
    steady = SteadyNetwork(NoisyParts())

    def peak(count: int) -> int:
        tracemalloc.reset_peak()
        for number in range(count):
            steady(images([scene(shift=number % 7)]))
        return tracemalloc.get_traced_memory()[1]

    tracemalloc.start()
    try:
        peak(2)
        short, long = peak(6), peak(60)
    finally:
        tracemalloc.stop()
    assert long < short + 50_000


def test_logits_of_are_the_inverse_and_finite():
    values = np.array([0.0, 0.01, 0.5, 0.99, 1.0], np.float32)
    assert np.isfinite(logits_of(values)).all() and np.allclose(sigmoid(logits_of(values)), values, atol=1e-5)
