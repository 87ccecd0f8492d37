"""Makes the picture of docs/mending.md: .venv/bin/python docs/scripts/make_mending_picture.py

A photograph that scikit-image brings along and that is CC0, and a painted image, cut out by the bundled model.
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from skimage import data

from inspyrenet import Mending, Remover
from inspyrenet.demo.pictures import shown

TARGET = Path(__file__).resolve().parents[1] / "images" / "mending.jpg"
CELL, GAP, LINE = (300, 220), 8, 18  # pixels: of a picture (width, height), between two, of the words above one
BALLS = (
    (120, 160, 80, (205, 60, 45)),
    (285, 105, 48, (45, 90, 190)),
    (325, 225, 36, (230, 170, 40)),
)  # left, top, radius, color
COFFEE = (
    ("--clean", "rgba", {"clean": True}),
    ("--grow 12", "rgba", {"clean": True, "grow": 12}),
    ("--shrink 12", "rgba", {"clean": True, "shrink": 12}),
    ("--feather 25", "rgba", {"clean": True, "feather": 25}),
    ("--crop 5%", "rgba", {"clean": True, "crop": "5%"}),
    (
        "--size 300x220 --anchor bottom -t [230,215,190]",
        (230, 215, 190),
        {"clean": True, "size": CELL, "anchor": "bottom"},
    ),
    ("--shadow --size 300x220 -t white", "white", {"clean": True, "size": CELL, "crop": "3%", "shadow": True}),
)


def main() -> int:
    remover, photo = Remover(), data.coffee()
    cells = [("the photograph", photo), ("cut out", remover.process(photo))]
    cells += [(words, remover.process(photo, type, mending=Mending(**asked))) for words, type, asked in COFFEE]
    two = painted()
    found = remover.process(two, mending=Mending(clean=True, object="all"))
    cells += [
        ("a painted image", two),
        (f"--object all: 1 of {len(found)}", found[0]),
        (f"2 of {len(found)}", found[1]),
    ]
    sheet([cell(words, picture) for words, picture in cells], columns=3).save(TARGET, quality=90)
    return 0


def painted() -> np.ndarray:
    """Three shaded balls before a soft ground, uint8 (300, 410, 3)."""
    y, x = np.mgrid[:300, :410].astype(float)
    image = np.stack([175 + y / 8, 185 - x / 20, 190 - y / 10 + x / 20], -1)
    for left, top, radius, color in BALLS:
        away = np.hypot(x - left, y - top)
        light = 0.55 + 0.6 * np.exp(-(np.hypot(x - left + radius / 3, y - top + radius / 3) ** 2) / radius**2)
        share = np.clip(radius - away + 0.5, 0, 1)[..., None]
        image = image * (1 - share) + np.array(color) * light[..., None] * share
    return image.clip(0, 255).astype(np.uint8)


def cell(words: str, picture: np.ndarray) -> Image.Image:
    """A picture scaled to fit, over a checkerboard where it is transparent, with words above it."""
    whole = Image.new("RGB", (CELL[0], CELL[1] + LINE), "white")
    ImageDraw.Draw(whole).text((0, 2), words, "black")
    scale = min(CELL[0] / picture.shape[1], CELL[1] / picture.shape[0])
    size = round(picture.shape[1] * scale), round(picture.shape[0] * scale)
    whole.paste(Image.fromarray(shown(picture)).resize(size, Image.Resampling.LANCZOS), (0, LINE))
    return whole


def sheet(cells: list[Image.Image], columns: int) -> Image.Image:
    width, height = cells[0].width + GAP, cells[0].height + GAP
    whole = Image.new("RGB", (columns * width - GAP, -(-len(cells) // columns) * height - GAP), "white")
    for place, one in enumerate(cells):
        whole.paste(one, (place % columns * width, place // columns * height))
    return whole


if __name__ == "__main__":
    sys.exit(main())
