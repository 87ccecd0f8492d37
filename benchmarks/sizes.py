"""Time and peak memory against the number of pixels: one pass, pyramid blending, patch merging.

    python benchmarks/sizes.py --config configs/InSPyReNet_Light.yaml Model.base_size=[384,384] \\
        --ckpt snapshots/InSPyReNet_Light --json benchmarks/results/sizes.json --picture docs/images/cost_of_size.png

Every point is one pass in a process of its own, after a pass at the base size, on a painted image of that many pixels (3:2),
as the commands predict; points that the JSON file holds already are kept. Memory is the process's peak above what it held with
the network loaded and the image read.
"""

import json
import multiprocessing
import sys
import time
from pathlib import Path

import matplotlib
import numpy as np
import torch

from inspyrenet.commands.parser import Parser
from inspyrenet.data.datasets.synthetic import SyntheticShapes
from inspyrenet.data.images.preprocess import normalized, resize
from inspyrenet.engine import build
from inspyrenet.engine.predictor import Predictor
from inspyrenet.lib.checkpoints.state_dict import load_state
from inspyrenet.utils.config.load import load_config
from inspyrenet.utils.config.schema import Config
from inspyrenet.utils.system.allocator import freed_memory_kept
from inspyrenet.utils.system.precision import flush_denormals
from inspyrenet.utils.system.timing import describe_machine, peak_memory
from inspyrenet.utils.train.checkpoint import CheckpointFolder, read_weights

WAYS = ("one pass", "blending", "patch merging")
CPU = torch.device("cpu")


def side_lengths(megapixels: float) -> tuple[int, int]:
    """Height and width, 2:3, multiples of 32."""
    height = (megapixels * 1e6 * 2 / 3) ** 0.5
    return tuple(max(32, round(side / 32) * 32) for side in (height, height * 1.5))


def measure(pipe, config: Config, weights: str, way: str, size: tuple[int, int]) -> None:
    """In a process of its own: sends seconds and bytes of one pass."""
    flush_denormals()
    model = build.network(config, start=False)
    source = Path(weights)
    load_state(model, read_weights(source if source.is_file() else CheckpointFolder(source).weights_file()))
    threshold = None if way == "one pass" else max(config.Model.base_size)
    predictor = Predictor(model.eval(), CPU, threshold, merging=way == "patch merging")
    painted = SyntheticShapes(1, seed=3, size=(480, 720))[0].image
    image, small = (torch.from_numpy(normalized(resize(painted, to)))[None] for to in (size, config.Model.base_size))
    predictor(small, None if threshold is None else small)
    started = time.perf_counter()
    with peak_memory(CPU) as found, freed_memory_kept():
        predictor(image, None if threshold is None else small)
    pipe.send({"seconds": time.perf_counter() - started, "peak_bytes": found["above"]})


def in_own_process(*arguments) -> dict[str, float]:
    """`measure` in a fresh process."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=measure, args=(theirs, *arguments))
    process.start()
    theirs.close()
    try:
        return ours.recv()
    finally:
        process.join()


def draw(points: list[dict], path: Path) -> None:
    """Seconds and gigabytes against megapixels, both axes logarithmic."""
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    for axis, key, unit, label in ((axes[0], "seconds", 1, "seconds"), (axes[1], "peak_bytes", 1e9, "peak memory, GB")):
        for way in WAYS:
            mine = [point for point in points if point["way"] == way]
            axis.plot([p["megapixels"] for p in mine], [p[key] / unit for p in mine], marker="o", label=way)
        axis.set(xscale="log", yscale="log", xlabel="megapixels", ylabel=label)
        axis.grid(True, which="both", alpha=0.25)
    axes[0].legend(frameon=False)
    figure.savefig(path, dpi=110)


def _known(path: Path | None, config: Config) -> list[dict]:
    """The points of a run that was stopped; none where the file is of another network."""
    found = json.loads(path.read_text(encoding="utf-8")) if path and path.is_file() else {}
    same = (found.get("config"), found.get("base_size")) == (config.name, [*config.Model.base_size])
    return found["points"] if same else []


def _write(path: Path, config: Config, points: list[dict]) -> None:
    report = {"machine": describe_machine(CPU), "config": config.name, "base_size": config.Model.base_size}
    path.write_text(json.dumps({**report, "points": points}, indent=1) + "\n", encoding="utf-8")


def main(argv: list[str] | None = None) -> int:
    """Measure, print, write; 0 when done."""
    parser = Parser(description=__doc__.split("\n")[0])
    parser.add_argument("--config", required=True)
    parser.add_argument("--ckpt", required=True, help="weights, or the folder of a run")
    parser.add_argument("--megapixels", nargs="+", type=float, default=[0.25, 1, 2.5, 6, 12, 24])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--picture", type=Path)
    parser.add_argument("overrides", nargs="*", metavar="Section.key=value")
    options = parser.parse_intermixed_args(argv)
    config = load_config([options.config], options.overrides)[0]
    points = _known(options.json, config)
    for megapixels in options.megapixels:
        size = side_lengths(megapixels)
        for way in WAYS:
            if any(point["way"] == way and tuple(point["size"]) == size for point in points):
                continue
            found = in_own_process(config, options.ckpt, way, size)
            points.append({"way": way, "megapixels": float(np.prod(size)) / 1e6, "size": size, **found})
            print(
                f"{size[0]} x {size[1]}  {way:14} {found['seconds']:8.2f} s  {found['peak_bytes'] / 1e6:8.0f} MB",
                flush=True,
            )
            if options.json:
                _write(options.json, config, points)
    if options.picture:
        draw(points, options.picture)
    return 0


if __name__ == "__main__":
    sys.exit(main())
