"""Makes the picture of docs/scenes.md: .venv/bin/python docs/scripts/make_scenes_picture.py

The label maps of configs/PSPNet_scenes.yaml must be there (Expr.py, or Test.py). From left to right: painted scene, labels,
prediction, and the legend.
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image

from inspyrenet.data.datasets.painted_scenes import NAMES, PaintedScenes
from inspyrenet.data.datasets.synthetic import HELD_OUT_SEED
from inspyrenet.data.images.label_maps import read_label_map
from inspyrenet.parsing.pictures import PAPER, beside, colored, legend, whole_palette
from inspyrenet.utils.config.load import load_config

ROOT = Path(__file__).resolve().parents[2]
MAPS = ROOT / "snapshots" / "PSPNet_scenes" / "heldout"
SCENES = (2, 5, 11)
SIDE, GAP = 190, 6


def main() -> int:
    config = load_config("PSPNet_scenes")[0]
    assert config.Test is not None  # it has one
    painted, palette = PaintedScenes(max(SCENES) + 1, HELD_OUT_SEED), whole_palette(config.Test.palette)
    rows = []
    for number in SCENES:
        sample, predicted = painted[number], read_label_map(MAPS / f"{number:05d}.png")
        rows.append([sample.image, colored(sample.mask, palette), colored(predicted, palette)])
    columns = [np.vstack([framed(row[place]) for row in rows]) for place in range(3)]
    picture = beside(columns, legend(range(len(NAMES)), palette, NAMES))
    Image.fromarray(picture).save(ROOT / "docs" / "images" / "scenes.png", optimize=True)
    return 0


def framed(picture: np.ndarray) -> np.ndarray:
    """On paper of one size, with a gap to the right and below."""
    paper = np.full((SIDE + GAP, SIDE + GAP, 3), PAPER, np.uint8)
    paper[: picture.shape[0], : picture.shape[1]] = picture
    return paper


if __name__ == "__main__":
    sys.exit(main())
