"""Engines for one network, in turn: torch, onnxruntime and OpenVINO, in float32, bfloat16 and int8.

    python benchmarks/engines/compare.py --config InSPyReNet_SwinB --input 384x384 1280x1920 --data data/Train_Dataset/DUTS-TR \\
        --work made --json benchmarks/results/engines.json [--ckpt FILE] [--engine "torch float32" "onnxruntime int8" …]

Each engine runs in a process of its own, one image at a time; peak memory is that of the whole process. Without --ckpt the
network was never trained, but has maps like those of a trained one (`fitted.py`). What is made once stays in the folder --work:
weights, exported files, and int8 files, which are calibrated but not tried. A side above the config's threshold is blended.
Where memory is short, a few engines at a time can be named, torch float32 among them.
"""

import argparse
import json
import resource
import sys
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
from workers import ENGINES, Answer, Files, Worker

from inspyrenet.commands.parser import Parser
from inspyrenet.data.datasets.pairs import Pair, find_pairs
from inspyrenet.data.images.read import read_image
from inspyrenet.networks.exported import ExportedFile, preprocess_of

REFERENCE = "torch float32"
LEVEL = 1.001 / 255  # maps of whole gray levels may be rounded apart


def main(argv: list[str] | None = None) -> int:
    """Prints a row for each engine and size, and writes the figures; 0 when done."""
    options = _parser().parse_args(argv)
    pairs = find_pairs(options.data.parent, [options.data.name], limit=options.fit + options.calibrate + options.images)
    for size in options.input:
        files, made = prepare(options, size, pairs)
        report = {"network": options.config, "size": size, "made": made, **measure(options, files, pairs)}
        print(json.dumps(report, indent=1), flush=True)
        if options.json:
            add(options.json, report)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--config", required=True)
    add("--input", nargs="+", required=True, metavar="HxW")
    add("--data", type=Path, required=True, help="a data set: images and masks")
    add("--work", type=Path, required=True, help="folder for what is made once")
    add("--ckpt", type=Path, help="trained weights")
    add("--engine", nargs="+", choices=ENGINES, default=list(ENGINES))
    add("--rounds", type=int, default=5)
    add("--warmup", type=int, default=1, help="images of each engine that are not measured")
    add("--images", type=int, default=4, help="images that are measured, one after the other")
    add("--fit", type=int, default=32, help="pairs that the untrained network is fitted to")
    add("--calibrate", type=int, default=24, help="images that int8 takes its ranges from")
    add("--json", type=Path)
    add("overrides", nargs="*", metavar="Section.key=value")
    return parser


# -- what is made once --------------------------------------------------------------------------------------------


