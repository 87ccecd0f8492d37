"""Images per second of `inspyrenet batch` by executor and number of workers, and what a restart after a kill does again.

    .venv/bin/python benchmarks/batch/workers.py --images data/Test_Dataset/ECSSD/images --config configs/InSPyReNet_Light.yaml \\
        --ckpt snapshots/InSPyReNet_Light --executor local ray --json benchmarks/results/batch.json

The images are links to those of a folder, as often as it takes. Results go to a temporary folder. What is in the file for
other executors stays.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import pyarrow.parquet
import torch

from inspyrenet.commands.parser import Parser
from inspyrenet.data.images.read import find_images
from inspyrenet.utils.system.timing import describe_machine


def main(argv: list[str] | None = None) -> int:
    """Prints and writes the figures; 0 when done."""
    parser = Parser(description=__doc__)
    add = parser.add_argument
    add("--images", type=Path, required=True)
    add("--count", type=int, default=2000)
    add("--config", required=True)
    add("--ckpt", required=True)
    add("--executor", nargs="+", default=["local", "ray"])
    add("--workers", nargs="+", type=int, default=[1, 2])
    add("--part", nargs="+", choices=("speed", "kill"), default=["speed", "kill"])
    add("--json", type=Path)
    options = parser.parse_args(argv)
    options.ckpt = str(Path(options.ckpt).absolute())
    report = json.loads(options.json.read_text()) if options.json and options.json.exists() else {}
    report |= {
        "machine": describe_machine(torch.device("cpu")),
        "images": options.count,
        "network": Path(options.config).stem,
    }
    with tempfile.TemporaryDirectory(prefix="batch_") as folder:
        link(options.images, Path(folder) / "in", options.count)
        for executor in options.executor:
            for workers in options.workers if "speed" in options.part else ():
                note(report, options, f"{executor}, {workers}", measure(options, Path(folder), executor, workers))
            if "kill" in options.part:
                note(
                    report, options, f"{executor}, killed", kill(options, Path(folder), executor, max(options.workers))
                )
    return 0


def note(report: dict, options: argparse.Namespace, name: str, figures: dict) -> None:
    print(name, figures, flush=True)
    report.setdefault("runs", {})[name] = figures
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def link(source: Path, folder: Path, count: int) -> None:
    """`count` links in sub-folders of a hundred."""
    images = find_images(source)
    for number in range(count):
        image = images[number % len(images)].resolve()
        place = folder / f"{number // 100:03d}" / f"{number:05d}{image.suffix}"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(image)


def command(options: argparse.Namespace, folder: Path, out: str, executor: str, workers: int) -> list[str]:
    words = [sys.executable, "-m", "inspyrenet", "batch", "--input", f"{folder}/in/**/*", "--output", f"{folder}/{out}"]
    words += ["--executor", executor, "--workers", str(workers), "--type", "map", "--device", "cpu"]
    return [*words, "--config", options.config, "--ckpt", options.ckpt]


def measure(options: argparse.Namespace, folder: Path, executor: str, workers: int) -> dict:
    """One whole run: seconds of the command, and images per second between its first and its last result."""
    started = time.time()
    subprocess.run(command(options, folder, f"{executor}{workers}", executor, workers), check=True)
    seconds = time.time() - started
    finished = pyarrow.parquet.read_table(folder / f"{executor}{workers}" / "manifest.parquet")["finished"]
    times = sorted(moment.timestamp() for moment in finished.to_pylist())
    return {
        "seconds": round(seconds, 1),
        "until_first_result": round(times[0] - started, 1),
        "images_per_second": round((len(times) - 1) / (times[-1] - times[0]), 2),
        "images_per_second_with_start": round(len(times) / seconds, 2),
    }


def kill(options: argparse.Namespace, folder: Path, executor: str, workers: int) -> dict:
    """A run that is killed half-way, and the same command again."""
    out = folder / f"{executor}_killed"
    process = subprocess.Popen(command(options, folder, out.name, executor, workers))
    while len(written(out)) < options.count // 2:
        time.sleep(0.2)
        if process.poll() is not None:
            sys.exit("error: the command ended before it was killed")
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    at_kill = len(written(out))
    time.sleep(10)  # workers end what they have at hand
    parts = list((out / "manifest.parts").glob("part-*"))
    recorded = sum(pyarrow.parquet.read_metadata(part).num_rows for part in parts)
    before = written(out)
    started = time.time()
    subprocess.run(command(options, folder, out.name, executor, workers), check=True)
    seconds = time.time() - started
    after = written(out)
    status = Counter(pyarrow.parquet.read_table(out / "manifest.parquet")["status"].to_pylist())
    return {
        "results_at_the_kill": at_kill,
        "results_when_its_workers_had_ended": len(before),
        "of_them_with_a_row": recorded,
        "made_again": sum(after[name] != before[name] for name in before),
        "made_by_the_second_run": len(after) - len(before),
        "seconds_of_the_second_run": round(seconds, 1),
        "rows": dict(status),
    }


def written(out: Path) -> dict[Path, int]:
    """Results, and when each was written."""
    return {path: path.stat().st_mtime_ns for path in out.rglob("*.png")}


if __name__ == "__main__":
    sys.exit(main())
