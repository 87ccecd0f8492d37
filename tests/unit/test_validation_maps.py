"""Validation sees a coarse stage's map where the network put it."""

import pytest
import torch

from inspyrenet.run.validation import at_size


@pytest.mark.parametrize("cell", [(0, 0), (3, 7), (7, 7)])
def test_a_cell_stays_where_it_is(cell):
    coarse = torch.zeros(1, 1, 8, 8)
    coarse[0, 0][cell] = 1
    row, column = divmod(int(at_size(coarse, (64, 64))[0, 0].argmax()), 64)
    assert (row // 8, column // 8) == cell
    assert at_size(coarse, (64, 64)).mean() == pytest.approx(1 / 64)


def test_a_map_of_the_image_s_size_is_left_alone():
    saliency = torch.rand(2, 1, 32, 48)
    assert at_size(saliency, (32, 48)) is saliency
