"""Strokes spread within what looks alike."""

import numpy as np

from inspyrenet.interactive import random_walk


def halves(height: int = 12, width: int = 20) -> np.ndarray:
    """Features of two kinds, left and right."""
    features = np.random.default_rng(0).normal(0, 0.05, (3, height, width)).astype(np.float32)
    features[:, :, width // 2 :] += 1
    return features


def test_a_stroke_fills_what_it_was_drawn_on_and_no_more():
    prior = np.full((12, 20), 0.1, np.float32)
    labels = np.zeros((12, 20), np.int8)
    labels[6, 4] = 1
    found = random_walk.spread(halves(), prior, labels)
    assert found[:, :10].min() > 0.5 > found[:, 10:].max()


def test_strokes_hold_and_without_them_the_map_stays():
    prior = np.where(halves()[0] > 0.5, 0.9, 0.1).astype(np.float32)
    labels = np.zeros((12, 20), np.int8)
    np.testing.assert_allclose(random_walk.spread(halves(), prior, labels), prior, atol=0.1)
    labels[2, 3], labels[9, 15] = 1, -1
    found = random_walk.spread(halves(), prior, labels)
    assert found[2, 3] > 0.99 and found[9, 15] < 0.01


def test_it_is_the_solution_of_the_linear_system():
    rng = np.random.default_rng(1)
    features, prior = rng.normal(size=(2, 5, 7)).astype(np.float32), rng.random((5, 7)).astype(np.float32)
    labels = np.zeros((5, 7), np.int8)
    labels[0, 0], labels[4, 6] = 1, -1
    across, down = random_walk._weights(features, 2), random_walk._weights(features, 1)
    pull = np.where(labels != 0, random_walk.HOLD, random_walk.PULL * np.abs(2 * prior - 1) + 1e-6).astype(np.float32)
    matrix = np.stack(
        [random_walk._applied(across, down, pull, one.reshape(5, 7)).ravel() for one in np.eye(35, dtype=np.float32)]
    )
    np.testing.assert_allclose(np.diag(matrix).reshape(5, 7), random_walk._applied(across, down, pull, None), rtol=1e-5)
    target = np.where(labels != 0, labels > 0, prior).ravel()
    solved = np.linalg.solve(matrix.astype(np.float64), pull.ravel() * target)
    np.testing.assert_allclose(random_walk.spread(features, prior, labels).ravel(), solved, atol=2e-2)
