"""Latency of an exported network beside the same network in torch, in turn (A B A B …) in one process.

.venv/bin/python benchmarks/engines/export.py --config InSPyReNet_Light --ckpt snapshots/InSPyReNet_Light \\
    --file InSPyReNet_Light.onnx --input 128x128 384x384 [--rounds 7] [--json benchmarks/results/export.json]

The file is what run/Export.py made of the same weights. Figures are of the network alone, for one image; they are added to
the JSON file, in place of those of the same network and size.
"""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

import onnxruntime
import torch

from inspyrenet.commands.parser import Parser
from inspyrenet.engine import build
from inspyrenet.engine.export import ExportOptions, metadata_for, parse_size, pictures, runner
from inspyrenet.engine.predictor import Predictor
from inspyrenet.engine.presets import resolve_model
from inspyrenet.lib.checkpoints.state_dict import load_state
from inspyrenet.lib.sizes import size_rule
from inspyrenet.utils.system.precision import flush_denormals
from inspyrenet.utils.system.timing import Timing, describe_machine, interleave, ratios
from inspyrenet.utils.train.checkpoint import read_weights


def main(argv: list[str] | None = None) -> int:
    options = _parser().parse_args(argv)
    spec = resolve_model(options.config, options.ckpt)
    model = load_state(build.network(spec.config, start=False), read_weights(spec.weights)).eval()
    graph = runner(options.file)
    flush_denormals()
    for text in options.input:
        case = measure(spec, model, graph, parse_size(text), options.rounds)
        print(json.dumps(case, ensure_ascii=False), flush=True)
        if options.json:
            add(options.json, case)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = Parser(description=__doc__)
    parser.add_argument("--config", required=True, help="config or mode")
    parser.add_argument("--ckpt", required=True, help="weights")
    parser.add_argument("--file", required=True, type=Path, help="the exported network")
    parser.add_argument("--input", nargs="+", required=True, metavar="HxW")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", type=Path)
    return parser


def measure(spec, model: torch.nn.Module, graph, size: tuple[int, int], rounds: int) -> dict:
    """Seconds of each variant, and how many times faster than torch the graph is, pair by pair."""
    section = spec.config.Model
    metadata = metadata_for(spec, ExportOptions(dynamic=True), size_rule(model))
    image, small = pictures(metadata, size, 1)
    network = Predictor(model, torch.device("cpu"), section.threshold, section.alignment)
    work = {"torch": lambda: network(image, small), "onnxruntime": lambda: graph(image, small)}
    seconds = interleave(work, rounds, warmup=2)
    difference = float((network(image, small).logits.sigmoid() - torch.from_numpy(graph(image, small))).abs().max())
    return {
        "network": section.name,
        "size": list(size),
        "seconds": {name: asdict(Timing.of(values)) for name, values in seconds.items()},
        "onnxruntime_times_faster": ratios(seconds, "torch")["onnxruntime"],
        "difference": difference,
        "machine": {**describe_machine(torch.device("cpu")), "onnxruntime": onnxruntime.__version__},
    }


def add(path: Path, case: dict) -> None:
    """Put a case into the file."""
    cases = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    same = [(known["network"], known["size"]) == (case["network"], case["size"]) for known in cases]
    cases = [known for known, replaced in zip(cases, same, strict=True) if not replaced]
    path.write_text(json.dumps([*cases, case], indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
