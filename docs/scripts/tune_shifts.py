"""Fine-tunes the bundled model on shifts that it has not seen, and prints what run/Tune.py decided for each.

    python docs/scripts/tune_shifts.py --root data/Train_Dataset --out tune_shifts --pairs 120 --general 160 --minutes 15

Pairs come from the 528 that the training of the bundled model held out. The first --general of a fixed shuffle are the general
set; of the following --pairs, every shift makes its own set by a fixed rule:

night     pixels v in 0..1 become .35 · v^1.8 · (.55, .7, 1) for red, green and blue, plus Gaussian noise of deviation .04
turned    images and masks are turned by 180 degrees: objects that hang, and a sky below
painted   pictures of data/datasets/synthetic.py: striped objects among spotted ones, with exact masks
"""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from inspyrenet.commands.parser import Parser
from inspyrenet.commands.tune import main as tune
from inspyrenet.data.datasets.pairs import Pair
from inspyrenet.data.datasets.synthetic import ensure_dataset
from inspyrenet.data.images.read import read_image
from inspyrenet.engine import build
from inspyrenet.engine.train import split_pairs
from inspyrenet.utils.config.load import load_config

RECIPE = "InSPyReNet_Bundled"
PAINTED_SEED = 3  # neither that of the quick start's sets nor of the pictures that run/Tune.py repeats
Rule = Callable[[np.ndarray, np.random.Generator], np.ndarray]


def night(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Dark, blue and noisy: uint8 (H, W, 3) → the same."""
    light = 0.35 * (image / 255.0) ** 1.8 * np.array([0.55, 0.7, 1.0])
    return (255 * (light + rng.normal(0, 0.04, image.shape))).clip(0, 255).round().astype(np.uint8)


def turned(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Upside down: (H, W, …) → the same."""
    return image[::-1, ::-1]


SHIFTS: dict[str, tuple[Rule, bool]] = {"night": (night, False), "turned": (turned, True)}  # rule, for masks too?


def held_out(root: str) -> list[Pair]:
    """The held-out pairs of the bundled model, shuffled always alike."""
    (config,) = load_config(RECIPE, [f"Train.Dataset.root={root}"])
    pairs = split_pairs(build.section(config, "Train"), config.seed)[1]
    return [pairs[i] for i in np.random.default_rng(27).permutation(len(pairs)).tolist()]


def write_set(folder: Path, pairs: Sequence[Pair], rule: Rule | None = None, masks_too: bool = False) -> None:
    """Images and masks, the images changed by the rule."""
    for kind in ("images", "masks"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
    for i, pair in enumerate(pairs):
        image, mask, rng = read_image(pair.image), pair.read_mask(), np.random.default_rng((27, i))
        if rule is not None:
            image, mask = rule(image, rng), rule(mask, rng) if masks_too else mask
        name = pair.name.replace("/", "_")
        Image.fromarray(np.ascontiguousarray(image)).save(folder / "images" / f"{name}.jpg", quality=95)
        Image.fromarray(np.ascontiguousarray(mask)).save(folder / "masks" / f"{name}.png")


def main(argv: Sequence[str] | None = None) -> int:
    """Make the sets that are not there yet, fine-tune on each shift; 0 when all were decided."""
    parser = Parser(description=__doc__)
    parser.add_argument("--root", default="data/Train_Dataset", help="folder that holds DUTS-TR")
    parser.add_argument("--out", type=Path, default=Path("tune_shifts"), help="folder for the sets")
    parser.add_argument("--shifts", nargs="+", choices=[*SHIFTS, "painted"], default=["night", "painted"])
    parser.add_argument("--pairs", type=int, default=120)
    parser.add_argument("--general", type=int, default=160)
    parser.add_argument("--minutes", default="15")
    parser.add_argument("words", nargs="*", metavar="Section.key=value")
    options = parser.parse_intermixed_args(argv)
    pairs = held_out(options.root)
    general, own = pairs[: options.general], pairs[options.general : options.general + options.pairs]
    if not (options.out / "general").is_dir():
        write_set(options.out / "general", general)
    codes = []
    for shift in options.shifts:
        place = options.out / shift
        if shift == "painted":
            ensure_dataset(options.out, shift, options.pairs, PAINTED_SEED)
        elif not place.is_dir():
            write_set(place, own, *SHIFTS[shift])
        words = ["--data", str(place), "--general", str(options.out / "general"), "--minutes", options.minutes]
        print(f"== {shift}", flush=True)
        codes.append(tune([*words, "--name", f"tune_{shift}", "--overwrite", "-v", *options.words]))
    return max(codes)


if __name__ == "__main__":
    sys.exit(main())
