"""What --clean takes out of a map, and what it leaves alone."""

import numpy as np
import pytest
from scipy import ndimage

from inspyrenet.mending.cleaning import INSIDE, OUTSIDE, cleaned

SIZE = (300, 400)
Y, X = np.mgrid[: SIZE[0], : SIZE[1]]


def disc(radius=80, softness=4.0):
    """A disc in the middle with a soft edge."""
    away = radius - np.hypot(Y - 150, X - 200)
    return np.clip(127.5 + 127.5 * away / softness, 0, 255).astype(np.uint8)


def test_a_clean_map_stays_as_it_is():
    for saliency in (disc(), disc(softness=0.5), np.zeros(SIZE, np.uint8), np.full(SIZE, 255, np.uint8)):
        assert np.array_equal(cleaned(saliency), saliency)


def test_specks_and_free_haze_go_and_a_second_object_stays():
    plain = disc()
    saliency = plain.copy()
    saliency[20:26, 20:26] = 255  # a speck, sure as it is
    saliency[18:28, 19:27] = np.maximum(saliency[18:28, 19:27], 20)  # with a faint edge
    saliency[240:280, 30:90] = 110  # haze without a sure pixel
    saliency[100:140, 330:370] = plain[100:140, 330:370] = 255  # a fourteenth of the disc
    assert np.array_equal(cleaned(saliency), plain)


def test_haze_that_hangs_on_the_object_fades_out_beyond_its_soft_edge():
    saliency = disc()
    saliency[130:170, 275:] = np.maximum(saliency[130:170, 275:], 100)
    result = cleaned(saliency)
    assert not result[130:170, 310:].any()
    assert np.array_equal(result[:, :290], saliency[:, :290])
    assert (np.diff(result[150, 285:].astype(int)) <= 0).all()


def test_a_veil_inside_becomes_opaque():
    saliency = disc()
    saliency[130:170, 170:230] = 190
    assert np.array_equal(cleaned(saliency), disc())


def test_pinholes_are_filled_and_holes_stay():
    saliency = disc()
    saliency[150:154, 200:204] = 90  # doubtful
    assert np.array_equal(cleaned(saliency), disc())
    for rows, columns, value in ((4, 4, 0), (30, 30, 90)):  # surely background; large
        saliency = disc()
        saliency[150 : 150 + rows, 200 : 200 + columns] = value
        assert np.array_equal(cleaned(saliency), saliency)


@pytest.mark.parametrize("scale", [1, 4])
def test_soft_edges_are_never_touched(scale):
    """Hair: strands at every angle and as far as OUTSIDE, from sure to faint."""
    angle = np.arctan2(Y - 150, X - 200)
    away = np.hypot(Y - 150, X - 200) - 80
    strands = np.clip(255 - away * 16, 0, 255) * (0.6 + 0.4 * np.cos(40 * angle)) * (away < OUTSIDE * 400)
    saliency = np.maximum(disc(softness=1), strands.astype(np.uint8)).repeat(scale, 0).repeat(scale, 1)
    sure = saliency >= 128
    outside, inside = ndimage.distance_transform_edt(~sure), ndimage.distance_transform_edt(sure)
    edge = (outside <= OUTSIDE * 400 * scale) & (inside <= INSIDE * 400 * scale)
    assert np.count_nonzero(edge & (saliency > 0) & (saliency < 255)) > 3000
    assert np.array_equal(cleaned(saliency)[edge], saliency[edge])


def test_where_nothing_is_sure_nothing_is_done():
    saliency = np.full(SIZE, 127, np.uint8)
    assert cleaned(saliency) is saliency


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (50, 1), (3, 2)])
def test_the_smallest_maps(size):
    saliency = np.random.default_rng(0).integers(0, 256, size).astype(np.uint8)
    assert cleaned(saliency).shape == size and cleaned(saliency).dtype == np.uint8
