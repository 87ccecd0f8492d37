"""Scores a run on the pairs that its training held out, once for each variant of the config: what to choose before testing.

    python benchmarks/held_out.py --config configs/InSPyReNet_Bundled.yaml --ckpt snapshots/InSPyReNet_Bundled --json out.json \\
        --variant "320" --variant "352" Test.Dataset.transforms.static_resize.size=[352,352]

A variant is a name and words that change the config; --raw takes the weights themselves instead of their average. Images are
sized and blended as the Test section says. Weights that tell of another split are refused: they may know these pairs.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from variants import Row, build_parser, compare

from inspyrenet.data.datasets.pairs import Pair
from inspyrenet.engine import build
from inspyrenet.lib.checkpoints.state_dict import load_state
from inspyrenet.tune import measure
from inspyrenet.tune.trained_split import held_out_pairs
from inspyrenet.utils.config.load import load_config
from inspyrenet.utils.config.schema import Config
from inspyrenet.utils.system.device import resolve_device
from inspyrenet.utils.system.precision import flush_denormals
from inspyrenet.utils.train.checkpoint import CheckpointFolder, read_weights

METRICS = ("maxFm", "avgFm", "wFm", "mae", "Sm", "mBA", "haze")


def scores(config: Config, state: dict[str, torch.Tensor], pairs: list[Pair], device: torch.device) -> dict[str, float]:
    """Metric → value over the pairs, predicted as run/Test.py would."""
    network = load_state(build.network(config, start=False), state)
    return dict(measure.scores(config, network, pairs, METRICS, device).result().values)


def main(argv: list[str] | None = None) -> int:
    """Score, print, write; 0 when done."""
    parser = build_parser(__doc__)
    parser.add_argument("--ckpt", type=Path, required=True, help="weights, or the folder of a run")
    parser.add_argument("--raw", action="store_true", help="the weights themselves, not their running average")
    parser.add_argument("--limit", type=int, help="the first so many pairs alone")
    options = parser.parse_args(argv)
    flush_denormals()
    device = resolve_device(options.device)
    weights = options.ckpt if options.ckpt.is_file() else CheckpointFolder(options.ckpt).weights_file()
    state = read_weights(weights, prefer_ema=not options.raw)

    def measure(words: Sequence[str]) -> Row:
        config = load_config([options.config], words)[0]
        pairs = held_out_pairs(config, options.ckpt)[: options.limit]
        return {"pairs": len(pairs), **scores(config, state, pairs, device)}

    compare(options, measure)
    return 0


if __name__ == "__main__":
    sys.exit(main())
