"""Frames per second and peak memory of a video, as the command cuts it out.

    .venv/bin/python benchmarks/video.py clip.mp4 --ckpt snapshots/Quickstart --type white rgba --json benchmarks/results/video.json
    .venv/bin/python benchmarks/video.py clip.mp4 --type green --quality fast best --json benchmarks/results/video_fast.json

Without --ckpt it is the bundled model. Each type is a process of its own; the time is that of the whole command, start and weights
included.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from itertools import product
from pathlib import Path

import av
import torch

from inspyrenet.commands.parser import Parser
from inspyrenet.utils.system.timing import describe_machine


def main(argv: list[str] | None = None) -> int:
    """Prints and writes the figures; 0 when done."""
    parser = Parser(description=__doc__)
    parser.add_argument("video", type=Path, nargs="+")
    parser.add_argument("--ckpt", help="run folder or weights")
    parser.add_argument("--type", nargs="+", default=["white", "rgba"])
    parser.add_argument("--quality", nargs="+", default=["fast"])
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(argv)
    report = {"machine": describe_machine(torch.device("cpu")), "videos": []}
    for video in options.video:
        for kind, quality in product(options.type, options.quality):
            report["videos"].append(measure(video, kind, quality, options.ckpt))
            print(report["videos"][-1], flush=True)
            if options.json:
                options.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return 0


def measure(video: Path, kind: str, quality: str, ckpt: str | None) -> dict:
    """Seconds, those of the processor, too, and the largest resident memory of one command."""
    with av.open(str(video)) as container:
        stream = container.streams.video[0]
        size, frames = (stream.height, stream.width), stream.frames
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable,
            "-m",
            "inspyrenet",
            str(video),
            f"{folder}/out.{'webm' if kind == 'rgba' else 'mp4'}",
        ]
        started = time.perf_counter()
        process = subprocess.Popen([*command, "-t", kind, "--quality", quality, *(["--ckpt", ckpt] if ckpt else [])])
        _, status, used = wait(process)
        seconds = time.perf_counter() - started
    if status:
        sys.exit(f"error: the command ended with {status}")
    return {
        "size": size,
        "frames": frames,
        "type": kind,
        "quality": quality,
        "seconds": round(seconds, 2),
        "frames_per_second": round(frames / seconds, 2),
        "cpu_seconds": round(used.ru_utime + used.ru_stime, 2),
        "peak_mb": round(used.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)),
    }


def wait(process: subprocess.Popen) -> tuple[int, int, resource.struct_rusage]:
    """As os.wait4, of this process only."""
    return os.wait4(process.pid, 0)


if __name__ == "__main__":
    sys.exit(main())
