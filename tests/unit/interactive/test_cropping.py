"""Boxes for networks without a coarse map: each is a pass of the network, so their number is bounded."""

import numpy as np
import pytest

from inspyrenet.interactive.cropping import MOST_BOXES, maps
from inspyrenet.interactive.prompt import Prompt, PromptError
from tests.bright_network import BrightNetwork, painted

IMAGE = painted((10, 10, 40, 40))


class Counting(BrightNetwork):
    """Counts its passes."""

    def __init__(self):
        self.passes = 0

    def __call__(self, images, resized=None, levels=False):
        self.passes += 1
        return super().__call__(images, resized, levels)


def test_equal_boxes_are_looked_at_once():
    network = Counting()
    found = maps(network, IMAGE, Prompt(boxes=((10, 10, 20, 20),) * 2000 + ((30, 30, 20, 20.0),)))
    assert network.passes == 2
    assert (
        found.probability[0, 0, 15, 15] == found.probability[0, 0, 45, 45] == 1 and not found.probability[0, 0, 15, 45]
    )


def test_more_boxes_than_the_network_looks_at_are_refused():
    boxes = tuple((float(x), 0.0, 5.0, 30.0) for x in range(MOST_BOXES + 1))
    network = Counting()
    assert np.count_nonzero(maps(network, IMAGE, Prompt(boxes=boxes[1:])).probability) and network.passes == MOST_BOXES
    with pytest.raises(PromptError, match="21 boxes are too many for Bright, which looks at each of them: 20 at most"):
        maps(network, IMAGE, Prompt(boxes=boxes))
    assert network.passes == MOST_BOXES


def test_maps_are_stretched_as_the_network_says():
    class Faint(BrightNetwork):
        normalize = "minmax"

    image = painted((30, 20, 20, 20), value=100)
    found = maps(Faint(), image, Prompt(boxes=((28, 18, 24, 24),)))
    assert found.stretched and found.probability[0, 0, 30, 40] == 1 and found.probability[0, 0, 30, 29] == 0
