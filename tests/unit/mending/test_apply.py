"""Objects by themselves in bounded memory: of many, neither whole maps nor whole pictures are kept."""

import tracemalloc

import numpy as np

from inspyrenet import Mending
from inspyrenet.mending.apply import mended
from tests.bright_network import bright_remover, painted

BOXES = [(left, top, 60, 60) for top in range(10, 700, 100) for left in range(10, 700, 100)]
IMAGE = painted(*BOXES, size=(700, 700))


def test_maps_of_objects_are_made_one_after_the_other():
    tracemalloc.start()
    whole, *boxes = (
        (np.count_nonzero(one), np.argwhere(one).min(0)) for one in mended(IMAGE[..., 0].copy(), Mending(object="all"))
    )
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert whole[0] == 49 * 3600 and {(left, top) for _, (top, left) in boxes} == {box[:2] for box in BOXES}
    assert len(boxes) == 49 and peak < 30 * 700 * 700  # 49 maps and what finds them


def test_cropped_objects_keep_nothing_of_the_size_of_the_image():
    result = bright_remover().cut(IMAGE, mending=Mending(object="all", crop=5))
    assert sorted(one.bbox for one in result.objects) == sorted(BOXES)
    assert all(one.array.shape == (70, 70, 4) and one.array.base is None for one in result.objects)
    assert all(one.alpha is None for one in result.objects) and result.alpha.shape == (700, 700)
