"""Edge colors from coarse to fine: right colors, tiles that change nothing, any size."""

import tracemalloc

import numpy as np
import pytest

from inspyrenet.remover import multilevel as module
from inspyrenet.remover.multilevel import multilevel

from .test_foreground import RED, disc


@pytest.mark.parametrize(("size", "radius", "soft"), [(96, 26, 8), (300, 90, 30), (700, 200, 12)])
def test_the_soft_edge_of_a_disc_gets_the_color_of_the_disc(size, radius, soft):
    image, alpha = disc(size, radius, soft)
    edge = (alpha > 0) & (alpha < 255)
    assert np.abs(multilevel(image, alpha)[edge] - RED).max() <= 3


def test_what_is_plainly_object_or_background_stays():
    image, alpha = disc()
    plain = (alpha == 0) | (alpha == 255)
    assert np.array_equal(multilevel(image, alpha)[plain], image[plain])


def test_colors_come_from_the_same_part_of_the_object():
    """A disc that is red above and green below keeps both at its edge."""
    _, alpha = disc(200, 60, 16)
    object_ = np.where(np.arange(200)[:, None, None] < 100, np.array([200, 0, 0]), np.array([0, 180, 0]))
    share = alpha[..., None] / 255
    image = np.rint(share * object_ + (1 - share) * 128).astype(np.uint8)
    found = multilevel(image, alpha).astype(int)
    edge = (alpha > 60) & (alpha < 255)
    edge[85:115] = False
    assert np.abs(found - object_)[edge].max() <= 6


def test_tiles_change_nothing(monkeypatch):
    rng = np.random.default_rng(0)
    image, alpha = rng.integers(0, 256, (150, 210, 3), np.uint8), rng.integers(0, 256, (150, 210), np.uint8)
    whole = multilevel(image, alpha)
    monkeypatch.setattr(module, "TILE", (16, 32))
    assert np.array_equal(multilevel(image, alpha), whole)


def test_memory_is_what_the_module_says():
    image, alpha = disc(1000, 300, 30)
    tracemalloc.start()
    multilevel(image, alpha)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert 4 * alpha.size < peak < 4.6 * alpha.size + 8e6  # 5 MB for tiles, and some slack


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (7, 1), (2, 2), (5, 300), (1, 3000)])
def test_any_size_is_taken(size):
    image = np.full((*size, 3), 77, np.uint8)
    alpha = np.random.default_rng(0).integers(1, 255, size, np.uint8)
    assert np.array_equal(multilevel(image, alpha), image)  # there is one color only
