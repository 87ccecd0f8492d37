"""Memory of the process: after many image sizes, and at its peak for one large image.

    python benchmarks/memory.py growth --json benchmarks/results/memory.json     # 300 random sizes, and one size
    python benchmarks/memory.py large --json benchmarks/results/memory.json      # up to the largest image that is accepted

growth: images of random sizes (or all of one), with the caches of torch's CPU kernels as this package bounds them and as torch has
them, in turn, each in a process of its own. Time is the processor's, since others may use the machine, too.
large: a noisy photograph goes from file to file as in `inspyrenet IMAGE OUTPUT`; the peak counts from the loaded network, after
a small image. Noise is what compresses worst. `results` in the JSON file keeps the rows of the other command.
"""

import argparse
import json
import multiprocessing
import os
import resource
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from inspyrenet.commands.parser import Parser

SIDES = 100, 700  # pixels, of random sizes
TORCHS_OWN = 1024  # entries of each cache
CACHES = "ONEDNN_PRIMITIVE_CACHE_CAPACITY", "LRU_CACHE_CAPACITY"
LARGE = [("png", "rgba"), ("png", "map"), ("jpg", "white"), ("jpg", "blur")]  # format and type of the result
MEGAPIXELS = (49, 110)


def grow(pipe, caches: str, sizes: str, resize: str, images: int) -> None:
    """In a process of its own: sends the resident bytes and the seconds for each image."""
    if caches == "torch's own":
        os.environ.update(dict.fromkeys(CACHES, str(TORCHS_OWN)))
    from inspyrenet import Remover
    from inspyrenet.utils.system.timing import resident

    remover, rng = Remover(device="cpu", resize=resize, edges="none"), np.random.default_rng(0)
    started, used = resident(), None
    for number in range(images):
        shape = rng.integers(*SIDES, 2) if sizes == "random" else (400, 600)
        image = rng.integers(0, 256, (*shape, 3), np.uint8)
        if number == 1:  # the first one builds what every later one finds
            used = resource.getrusage(resource.RUSAGE_SELF)
        remover.process(image, "map")
    end = resource.getrusage(resource.RUSAGE_SELF)
    seconds = sum(end[:2]) - sum(used[:2])  # user and system
    pipe.send({"start_bytes": started, "end_bytes": resident(), "cpu_seconds_per_image": seconds / (images - 1)})


def growth(images: int, rounds: int) -> list[dict]:
    """Rows for each way of sizing, random sizes and one, and both bounds of the caches."""
    rows = []
    for resize in ("static", "dynamic"):
        for sizes in ("random", "one"):
            found: dict[str, list[dict]] = {"bounded": [], "torch's own": []}
            for _ in range(rounds):
                for caches, measured in found.items():
                    measured.append(apart(grow, caches, sizes, resize, images))
            pairs = zip(found["bounded"], found["torch's own"], strict=True)
            ratio = statistics.median(b["cpu_seconds_per_image"] / a["cpu_seconds_per_image"] for a, b in pairs)
            for caches, measured in found.items():
                median = {key: statistics.median(one[key] for one in measured) for key in measured[0]}
                kind = {"what": "growth", "resize": resize, "sizes": sizes, "images": images, "caches": caches}
                rows.append(kind | median | ({"throughput": ratio} if caches == "bounded" else {}))
                print_row(rows[-1])
    return rows


def peak(pipe, folder: str, form: str, type: str, edges: str) -> None:
    """In a process of its own: sends seconds and the peak of cutting out folder/large.*."""
    import torch

    from inspyrenet import Remover
    from inspyrenet.files.jobs import run_jobs
    from inspyrenet.files.request import Request, parse_request
    from inspyrenet.utils.system.allocator import freed_memory_kept
    from inspyrenet.utils.system.timing import peak_memory

    remover = Remover(device="cpu", edges=edges)
    remover.process(np.random.default_rng(0).integers(0, 256, (400, 600, 3), np.uint8), type)
    (source,) = Path(folder).glob("large.*")
    work = parse_request(Request(str(source), f"{folder}/out.{form}", type, overwrite=True, edges=edges))
    started = time.perf_counter()
    with freed_memory_kept(), peak_memory(torch.device("cpu")) as found:
        report = run_jobs(work, remover)
    if report.failed:
        raise RuntimeError(str(report))
    pipe.send({"seconds": time.perf_counter() - started, "peak_bytes": found["above"]})


def large(megapixels: list[float], source: str, edges: str) -> list[dict]:
    """Rows for each size, and each format and type of the result."""
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = None
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for count in megapixels:
            height = round((count * 1e6 * 3 / 4) ** 0.5)
            width = int(count * 1e6 / height)
            noise = np.random.default_rng(0).integers(
                0, 256, (height, width, 4 if source == "rgba.png" else 3), np.uint8
            )
            path = Path(folder, f"large.{source.rpartition('.')[2]}")
            Image.fromarray(noise).save(path, compress_level=1)
            del noise
            for form, type in LARGE:
                row = {"what": "large", "megapixels": count, "from": source, "to": form, "type": type, "edges": edges}
                rows.append(row | apart(peak, folder, form, type, edges))
                print_row(rows[-1])
            path.unlink()
    return rows


def apart(measure, *words) -> dict:
    """What `measure` sends from a process of its own."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=measure, args=(there, *words))
    process.start()
    there.close()
    try:
        return here.recv()
    finally:
        process.join()


def print_row(row: dict) -> None:
    shown = {key: f"{value / 1e6:.0f} MB" if key.endswith("bytes") else value for key, value in row.items()}
    print(
        ", ".join(
            f"{key} {value:.3f}" if isinstance(value, float) else f"{key} {value}" for key, value in shown.items()
        ),
        flush=True,
    )


def main() -> None:
    """Measure, print a row for each case, and keep the rows."""
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("growth", "large"))
    parser.add_argument("--images", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--megapixels", type=float, nargs="+", default=list(MEGAPIXELS))
    parser.add_argument("--source", default="rgb.jpg", choices=("rgb.jpg", "rgb.png", "rgba.png"))
    parser.add_argument("--edges", default="none")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if options.what == "growth":
        rows = growth(options.images, options.rounds)
    else:
        rows = large(options.megapixels, options.source, options.edges)
    if options.json:
        import torch

        from inspyrenet.utils.system.timing import describe_machine

        before = json.loads(options.json.read_text())["results"] if options.json.exists() else []
        kept = [row for row in before if row["what"] != options.what]
        content = {"machine": describe_machine(torch.device("cpu")), "results": kept + rows}
        options.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
