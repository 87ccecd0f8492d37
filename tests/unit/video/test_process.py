"""How a network sees the pictures of a video."""

import numpy as np
import pytest

from inspyrenet.data.images.preprocess import Preprocess
from inspyrenet.networks.network import NotEnoughMemory
from inspyrenet.remover.background import resize_to_cover
from inspyrenet.remover.compositing import OutputStyle
from inspyrenet.video.keys import KeyedNetwork
from inspyrenet.video.process import FrameOptions, _network, _through_time
from inspyrenet.video.steady import SteadyNetwork
from tests.unit.video.noisy import Noisy, NoisyParts, images, scene
from tests.unit.video.test_writing import FakeRemover


class Large(Noisy):
    """Its maps are too large to be carried."""

    preprocess = Preprocess(size=(1024, 1024), mean=None, std=None)


@pytest.mark.parametrize(
    ("network", "options", "kind"),
    [
        (Noisy, {"steady": True, "quality": "fast"}, KeyedNetwork),
        (Noisy, {"steady": True, "quality": "best"}, SteadyNetwork),
        (Noisy, {"steady": False, "quality": "fast"}, Noisy),
        (Large, {"steady": True, "quality": "fast"}, SteadyNetwork),
        (NoisyParts, {"steady": True, "quality": "best", "mask": np.ones((4, 4), np.float32)}, KeyedNetwork),
    ],
)
def test_key_frames_where_they_are_wanted_and_maps_are_small(network, options, kind):
    assert type(_through_time(network(), FrameOptions(OutputStyle("map"), **options))) is kind


def test_a_background_fits_every_size_of_a_video():
    picture = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    remover = FakeRemover()
    cut = _network(remover, FrameOptions(OutputStyle("image", picture=picture)))
    wide, high = np.zeros((20, 40, 3), np.uint8), np.zeros((40, 20, 3), np.uint8)
    for group in ([wide] * 2, [wide, high], [high], []):
        cut(group)
    one, mixed, other, none = (style.picture for style, *_ in remover.seen)
    assert np.array_equal(one, resize_to_cover(picture, (20, 40))) and mixed is none is picture
    assert np.array_equal(other, resize_to_cover(picture, (40, 20)))


class Failing(NoisyParts):
    """The memory does not hold what some calls of its decoder take."""

    def __init__(self, *calls):
        super().__init__(spread=0)
        self.calls, self.failing = 0, calls

    def decode(self, features, s3, outputs):
        self.calls += 1
        if self.calls in self.failing:
            raise NotEnoughMemory("not enough memory")
        return super().decode(features, s3, outputs)


class MapsOnly:
    """A remover whose results are the network's own maps."""

    device = "cpu"

    def __init__(self, network):
        self.network = network

    def process_batch(self, images, type, threshold, reverse, batch_size):
        chunks = [images[start : start + batch_size] for start in range(0, len(images), batch_size)]
        return [each for chunk in chunks for each in self.network(np.stack(chunk)).probability]


@pytest.mark.parametrize(
    ("quality", "failing", "last"),
    [
        ("best", (2, 4), scene(shift=4)),  # four at once; then the second two
        ("fast", (2,), scene(seed=9)),  # a cut, and so a key frame
    ],
)
def test_pictures_that_are_seen_again_follow_the_same_picture(quality, failing, last):
    options = FrameOptions(OutputStyle("map"), steady=True, quality=quality)
    groups = [[scene()], [scene(shift=1), scene(shift=2), scene(shift=3), last]]
    found, expected = (
        [each for group in groups for each in cut(list(images(group)))]
        for cut in (_network(MapsOnly(network), options) for network in (Failing(*failing), Failing()))
    )
    assert np.allclose(found, expected, atol=1e-5)
