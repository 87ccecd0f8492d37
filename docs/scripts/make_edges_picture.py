"""Makes the picture of edges in docs/results.md: .venv/bin/python docs/scripts/make_edges_picture.py Quickstart PSPNet_Quickstart

Names of runs in snapshots/ whose configs end in `Test: {Dataset: {type: Synthetic}}`; from left to right: painted image, mask,
and the map of each run. Every run's maps must be there (Expr.py, or Test.py).
"""

import sys
from pathlib import Path

import cv2
import numpy as np

from inspyrenet.data.datasets.synthetic import HELD_OUT_SEED, SyntheticShapes

ROOT = Path(__file__).resolve().parents[2]
IMAGES = (3, 17)
CROP = slice(24, 136)  # of both sides: the middle
ENLARGED, GAP = 2, 6


def main(runs: list[str]) -> int:
    painted = SyntheticShapes(max(IMAGES) + 1, HELD_OUT_SEED)
    rows = [row(number, painted[number], runs) for number in IMAGES]
    width = min(line.shape[1] for line in rows)
    cv2.imwrite(str(ROOT / "docs" / "images" / "edges.png"), np.vstack([line[:, :width] for line in rows])[:-GAP])
    return 0


def row(number: int, sample, runs: list[str]) -> np.ndarray:
    """One image's pictures side by side, BGR."""
    maps = [cv2.imread(str(ROOT / "snapshots" / run / "heldout" / f"{number:05d}.png"), 0) for run in runs]
    for run, found in zip(runs, maps, strict=True):
        if found is None:
            raise SystemExit(f"error: snapshots/{run}/heldout has no map {number:05d}.png: run Test.py first")
    pictures = [sample.image[..., ::-1]] + [cv2.cvtColor(gray, cv2.COLOR_GRAY2BGR) for gray in (sample.mask, *maps)]
    return np.hstack([framed(picture[CROP, CROP]) for picture in pictures])


def framed(picture: np.ndarray) -> np.ndarray:
    """Enlarged without smoothing, with a gap to the right and below."""
    size = (picture.shape[1] * ENLARGED, picture.shape[0] * ENLARGED)
    large = cv2.resize(picture, size, interpolation=cv2.INTER_NEAREST)
    return cv2.copyMakeBorder(large, 0, GAP, 0, GAP, cv2.BORDER_CONSTANT, value=(255, 255, 255))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
