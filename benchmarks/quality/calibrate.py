"""Calibrates the quality estimate of a network, or scores the one that it has, on pairs that the network did not learn from.

    .venv/bin/python benchmarks/quality/calibrate.py --root data/Train_Dataset --sets DUTS-TR \\
        --held-out configs/InSPyReNet_Bundled.yaml
    .venv/bin/python benchmarks/quality/calibrate.py --root data/Test_Dataset --sets ECSSD --score \\
        --json benchmarks/results/quality.json

Without --mode and --ckpt it is the bundled model. A calibration writes NAME.quality.json beside the weights; its figures are those
of a cross-validation in ten parts, so that no pair is scored by an estimate that was fitted to it. --held-out: the pairs that
this config's training held out for validation. IoU: of the map above 0.5 with the mask above 0.5, at the image's size.
"""

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np
from tqdm import tqdm

from inspyrenet.commands.parser import Parser
from inspyrenet.data.datasets.pairs import Pair, find_pairs
from inspyrenet.data.images.encode import write_bytes
from inspyrenet.engine.network_options import NetworkOptions
from inspyrenet.engine.presets import BUNDLED_WEIGHTS
from inspyrenet.networks.digest import digest_of
from inspyrenet.networks.network import Network, NetworkMaps, predict
from inspyrenet.quality.estimate import QualityEstimate, file_of, fitted, missing, sizing_of, text_of
from inspyrenet.quality.fit import reliability, scores
from inspyrenet.quality.signals import NAMES, signals
from inspyrenet.remover.compositing import seen_by_network
from inspyrenet.remover.image_types import read_upright
from inspyrenet.remover.remover import Remover

PARTS, SEED = 10, 0
FEWEST = 100  # pairs
T = TypeVar("T")


def measure(remover: Remover, pairs: list[Pair], estimate: Callable[[NetworkMaps], T]) -> tuple[list[T], np.ndarray]:
    """What is estimated of each image, and its IoU (N): each goes through the network once."""
    estimates, ious = [], []
    for pair in tqdm(pairs, unit="pair", mininterval=5):
        image = read_upright(pair.image)
        (maps,) = predict(remover.network, [seen_by_network(image)], levels=True)
        found, wanted = remover.map_of(maps, image) > 127, pair.read_mask() > 127
        union = (found | wanted).sum()
        estimates.append(estimate(maps))
        ious.append(float((found & wanted).sum() / union) if union else 1.0)
    return estimates, np.array(ious)


def cross_validated(values: np.ndarray, iou: np.ndarray) -> np.ndarray:
    """Estimates (N), each by a fit to the other parts."""
    estimates = np.zeros(len(iou))
    for part in np.array_split(np.random.default_rng(SEED).permutation(len(iou)), PARTS):
        others = np.setdiff1d(np.arange(len(iou)), part)
        estimates[part] = fitted(values[others], iou[others]).expected(values[part])
    return estimates


def figures(estimates: np.ndarray, iou: np.ndarray) -> dict:
    """For people and for the file."""
    shares = {f"below {bound}": float((iou < bound).mean()) for bound in (0.9, 0.7)}
    return {
        "pairs": len(iou),
        "iou": float(iou.mean()),
        "shares": shares,
        **scores(estimates, iou),
        "reliability": reliability(estimates, iou),
    }


def digests(network: Network) -> tuple[str, ...]:
    """Of the weights, and of the bundled model both as weights and as graphs, which are the same network."""
    bundled = BUNDLED_WEIGHTS, BUNDLED_WEIGHTS.with_suffix("")
    return tuple(digest_of(one) for one in (bundled if network.weights in bundled else (network.weights,)))


def calibrated(remover: Remover, pairs: list[Pair], data: str) -> QualityEstimate:
    if len(pairs) < FEWEST:
        raise SystemExit(f"error: {len(pairs)} pairs are too few to calibrate by: {FEWEST} or more")
    rows, iou = measure(remover, pairs, signals)
    names = [name for name in NAMES if name in rows[0]]
    values = np.array([[row[name] for name in names] for row in rows])
    about = {"data": data, "cross-validated": figures(cross_validated(values, iou), iou)}
    network = remover.network
    return replace(
        fitted(values, iou, names), network=digests(network), sizing=sizing_of(network.preprocess), about=about
    )


def find(options: argparse.Namespace, weights: Path) -> list[Pair]:
    if not options.held_out:
        return find_pairs(options.root, options.sets)
    from inspyrenet.tune.trained_split import held_out_pairs
    from inspyrenet.utils.config.load import load_config

    words = [f"Train.Dataset.root={options.root}", f"Train.Dataset.sets=[{','.join(options.sets)}]"]
    return held_out_pairs(load_config([options.held_out], words)[0], weights)


def build_parser() -> Parser:
    parser = Parser(description=__doc__)
    add = parser.add_argument
    add("--root", type=Path, required=True, help="folder of data sets")
    add("--sets", nargs="+", required=True, metavar="NAME", help="data sets")
    add("--held-out", metavar="CONFIG", help="the pairs alone that this config's training held out")
    add("--score", action="store_true", help="score the estimate that is there; nothing is written but --json")
    add("--json", type=Path, metavar="FILE", help="the figures")
    NetworkOptions.add_arguments(parser)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Calibrate or score, print, write; 0 when done."""
    options = build_parser().parse_intermixed_args(argv)
    remover = Remover.from_options(NetworkOptions.from_arguments(options), edges="none")
    estimate, pairs = remover.quality, find(options, remover.network.weights)
    if not options.score:
        data = f"{', '.join(options.sets)}{f', held out by {Path(options.held_out).stem}' if options.held_out else ''}"
        estimate = calibrated(remover, pairs, data)
        path = file_of(remover.network.weights)
        write_bytes(text_of(estimate).encode(), path)
        print(f"{path}: {len(pairs)} pairs", file=sys.stderr)
        found = estimate.about["cross-validated"]
    elif estimate is None:
        raise SystemExit(f"error: {missing(remover.network)}")
    else:
        estimates, iou = measure(remover, pairs, estimate)
        found = figures(np.array(estimates), iou)
    text = json.dumps(found, indent=1)
    print(text)
    if options.json:
        write_bytes((text + "\n").encode(), options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
