"""What `inspyrenet batch` costs beside `inspyrenet p` with the bundled model: wall and processor time, start-up told apart.

    .venv/bin/python -m benchmarks.batch.overhead --images data/Test_Dataset/ECSSD/images --json FILE

Both commands do the same images in turn, `--few` of them and `--count` of them. The difference between the two is what an
image costs; the rest is the start. The images are links, the results go to a temporary folder.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

from benchmarks.batch.workers import link
from inspyrenet.commands.parser import Parser
from inspyrenet.utils.system.timing import describe_machine


def main(argv: list[str] | None = None) -> int:
    """Prints and writes the figures; 0 when done."""
    parser = Parser(description=__doc__)
    add = parser.add_argument
    add("--images", type=Path, required=True)
    add("--count", type=int, default=2000)
    add("--few", type=int, default=100)
    add("--rounds", type=int, default=3)
    add("--workers", nargs="+", type=int, default=[1, 2])
    add("--json", type=Path)
    options = parser.parse_args(argv)
    commands = {"p": ["p"]} | {f"batch, {n}": ["batch", "--workers", str(n)] for n in options.workers}
    with tempfile.TemporaryDirectory(prefix="overhead_") as place:
        folder = Path(place)
        for count in (options.few, options.count):
            link(options.images, folder / f"in{count}", count)
        runs = [
            {name: per_image(words, folder, options.few, options.count) for name, words in commands.items()}
            for _ in range(options.rounds)
        ]
    report = {
        "machine": describe_machine(torch.device("cpu")),
        "images": options.count,
        "few": options.few,
        "runs": runs,
    }
    report["ratio to p"] = {name: ratios(runs, name) for name in commands if name != "p"}
    print(json.dumps(report["ratio to p"], indent=1))
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return 0


def ratios(runs: list[dict], name: str) -> dict[str, float]:
    """Medians over the rounds of each figure divided by that of `p` in the same round."""
    return {key: round(statistics.median(run[name][key] / run["p"][key] for run in runs), 3) for key in runs[0]["p"]}


def per_image(words: list[str], folder: Path, few: int, count: int) -> dict[str, float]:
    """Milliseconds of an image beyond the first ones, and seconds of the whole command; both also in processor time."""
    short, long = (timed(words, folder, number) for number in (few, count))
    wall, processor = ((b - a) / (count - few) * 1000 for a, b in zip(short, long, strict=True))
    figures = {
        "ms_per_image": wall,
        "processor_ms_per_image": processor,
        "seconds": long[0],
        "processor_seconds": long[1],
    }
    print(words, {key: round(value, 2) for key, value in figures.items()}, flush=True)
    return {key: round(value, 3) for key, value in figures.items()}


def timed(words: list[str], folder: Path, count: int) -> tuple[float, float]:
    """(seconds, processor seconds) of one command into an empty folder."""
    with tempfile.TemporaryDirectory(dir=folder) as out:
        whole = [sys.executable, "-m", "inspyrenet", *words, "-i", f"{folder}/in{count}", "-o", f"{out}/out"]
        before, started = os.times(), time.perf_counter()
        subprocess.run([*whole, "--type", "map", "--device", "cpu"], check=True, stderr=subprocess.DEVNULL)
        seconds, after = time.perf_counter() - started, os.times()
    used = sum(getattr(after, name) - getattr(before, name) for name in ("children_user", "children_system"))
    return seconds, used


if __name__ == "__main__":
    sys.exit(main())
