"""Makes the README's picture: .venv/bin/python docs/scripts/make_pictures.py

First: .venv/bin/python Expr.py --config configs/Quickstart.yaml --debug, whose pyramid pictures of painted images are used.
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
LEVELS = ROOT / "snapshots" / "Quickstart" / "debug" / "heldout"
IMAGES = ("00003",)
WIDTH = 1200  # pixels


def main() -> int:
    files = [LEVELS / f"{name}.png" for name in IMAGES]
    missing = [str(file) for file in files if not file.is_file()]
    if missing:
        print(f"error: no {', '.join(missing)}: run Expr.py --config configs/Quickstart.yaml --debug", file=sys.stderr)
        return 1
    picture = Image.fromarray(np.vstack([np.asarray(Image.open(file)) for file in files]))
    picture.resize((WIDTH, round(picture.height * WIDTH / picture.width))).save(
        ROOT / "docs" / "images" / "pyramid.png"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
