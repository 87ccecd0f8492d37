"""How a network sees the pictures of a video."""

import numpy as np
import pytest

from inspyrenet.data.images.preprocess import Preprocess
from inspyrenet.remover.compositing import OutputStyle
from inspyrenet.video.keys import KeyedNetwork
from inspyrenet.video.process import FrameOptions, _through_time
from inspyrenet.video.steady import SteadyNetwork
from tests.unit.video.noisy import Noisy, NoisyParts


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
