"""Feeding training batches: the fused pipeline against the published Pillow operations, on one core.

    python benchmarks/data_pipeline.py --root data/Train_Dataset --set DUTS-TR

Both make the same batches of 6 from the same files in turns (A B A B …), in this process, with one thread, and are timed
by processor time. The figure that counts is the median of the paired ratios. `--cache` adds both with a warm cache.
"""

import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import cv2
import torch
from torch.utils.data import DataLoader

from inspyrenet.commands.parser import Parser
from inspyrenet.data.datasets.build import build_train_dataset
from inspyrenet.data.datasets.torch_datasets import find_pairs
from inspyrenet.utils.system.timing import describe_machine

Steps = list[tuple[str, dict]]


def published_steps(size: int, p: float) -> Steps:
    """The published augmentation, every random step with probability `p`."""
    return [
        ("static_resize", {"size": (size, size)}),
        ("random_scale_crop", {"p": p}),
        ("random_flip", {"p": p}),
        ("random_rotate", {"p": p}),
        ("random_image_enhance", {"p": p}),
        ("normalize", {}),
    ]


def milliseconds(loader: DataLoader) -> float:
    """Processor time per image of one pass."""
    count, start = 0, time.process_time()
    for batch in loader:
        count += len(batch["index"])
    return 1000 * (time.process_time() - start) / count


def compare(name: str, loaders: dict[str, DataLoader], rounds: int) -> dict[str, dict[str, float]]:
    """Median milliseconds, images per second and ratio to the first one's time of every loader; prints them."""
    for loader in loaders.values():
        milliseconds(loader)  # warm up: imports, file cache, the data set's own cache
    times = {key: [] for key in loaders}
    for _ in range(rounds):
        for key, loader in loaders.items():
            times[key].append(milliseconds(loader))
    first, found = times[next(iter(times))], {}
    for key, values in times.items():
        middle = statistics.median(values)
        ratio = statistics.median(a / b for a, b in zip(first, values, strict=True))
        print(f"{name:22} {key:12} {middle:7.2f} ms  {1000 / middle:7.1f} images/s  {ratio:5.2f}x", flush=True)
        found[key] = {"milliseconds": middle, "images_per_second": 1000 / middle, "times_faster": ratio}
    return found


def main(argv: list[str] | None = None) -> int:
    """Runs the comparison; 0 when done."""
    parser = Parser(description=__doc__.split("\n")[0])
    parser.add_argument("--root", required=True, help="folder of the data sets")
    parser.add_argument("--set", default="DUTS-TR", help="the set to read")
    parser.add_argument("--size", type=int, default=384, help="height and width of the batches")
    parser.add_argument("--images", type=int, default=120, help="images per pass")
    parser.add_argument("--rounds", type=int, default=7, help="passes of each pipeline")
    parser.add_argument("--cache", action="store_true", help="also with the disk cache, in a temporary folder")
    parser.add_argument("--json", type=Path, help="write the figures, with the machine that they are of")
    options = parser.parse_args(argv)
    os.environ["OMP_NUM_THREADS"] = "1"
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    pairs = find_pairs(options.root, [options.set], limit=options.images)
    found: dict[str, dict] = {}
    with tempfile.TemporaryDirectory() as folder:
        variants = {"pil": {"pipeline": "pil"}, "fast": {"pipeline": "fast"}}
        if options.cache:
            for name in ("pil", "fast"):
                variants[f"{name}+cache"] = {"pipeline": name, "cache": "disk", "cache_folder": Path(folder)}
        for name, p in (("recipe (p = 0.5)", 0.5), ("everything (p = 1)", 1.0)):
            loaders = {
                key: DataLoader(build_train_dataset(pairs, published_steps(options.size, p), **variant), batch_size=6)
                for key, variant in variants.items()
            }
            found[name] = compare(name, loaders, options.rounds)
    if options.json:
        report = {"machine": describe_machine(torch.device("cpu")), "size": options.size, "images": len(pairs), **found}
        options.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
