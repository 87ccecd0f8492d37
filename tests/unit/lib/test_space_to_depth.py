"""Tiles of the image, and the two orders in which published weights read them."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from inspyrenet.lib.modules.space_to_depth import tile, to_channel_major, to_column_major

GRIDS = st.sampled_from([1, 2, 4, 8])


def column_major_tiles(image: torch.Tensor, grid: int) -> torch.Tensor:
    """The plain definition: columns outermost, rows next, colors innermost."""
    height, width = image.shape[-2] // grid, image.shape[-1] // grid
    cut = [
        image[:, c, r * height : (r + 1) * height, s * width : (s + 1) * width]
        for s in range(grid)
        for r in range(grid)
        for c in range(3)
    ]
    return torch.stack(cut, dim=1)


@given(grid=GRIDS, height=st.integers(1, 3), width=st.integers(1, 3))
def test_channel_of_a_tile(grid, height, width):
    image = torch.arange(2 * 3 * grid * height * grid * width).float().reshape(2, 3, grid * height, grid * width)
    tiles = tile(image, grid)
    assert tiles.shape == (2, 3 * grid * grid, height, width)
    for c in range(3):
        for r in range(grid):
            for s in range(grid):
                here = image[:, c, r * height : (r + 1) * height, s * width : (s + 1) * width]
                assert torch.equal(tiles[:, c * grid * grid + r * grid + s], here)


@given(grid=GRIDS, seed=st.integers(0, 2**16))
def test_conversion_is_exact_and_goes_back(grid, seed):
    weight = torch.randn(5, 3 * grid * grid, 3, 3, generator=torch.Generator().manual_seed(seed))
    assert torch.equal(to_column_major(to_channel_major(weight)), weight)
    assert torch.equal(to_channel_major(to_column_major(weight)), weight)


@pytest.mark.parametrize("grid", [2, 4, 8])
def test_converted_weights_see_the_same(grid):
    image = torch.randn(1, 3, 4 * grid, 6 * grid, dtype=torch.float64)
    weight = torch.randn(7, 3 * grid * grid, 3, 3, dtype=torch.float64)
    theirs = F.conv2d(column_major_tiles(image, grid), weight, padding=1)
    assert torch.allclose(F.conv2d(tile(image, grid), to_channel_major(weight), padding=1), theirs, rtol=0, atol=1e-12)
    assert not torch.allclose(F.conv2d(tile(image, grid), weight, padding=1), theirs, rtol=0, atol=1e-2)


def test_a_weight_of_no_grid_is_refused():
    with pytest.raises(ValueError, match="3·grid²"):
        to_channel_major(torch.zeros(1, 15, 1, 1))
