"""Makes the picture of attention in docs/training.md, of a painted image: .venv/bin/python docs/scripts/make_explain_picture.py"""

from pathlib import Path

from PIL import Image

from inspyrenet.data.datasets.synthetic import HELD_OUT_SEED, SyntheticShapes
from inspyrenet.engine.network_options import NetworkOptions
from inspyrenet.explain.explainer import Explainer

ROOT = Path(__file__).resolve().parents[2]
NUMBER = 1  # of the painted image
WIDTH = 800  # pixels


def main() -> None:
    image = SyntheticShapes(NUMBER + 1, HELD_OUT_SEED)[NUMBER].image
    picture = Image.fromarray(Explainer(NetworkOptions(device="cpu"))(image))
    size = WIDTH, round(picture.height * WIDTH / picture.width)
    picture.resize(size, Image.Resampling.LANCZOS).save(ROOT / "docs" / "images" / "explain.jpg", quality=85)


if __name__ == "__main__":
    main()
