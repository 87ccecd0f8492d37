"""Edges moved by a disc, as scipy moves them, and softened without moving."""

import numpy as np
import pytest
from scipy import ndimage

from inspyrenet.mending.edges import feathered, grown, shrunk


@pytest.mark.parametrize("reach", [0, 0.5, 1, 1.5, 2, 3.2, 7, 12.9, 40])
def test_edges_move_by_a_disc(reach):
    rng = np.random.default_rng(0)
    y, x = np.mgrid[-int(reach) : int(reach) + 1, -int(reach) : int(reach) + 1]
    disc = y**2 + x**2 <= reach**2
    for size in ((1, 1), (1, 17), (19, 1), (23, 31)):
        alpha = rng.integers(0, 256, size).astype(np.uint8)
        before = alpha.copy()
        assert np.array_equal(
            grown(alpha, reach), ndimage.grey_dilation(alpha, footprint=disc, mode="constant", cval=0)
        )
        assert np.array_equal(
            shrunk(alpha, reach), ndimage.grey_erosion(alpha, footprint=disc, mode="constant", cval=255)
        )
        assert np.array_equal(alpha, before)


def test_a_hard_edge_becomes_soft_where_it_is():
    alpha = np.zeros((60, 60), np.uint8)
    alpha[:, 30:] = 255
    soft = feathered(alpha, 8)[20].astype(int)
    assert (np.diff(soft) >= 0).all() and abs(soft[29] + soft[30] - 255) <= 2
    assert soft[20] <= 6 and soft[39] >= 249 and 30 < soft[26] < 60


def test_what_the_border_cuts_stays_whole_there():
    assert (shrunk(np.full((20, 30), 255, np.uint8), 5) == 255).all()
    assert (feathered(np.full((20, 30), 255, np.uint8), 5) == 255).all()
