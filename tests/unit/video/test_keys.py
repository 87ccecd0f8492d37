"""Networks that see key frames alone, and what is carried between them."""

import tracemalloc

import numpy as np
import pytest

from inspyrenet.data.images.preprocess import Preprocess
from inspyrenet.networks.network import RemoverError
from inspyrenet.video.keys import EVERY, KeyedNetwork, can_carry
from tests.unit.video.noisy import SIDE, Noisy, NoisyParts, images, scene


class Counting(Noisy):
    """It counts the pictures that it sees."""

    seen = 0

    def __call__(self, image, resized=None, levels=False):
        self.seen += len(image)
        return super().__call__(image, resized, levels)


def test_of_pictures_that_stay_alike_the_network_sees_every_twelfth():
    network = KeyedNetwork(counting := Counting(spread=0))
    for _ in range(2 * EVERY + 1):
        found = network(images([scene()])).probability
    assert network.keys == counting.seen == 3
    assert np.abs(found - counting(images([scene()])).probability).mean() < 0.05


def test_a_cut_is_seen_at_once_and_has_the_networks_own_map():
    network, own = KeyedNetwork(Noisy()), Noisy()
    own(images([scene()]))
    network(images([scene()]))
    network(images([scene()]))
    found, expected = (each(images([scene(seed=9)])).probability for each in (network, own))
    assert network.keys == 2 and np.allclose(found, expected, atol=1e-5)


def test_between_key_frames_the_map_moves_with_the_picture():
    network, own = KeyedNetwork(Noisy(spread=0)), Noisy(spread=0)
    for number in range(6):
        batch = images([scene(shift=2 * number)])
        found = network(batch).probability
    assert network.keys == 1
    assert np.abs(found - own(batch).probability)[..., 8:-24].mean() < 0.05


def test_much_that_came_unseen_and_whose_colors_tell_nothing_makes_a_key_frame():
    network, changed = KeyedNetwork(Noisy(spread=6)), scene()
    network(images([scene()]))
    changed[20:70, 20:70] = np.random.default_rng(1).integers(0, 256, (50, 50))
    network(images([changed]))
    assert network.keys == 2


def test_batches_give_what_single_pictures_give():
    grays = [scene(shift=number) for number in range(5)]
    one, several = KeyedNetwork(NoisyParts(spread=0)), KeyedNetwork(NoisyParts(spread=0))
    singles = [one(images([gray])).probability[0] for gray in grays]
    assert np.array_equal(singles, several(images(grays)).probability)


def test_levels_are_those_of_each_picture():
    network, own = KeyedNetwork(Noisy(spread=0)), Noisy(spread=0)
    for _ in range(2):
        found = network(images([scene()]), levels=True)
        assert np.array_equal(found.saliency[0], own(images([scene()]), levels=True).saliency[0])


@pytest.mark.parametrize(
    ("preprocess", "able"),
    [
        (Preprocess(size=(384, 384)), True),
        (Preprocess(size=(1024, 1024)), False),
        (Preprocess("dynamic", 320), False),
        (Preprocess(size=(320, 320), base_size=(320, 320)), False),
    ],
)
def test_only_small_maps_are_carried(preprocess, able):
    assert can_carry(preprocess) == able


def test_a_network_without_a_coarse_map_follows_no_mask():
    with pytest.raises(RemoverError, match="noisy follows no mask through a video: it needs an InSPyReNet"):
        KeyedNetwork(Noisy(), mask=np.ones((4, 4), np.float32))


def test_the_first_picture_has_the_map_of_its_mask():
    mask = np.zeros((SIDE, SIDE), np.float32)
    mask[:, : SIDE // 2] = 1
    network = KeyedNetwork(NoisyParts(), mask=mask)
    for _ in range(3):
        assert np.abs(network(images([scene()])).probability[0, 0] - mask).max() < 0.01
    assert network.keys == 1
    found = network(images([scene(seed=9)])).probability[0, 0]
    assert np.abs(found - mask).max() > 0.5  # after a cut, nothing is known of the object


def test_ten_times_the_pictures_take_no_more_memory():
    network = KeyedNetwork(NoisyParts())

    def peak(count: int) -> int:
        tracemalloc.reset_peak()
        for number in range(count):
            network(images([scene(shift=number % 7)]))
        return tracemalloc.get_traced_memory()[1]

    tracemalloc.start()
    try:
        peak(EVERY)
        short, long = peak(EVERY), peak(10 * EVERY)
    finally:
        tracemalloc.stop()
    assert long < short + 50_000
