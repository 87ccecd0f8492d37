"""What bfloat16 changes: how far maps move, and by how much the metrics of a data set differ from float32's.

    python benchmarks/precision.py --config configs/InSPyReNet_Light.yaml --json benchmarks/results/precision.json

with the weights that Test.Checkpoint names and the sets of Test.Dataset.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader
from tqdm import tqdm

from inspyrenet.commands.parser import Parser
from inspyrenet.data.datasets.torch_datasets import TestDataset, collate_test
from inspyrenet.data.images.preprocess import to_map
from inspyrenet.engine import build
from inspyrenet.engine.predictor import Predictor
from inspyrenet.utils.config.load import load_config
from inspyrenet.utils.config.schema import Config
from inspyrenet.utils.metrics import Accumulator, score
from inspyrenet.utils.system.device import resolve_device
from inspyrenet.utils.system.precision import flush_denormals
from inspyrenet.utils.system.timing import describe_machine

METRICS = ("maxFm", "avgFm", "wFm", "mae", "Sm", "maxEm", "mBA")
PRECISIONS = ("float32", "bfloat16")


def compare(config: Config, device: torch.device) -> dict:
    """Predict every image in both precisions; maps are compared as probabilities, metrics as Eval computes them."""
    model, _ = build.trained_network(config)
    model.to(device).eval()
    predictors = {name: Predictor(model, device, config.Model.threshold, precision=name) for name in PRECISIONS}
    pairs = build.pairs(config.Test.Dataset)
    images = TestDataset(pairs, build.preprocess(config.Model, config.Test))
    loader = DataLoader(images, config.Test.Dataloader.batch_size, collate_fn=collate_test)
    scores = {name: Accumulator(METRICS) for name in PRECISIONS}
    moved, truths = [], iter(pairs)
    for groups in tqdm(loader, unit="batch"):
        for batch in groups:
            outs = [predictors[p](batch["image"], batch["resized"]).logits.float().sigmoid().cpu() for p in PRECISIONS]
            maps = [out.numpy() for out in outs]
            moved += [(float(np.abs(a - b).max()), float(np.abs(a - b).mean())) for a, b in zip(*maps, strict=True)]
            for i, name in enumerate(batch["name"]):
                mask = next(truths).read_mask()
                for precision, saliency in zip(PRECISIONS, maps, strict=True):
                    scores[precision].update(name, score(to_map(saliency[i : i + 1], mask.shape), mask, METRICS))
    largest, mean = np.array(moved).T
    return {
        "images": len(moved),
        "moved": {
            "largest of all": largest.max(),
            "largest of an image, median": float(np.median(largest)),
            "largest of an image, 99 %": float(np.quantile(largest, 0.99)),
            "mean": mean.mean(),
        },
        "metrics": {name: dict(scores[name].result().values) for name in PRECISIONS},
    }


def main(argv: list[str] | None = None) -> int:
    """Compare, print, write; 0 when done."""
    parser = Parser(description=__doc__.split("\n")[0])
    parser.add_argument("--config", required=True)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--json", type=Path)
    parser.add_argument("overrides", nargs="*", metavar="Section.key=value")
    options = parser.parse_intermixed_args(argv)
    flush_denormals()
    device = resolve_device(options.device)
    config = load_config([options.config], options.overrides)[0]
    report = {"machine": describe_machine(device), "config": config.name, **compare(config, device)}
    for key, value in report["moved"].items():
        print(f"{key:32} {value:.4f}")
    for metric in METRICS:
        a, b = (report["metrics"][name][metric] for name in PRECISIONS)
        print(f"{metric:8} {a:.4f} {b:.4f} {b - a:+.4f}")
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
