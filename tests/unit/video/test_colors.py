"""What colors tell of the map of the next picture."""

import numpy as np

from inspyrenet.video.colors import colors_of, guess

SIDE = 96


def halves(right: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    """A picture (96, 96, 3), red on its left side and of another color on its right, and the map of its left side."""
    picture = np.empty((SIDE, SIDE, 3), np.uint8)
    picture[:, : SIDE // 2], picture[:, SIDE // 2 :] = (200, 40, 40), right
    return picture, np.repeat((np.arange(SIDE) < SIDE // 2)[None].astype(np.float32), SIDE, 0)


def test_colors_find_the_object_where_it_has_gone():
    picture, found = halves((40, 40, 200))
    told = guess(colors_of(picture), found, colors_of(np.roll(picture, 6, 1)))
    moved = told.after(found)
    assert moved[:, 10:50].min() > 0.9 and moved[:, 58:92].max() < 0.1
    assert told.believed[:, 4:-4].min() > 0.5


def test_colors_that_both_sides_have_are_not_believed():
    picture, found = halves((200, 40, 40))
    told = guess(colors_of(picture), found, colors_of(picture))
    assert told.believed[:, 46:50].max() < 0.05


def test_colors_that_nobody_has_seen_tell_nothing():
    picture, found = halves((40, 40, 200))
    told = guess(colors_of(picture), found, colors_of(np.full_like(picture, 255)))
    assert np.array_equal(told.after(found), found) and not told.known().any()


def test_a_color_counts_near_its_place_alone():
    picture, found = halves((40, 40, 200))
    told = guess(colors_of(picture), found, colors_of(picture[:, ::-1]))
    assert not told.known()[:, :24].any() and not told.known()[:, -24:].any() and told.known()[:, 44:52].any()
