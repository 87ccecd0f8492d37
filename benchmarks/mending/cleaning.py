"""What --clean does to the bundled model's maps of the pairs that its training held out: scores before and after, and its time.

    python benchmarks/mending/cleaning.py --config configs/InSPyReNet_Bundled.yaml --json benchmarks/results/cleaning.json

The pairs are those that the config splits off; maps and masks are scored at their own sizes. --maps takes maps that are there
already, NAME.png for each pair.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from inspyrenet import Remover
from inspyrenet.commands.parser import Parser
from inspyrenet.data.datasets.pairs import Pair
from inspyrenet.engine import build
from inspyrenet.engine.train import split_pairs
from inspyrenet.mending.cleaning import cleaned
from inspyrenet.remover.image_types import read_upright
from inspyrenet.utils.config.load import load_config
from inspyrenet.utils.metrics import Accumulator, score

METRICS = ("mae", "maxFm", "mBA", "haze")
LARGE = 1500, 1400  # width and height of the map that is timed
ROUNDS, TIMED = 3, 8  # every eighth map is timed, the best of three rounds


def main(argv: list[str] | None = None) -> int:
    """Score, time, print, write; 0 when done."""
    parser = Parser(description=__doc__)
    parser.add_argument("--config", required=True, help="whose Train section says which pairs are held out")
    parser.add_argument("--maps", type=Path, help="folder of the maps, in place of the bundled model")
    parser.add_argument("--json", type=Path, help="where figures go")
    parser.add_argument("words", nargs="*", metavar="Section.key=value", help="changes of the config")
    options = parser.parse_intermixed_args(argv)
    config = load_config([options.config], options.words)[0]
    pairs = split_pairs(build.section(config, "Train"), config.seed)[1]
    find = maps_in(options.maps) if options.maps else maps_of_bundled()
    totals = {name: Accumulator(METRICS) for name in ("as it is", "cleaned")}
    changed, seconds = 0, []
    for place, pair in enumerate(pairs):
        found, mask = find(pair), pair.read_mask()
        better = cleaned(found)
        changed += not np.array_equal(found, better)
        if place % TIMED == 0:
            seconds.append(time_of(np.asarray(Image.fromarray(found).resize(LARGE))))
        for total, saliency in zip(totals.values(), (found, better), strict=True):
            total.update(pair.name, score(saliency, mask, METRICS))
    figures = {
        name: {key: round(value, 5) for key, value in total.result().values.items()} for name, total in totals.items()
    }
    times = {"median": float(np.median(seconds)), "most": max(seconds)}
    report = {"pairs": len(pairs), "changed": changed, "cpu_seconds_of_2_megapixels": times, **figures}
    print(json.dumps(report, indent=1))
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return 0


def maps_of_bundled() -> Callable[[Pair], np.ndarray]:
    remover = Remover()
    return lambda pair: remover.saliency(read_upright(pair.image).array)


def maps_in(folder: Path) -> Callable[[Pair], np.ndarray]:
    return lambda pair: np.asarray(Image.open(folder / f"{pair.name}.png"))


def time_of(saliency: np.ndarray) -> float:
    """Processor seconds of the quickest round."""
    times = []
    for _ in range(ROUNDS):
        started = time.process_time()
        cleaned(saliency)
        times.append(time.process_time() - started)
    return min(times)


if __name__ == "__main__":
    sys.exit(main())
