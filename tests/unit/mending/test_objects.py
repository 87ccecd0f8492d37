"""Several objects of one map, each with its soft edge."""

import numpy as np

from inspyrenet.mending import objects as objects_module


def objects(saliency, most):
    return [*objects_module.objects(saliency, most)]


def map_of(*boxes, size=(120, 160)):
    saliency = np.zeros(size, np.uint8)
    for left, top, width, height in boxes:
        saliency[top - 4 : top + height + 4, left - 4 : left + width + 4] = 90  # the soft edge
    for left, top, width, height in boxes:
        saliency[top : top + height, left : left + width] = 255
    return saliency


LARGE, SMALL, MIDDLE = (10, 10, 60, 60), (100, 20, 20, 20), (90, 70, 40, 30)


def test_each_object_comes_by_itself_the_largest_first():
    saliency = map_of(SMALL, LARGE, MIDDLE)
    found = objects(saliency, 9)
    assert [np.count_nonzero(one == 255) for one in found] == [3600, 1200, 400]
    for one, (left, top, width, height) in zip(found, (LARGE, MIDDLE, SMALL), strict=True):
        soft = one[top - 4 : top + height + 4, left - 4 : left + width + 4]
        assert (soft > 0).all() and np.count_nonzero(one) == soft.size
    assert np.array_equal(sum(found), saliency)


def test_the_most_that_are_wanted():
    saliency = map_of(LARGE, SMALL, MIDDLE)
    for most in (1, 2, 3, 9):
        assert len(objects(saliency, most)) == min(most, 3)
    assert np.array_equal(objects(saliency, 1)[0], objects(saliency, 9)[0])


def test_a_soft_edge_between_two_belongs_to_the_nearer_one():
    saliency = np.full((40, 100), 90, np.uint8)
    saliency[:, :30] = saliency[:, 60:] = 255
    right, left = objects(saliency, 9)  # 40 columns and 30
    assert np.count_nonzero(left[20]) == 45 and np.count_nonzero(right[20]) == 55


def test_far_places_are_looked_up_in_a_smaller_map():
    saliency = np.full((300, 1000), 90, np.uint8)
    saliency[:, :300] = saliency[:, 600:] = 255
    right, left = objects(saliency, 9)
    assert abs(np.count_nonzero(left[150]) - 450) <= 4 and np.count_nonzero(left) + np.count_nonzero(right) == 300_000


def test_gaps_of_a_few_pixels_do_not_part_an_object():
    saliency = map_of((10, 10, 60, 60))
    saliency[:, 40:42] = 0
    (one,) = objects(saliency, 9)
    assert np.array_equal(one, saliency)


def test_a_speck_is_no_object_and_goes():
    saliency = map_of(LARGE, (130, 90, 4, 4))
    (one,) = objects(saliency, 9)
    assert not one[80:].any() and np.array_equal(one[:80, :80], saliency[:80, :80])


def test_where_nothing_is_there_are_no_objects():
    assert objects(np.zeros((20, 30), np.uint8), 9) == [] and objects(np.full((20, 30), 127, np.uint8), 9) == []