def prepare(options: argparse.Namespace, size: str, pairs: list[Pair]) -> tuple[Files, dict]:
    """Weights and files for a size, and the seconds that each took now; what is there already is taken as it is."""
    options.work.mkdir(parents=True, exist_ok=True)
    weights = options.ckpt or options.work / f"{options.config}.safetensors"
    made: dict[str, float] = {}
    if not weights.is_file():
        made["fit_seconds"] = timed(write_fitted, options, weights, pairs[: options.fit])
    float32, int8 = (options.work / f"{options.config}_{size}{name}.onnx" for name in ("", "_int8"))
    if not float32.is_file():
        made["export_seconds"] = timed(write_float32, options, weights, size, float32)
        made["export_peak_bytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    metadata = ExportedFile(float32).metadata
    wanted = any(name.endswith("int8") for name in options.engine)
    if wanted and not int8.is_file():
        from inspyrenet.int8.graph import quantize

        calibration = pairs[options.fit : options.fit + options.calibrate]
        made["int8_seconds"] = timed(quantize, float32, int8, metadata, calibration, preprocess_of(metadata, None))
    words = tuple(options.overrides)
    return Files(options.config, words, weights, float32, int8 if wanted else None, metadata.threshold), made


def timed(work, *arguments) -> float:
    started = time.perf_counter()
    work(*arguments)
    return time.perf_counter() - started


def write_fitted(options: argparse.Namespace, path: Path, pairs: list[Pair]) -> None:
    from fitted import fitted
    from safetensors.torch import save_file

    from inspyrenet.utils.config.load import load_config

    model = fitted(load_config(options.config, options.overrides)[0], pairs)
    save_file({name: value.contiguous() for name, value in model.state_dict().items()}, path)


def write_float32(options: argparse.Namespace, weights: Path, size: str, path: Path) -> None:
    from inspyrenet.engine.export import ExportOptions, export, parse_size
    from inspyrenet.engine.presets import resolve_model

    spec = resolve_model(options.config, weights, options.overrides)
    export(spec, ExportOptions(size=parse_size(size), output=path, check=False))


# -- measuring ----------------------------------------------------------------------------------------------------


def measure(options: argparse.Namespace, files: Files, pairs: list[Pair]) -> dict:
    """Seconds in turn, ratios to torch float32 in the same round, memory, and how far maps move."""
    inputs = pictures(files.float32, pairs[-options.images :])
    workers = [Worker(name, files) for name in options.engine]
    answers: dict[str, list[Answer]] = {worker.name: [] for worker in workers}
    for number in range(options.warmup + options.rounds):
        for worker in workers:
            answer = worker.run(*inputs[number % len(inputs)])
            answers[worker.name].append(answer)
            print(f"{number} {worker.name} {answer.seconds:.3f} s, cpu {answer.cpu_seconds:.3f} s", flush=True)
    report = figures(answers, options.warmup)
    for worker in workers:
        report["engines"][worker.name] |= {"load_seconds": worker.load_seconds, "peak_bytes": worker.close()}
    return report


def pictures(path: Path, pairs: list[Pair]) -> list[tuple[np.ndarray, np.ndarray | None]]:
    """Photographs as the file wants them."""
    prepare = preprocess_of(ExportedFile(path).metadata, None)
    prepared = [prepare(read_image(pair.image)) for pair in pairs]
    return [(image[None], None if copy is None else copy[None]) for image, copy in prepared]


def figures(answers: dict[str, list[Answer]], warmup: int, reference: str = REFERENCE) -> dict:
    """Of each engine: order statistics, ratios pair by pair, and its maps beside those of the reference, if that ran."""
    import torch

    from inspyrenet.utils.system.timing import Timing, describe_machine, ratios

    values = {
        kind: {name: [getattr(one, kind) for one in all_[warmup:]] for name, all_ in answers.items()}
        for kind in ("seconds", "cpu_seconds")
    }
    engines: dict[str, dict] = {}
    for name, all_ in answers.items():
        engines[name] = {kind: asdict(Timing.of(values[kind][name])) for kind in values}
        if reference in answers and name != reference:
            engines[name]["times_faster"] = ratios(values["seconds"], reference)[name]
            engines[name]["times_less_cpu"] = ratios(values["cpu_seconds"], reference)[name]
            engines[name]["moved"] = moved(answers[reference], all_)
    spread = float(np.mean([one.probability.std() for one in next(iter(answers.values()))]))
    return {"engines": engines, "maps_std": spread, "machine": describe_machine(torch.device("cpu"))}


def moved(reference: list[Answer], others: list[Answer]) -> dict[str, float]:
    """How far probabilities are from the reference's: the most, the mean, and the share beyond one gray level."""
    pairs = zip(reference, others, strict=True)
    apart = np.concatenate([abs(one.probability - other.probability).ravel() for one, other in pairs])
    return {"max": float(apart.max()), "mean": float(apart.mean()), "beyond_a_level": float((apart > LEVEL).mean())}


def add(path: Path, report: dict) -> None:
    """Put it into the file; engines of the same network and size that were not measured now stay."""
    rows = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    same = [row for row in rows if (row["network"], row["size"]) == (report["network"], report["size"])]
    if same and "engines" in report:
        report = {**report, "engines": {**same[0]["engines"], **report["engines"]}}
        report["made"] = {**same[0].get("made", {}), **report.get("made", {})}
    rows = [row for row in rows if row not in same]
    path.write_text(json.dumps([*rows, report], indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
