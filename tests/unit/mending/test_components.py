"""Connected regions by the runs of rows: the same as scipy finds, on masks of every kind."""

import tracemalloc

import numpy as np
import pytest
from scipy import ndimage

from inspyrenet.mending import components as components_module
from inspyrenet.mending.components import box_of, components

EIGHT = np.ones((3, 3))
RNG = np.random.default_rng(0)
MASKS = [RNG.random(tuple(RNG.integers(1, 24, 2))) < share for share in np.linspace(0, 1, 60)]


@pytest.mark.parametrize("runs", [1, 7, 2**17])
@pytest.mark.parametrize("diagonal", [True, False])
def test_regions_are_those_of_scipy(monkeypatch, diagonal, runs):
    monkeypatch.setattr(components_module, "RUNS", runs)  # regions go on from one part to the next
    for mask in MASKS:
        labels, count = ndimage.label(mask, EIGHT if diagonal else None)
        found = components(mask, diagonal)
        assert found.count == count
        assert np.array_equal(found.areas(), np.bincount(labels.ravel(), minlength=count + 1)[1:])
        numbers = RNG.integers(0, 256, count)
        assert np.array_equal(found.numbered(numbers), np.append(0, numbers)[labels])
        assert np.array_equal(found.mask(numbers > 99), np.append(False, numbers > 99)[labels])


def test_the_pixels_of_a_mask_in_each_region():
    for mask in MASKS:
        labels, count = ndimage.label(mask, EIGHT)
        inner = mask & (RNG.random(mask.shape) < 0.5)
        found = components(mask)
        assert np.array_equal(found.counts(inner), np.bincount(labels[inner], minlength=count + 1)[1:])


def test_a_checkerboard_takes_little_memory(monkeypatch):
    monkeypatch.setattr(components_module, "RUNS", 2**13)
    alpha = np.tile(np.uint8([[0, 255], [255, 0]]), (400, 500))
    tracemalloc.start()
    box = box_of(alpha)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert box == (0, 0, 1000, 800) and peak < 40 * alpha.size  # all at once: 100 bytes a pixel


def test_boxes():
    for mask in MASKS:
        places = np.argwhere(mask)
        found = components(mask)
        if not len(places):
            assert found.box(np.ones(0, bool)) is None
            continue
        (top, left), (bottom, right) = places.min(0), places.max(0)
        assert found.box(np.ones(found.count, bool)) == (left, top, right - left + 1, bottom - top + 1)


def test_the_box_of_the_object_has_its_soft_edge_and_no_haze():
    alpha = np.zeros((40, 50), np.uint8)
    alpha[10:20, 5:25] = 255
    alpha[20:23, 5:25] = 60  # its soft edge
    alpha[30:35, 40:45] = 100  # nothing that is sure
    alpha[0, 49] = 20
    assert box_of(alpha) == (5, 10, 20, 13)
    assert box_of(np.full((3, 4), 127, np.uint8)) is None
    assert box_of(np.full((3, 4), 255, np.uint8)) == (0, 0, 4, 3)
