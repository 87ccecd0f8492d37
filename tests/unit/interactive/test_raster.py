"""Strokes, boxes and masks on a grid of cells."""

import tracemalloc

import numpy as np
import pytest

from inspyrenet.interactive import raster
from inspyrenet.interactive.prompt import Stroke

SHAPE, GRID = (80, 160), (8, 16)  # cells of 10×10 pixels


def test_distance_is_that_to_the_line():
    line = Stroke(((20, 20), (120, 20)))
    distance = raster.distance_to(line, SHAPE, SHAPE)
    assert (
        distance.shape == SHAPE and distance[19, 60] == pytest.approx(0.5) and distance[50, 60] == pytest.approx(30.5)
    )
    assert distance[19, 10] == pytest.approx(np.hypot(9.5, 0.5))
    click = raster.distance_to(Stroke(((20, 20),)), SHAPE, SHAPE)
    assert click[50, 70] == pytest.approx(np.hypot(30.5, 50.5))


def test_many_points_are_as_exact_as_few():
    points = tuple((float(x), 40 + 30 * np.sin(x / 20)) for x in range(0, 160))
    whole = raster.distance_to(Stroke(points), SHAPE, GRID)
    parts = [raster.distance_to(Stroke(points[first : first + 41]), SHAPE, GRID) for first in range(0, 160, 40)]
    np.testing.assert_allclose(whole, np.minimum.reduce(parts), atol=1e-4)


def test_memory_does_not_grow_with_the_points_of_a_stroke(monkeypatch):
    points = tuple((float(x), 40 + 30 * np.sin(x / 20)) for x in range(0, 160))
    whole = raster.distance_to(Stroke(points), SHAPE, SHAPE)
    monkeypatch.setattr(raster, "VALUES", 3 * 80 * 160)
    tracemalloc.start()
    parts = raster.distance_to(Stroke(points), SHAPE, SHAPE)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    np.testing.assert_array_equal(parts, whole)
    assert peak < 10 * 4 * 3 * 80 * 160  # ten arrays of three segments


def test_later_strokes_lie_on_top():
    row = ((5.0, 45.0), (155.0, 45.0))
    strokes = (Stroke(row, True, 10), Stroke(row[:1], False, 10))
    labels = raster.stroke_labels(strokes, SHAPE, GRID)
    assert labels[4].tolist() == [-1] + [1] * 15 and not labels[:4].any() and not labels[5:].any()
    assert raster.stroke_labels(strokes[::-1], SHAPE, GRID)[4].tolist() == [1] * 16


def test_a_small_click_has_the_cell_that_it_is_in():
    labels = raster.stroke_labels((Stroke(((59.9, 0.1),), width=0.1),), SHAPE, GRID)
    assert labels.sum() == 1 and labels[0, 5] == 1


def test_a_box_covers_parts_of_cells():
    cover = raster.box_cover([(5, 10, 20, 5), (150, 70, 99, 99)], SHAPE, GRID)
    assert cover[1, :4].tolist() == [0.25, 0.5, 0.25, 0] and cover[7, 15] == 1
    assert cover.sum() == pytest.approx(2)
    assert not raster.box_cover([(-50, 10, 40, 5), (200, 10, 9, 5)], SHAPE, GRID).any()


def test_cells_reach_one_further_and_end():
    cells = np.zeros(GRID, bool)
    cells[4, 8] = True
    share = raster.enlarged(cells, SHAPE)
    assert share[40:50, 80:90].min() > 0.99 and share[30:60, 70:100].min() > 0.3
    assert not share[:24].any() and not share[66:].any() and not share[:, :64].any() and not share[:, 106:].any()


def test_the_brush_says_what_is_under_its_middle():
    grey = np.full((1, 1, *SHAPE), 0.4, np.float32)
    strokes = (Stroke(((40, 40), (80, 40)), True, 8), Stroke(((120, 40),), False, 8))
    found, reach = raster.brushed(grey, strokes, SHAPE)
    assert found[0, 0, 40, 60] == 1 and found[0, 0, 40, 120] == 0
    assert (found[reach == 0] == grey[reach == 0]).all() and 0 < (reach > 0).mean() < 0.1


@pytest.mark.parametrize("points", [((-30, 20), (50, 90)), ((159, 79),), ((300, 300), (400, 20))])
def test_the_brush_looks_around_its_stroke_alone(points):
    grey = np.full((1, 1, 50, 70), 0.4, np.float32)
    stroke = Stroke(points, True, 21)
    found, reach = raster.brushed(grey, (stroke,), SHAPE)
    share = np.clip(2 - 4 * raster.distance_to(stroke, SHAPE, (50, 70)) / 21, 0, 1)
    assert np.array_equal(reach[0, 0], share) and np.allclose(found[0, 0], 0.4 + share * 0.6)
    assert (grey == np.float32(0.4)).all()


def test_masks_of_any_size_are_means():
    mask = np.zeros((16, 16), np.float32)
    mask[:, :4] = 1
    assert raster.mean_in_cells(mask, (2, 2))[0].tolist() == pytest.approx([0.5, 0], abs=0.2)
    assert raster.mean_in_cells(mask[:1, :2], (4, 4)).min() == 1
