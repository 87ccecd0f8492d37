"""How far a stroke reaches: random walks on the image's colors and the encoder's features (Grady, PAMI 2006).

Each cell's value is the mean of its neighbors', weighted by how alike they are; strokes are given, and the map that is there
pulls towards itself. So a stroke spreads within what looks like the place that it was drawn on, and ends at its edges.
"""

import numpy as np

SHARPNESS = 3.0  # of the difference between neighbors, in units of the image's mean one
LEAST = 1e-3  # weight of neighbors, however different
PULL = 3e-3  # of the map that is there, where it is sure
HOLD = 1e3  # of strokes
STEPS, CLOSE = 150, 1e-4


def spread(features: np.ndarray, prior: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Features (C, h, w), the map that is there in 0..1, and strokes as of `raster.stroke_labels` → the map with them, float32."""
    across, down = (_weights(features, axis) for axis in (2, 1))
    pull = np.where(labels != 0, HOLD, PULL * np.abs(2 * prior - 1) + 1e-6).astype(np.float32)
    target = np.where(labels != 0, labels > 0, prior).astype(np.float32)
    return np.clip(_solve(across, down, pull, target), 0, 1)


def _weights(features: np.ndarray, axis: int) -> np.ndarray:
    squared = (np.diff(features, axis=axis) ** 2).sum(0)
    return np.exp(-SHARPNESS * squared / max(float(squared.mean()), 1e-12)).astype(np.float32) + np.float32(LEAST)


def _solve(across: np.ndarray, down: np.ndarray, pull: np.ndarray, target: np.ndarray) -> np.ndarray:
    """(L + diag(pull)) x = pull · target by conjugate gradients, with the diagonal as preconditioner."""
    diagonal = _applied(across, down, pull, None)
    x = target.copy()
    rest = pull * target - _applied(across, down, pull, x)
    z = rest / diagonal
    direction, product = z.copy(), float((rest * z).sum())
    for _ in range(STEPS):
        if product <= CLOSE**2 * x.size:
            break
        applied = _applied(across, down, pull, direction)
        step = product / float((direction * applied).sum())
        x += np.float32(step) * direction
        rest -= np.float32(step) * applied
        z = rest / diagonal
        product, before = float((rest * z).sum()), product
        direction = z + np.float32(product / before) * direction
    return x


def _applied(across: np.ndarray, down: np.ndarray, pull: np.ndarray, x: np.ndarray | None) -> np.ndarray:
    """The matrix times x; None: its diagonal."""
    result = pull.copy() if x is None else pull * x
    flow = across if x is None else across * np.diff(x, axis=1)
    back = flow if x is None else -flow
    result[:, :-1] += back
    result[:, 1:] += flow
    flow = down if x is None else down * np.diff(x, axis=0)
    back = flow if x is None else -flow
    result[:-1] += back
    result[1:] += flow
    return result
