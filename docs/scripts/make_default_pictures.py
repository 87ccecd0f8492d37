"""Makes the pictures of what the bundled model does: .venv/bin/python docs/scripts/make_default_pictures.py

Photographs that scikit-image brings along and that may be shown: coffee, chelsea (a cat) and rocket are CC0, astronaut is NASA's.
default_cutouts.jpg: before and after. default_failures.jpg: what it does not find.
"""

import sys
from pathlib import Path

import cv2
import numpy as np
from skimage import data

from inspyrenet import Remover

IMAGES = Path(__file__).resolve().parents[1] / "images"
GOOD, BAD = ("coffee", "chelsea"), ("astronaut", "rocket")
HEIGHT, GAP, SQUARE = 384, 8, 12  # pixels: of a photograph, between two, of the checkerboard


def main() -> int:
    remover = Remover()
    save("default_cutouts.jpg", [[photograph(name), cutout(remover, photograph(name))] for name in GOOD])
    save("default_failures.jpg", [[photograph(name), cutout(remover, photograph(name))] for name in BAD])
    return 0


def photograph(name: str) -> np.ndarray:
    """uint8 RGB (HEIGHT, W, 3)."""
    image = getattr(data, name)()
    width = round(image.shape[1] * HEIGHT / image.shape[0])
    return cv2.resize(image, (width, HEIGHT), interpolation=cv2.INTER_AREA)


def cutout(remover: Remover, image: np.ndarray) -> np.ndarray:
    """Over a checkerboard."""
    rgba = remover.process(image).astype(float)
    y, x = np.mgrid[: image.shape[0], : image.shape[1]] // SQUARE
    board = np.where((y + x) % 2, 255, 215)[..., None]
    share = rgba[..., 3:] / 255
    return (rgba[..., :3] * share + board * (1 - share)).round().astype(np.uint8)


def save(name: str, rows: list[list[np.ndarray]]) -> None:
    """Rows of pictures with white gaps."""
    width = max(sum(picture.shape[1] + GAP for picture in row) for row in rows)
    lines = []
    for row in rows:
        line = np.full((row[0].shape[0] + GAP, width, 3), 255, np.uint8)
        left = 0
        for picture in row:
            line[: picture.shape[0], left : left + picture.shape[1]] = picture
            left += picture.shape[1] + GAP
        lines.append(line)
    cv2.imwrite(str(IMAGES / name), np.vstack(lines)[:-GAP, :-GAP, ::-1])


if __name__ == "__main__":
    sys.exit(main())
