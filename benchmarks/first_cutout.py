"""The first cut-out and many of them, as commands, in turn with rembg: wall and processor seconds, memory, size of the environment.

    .venv/bin/python benchmarks/first_cutout.py --inspyrenet light/bin/inspyrenet --rembg rembg/bin/rembg \\
        --json benchmarks/results/first_cutout.json

--inspyrenet and --rembg are the commands of two environments; without --rembg only our own figures are taken. rembg's network is
to be in its folder already. The photo is given, or painted at 2160×1440: a disc with hair before a blurred scene, with grain.
The folder of many is given, or holds `--count` such pictures at five sizes. A first round, in which caches fill, is not counted.
Memory is the largest resident size of the process. ratios: rembg's figure / ours, pair by pair; above 1 is better than rembg.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter
from serve import machine

from inspyrenet.commands.parser import Parser
from inspyrenet.data.images.read import find_images
from inspyrenet.utils.system.timing import Timing, ratios

SIZE = 1440, 2160  # height and width of the photo
SIZES = (300, 400), (480, 640), (720, 1080), (1080, 1620), SIZE  # of the pictures of a folder
MB = 2**20
FIGURES = ("seconds", "cpu_seconds", "peak_mb")
STARTER = """
import json, os, sys, time
started = time.perf_counter()
process = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, 2, 1)])
_, status, used = os.wait4(process, 0)
seconds = time.perf_counter() - started
print(json.dumps([os.waitstatus_to_exitcode(status), seconds, used.ru_utime + used.ru_stime, used.ru_maxrss]))
"""


@dataclass(frozen=True)
class Tool:
    """A command, and the words for one file and for a folder, which input and output follow."""

    name: str
    command: Path
    one: tuple[str, ...]
    many: tuple[str, ...]


@dataclass(frozen=True)
class Run:
    """One process, from its start to its end."""

    seconds: float
    cpu_seconds: float
    peak_mb: float


def main(argv: list[str] | None = None) -> int:
    """Prints and writes the figures; 0 when done."""
    options = _parser().parse_args(argv)
    tools = [Tool("inspyrenet", options.inspyrenet, ("i",), ("p",))]
    if options.rembg:
        model = ("-m", options.rembg_model)
        tools.append(Tool("rembg", options.rembg, ("i", *model), ("p", *model)))
    report = {"machine": machine(), "environment_mb": {tool.name: environment_mb(tool.command) for tool in tools}}
    print(report["environment_mb"], flush=True)
    with tempfile.TemporaryDirectory(prefix="first_cutout_") as folder:
        place = Path(folder)
        photo = options.photo or painted(place / "photo.jpg", SIZE)
        pictures = options.folder or painted_folder(place / "pictures", options.count if "many" in options.part else 0)
        count = len(find_images(pictures))
        cases = {
            "help": (options.rounds, 1, lambda tool: run([tool.command, "--help"])),
            "first": (options.rounds, 1, lambda tool: cut_one(tool, photo, place)),
            "many": (options.many_rounds, count, lambda tool: cut_many(tool, pictures, count, place)),
        }
        for name in options.part:
            report[name] = in_turn(tools, *cases[name])
            print(name, json.dumps(report[name], indent=1), flush=True)
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--inspyrenet", type=Path, default=Path(sys.executable).parent / "inspyrenet", help="the command to measure")
    add("--rembg", type=Path, help="the command to compare with")
    add("--rembg-model", default="u2netp")
    add("--photo", type=Path)
    add("--folder", type=Path)
    add("--count", type=int, default=200, help="pictures of a folder that is painted")
    add("--rounds", type=int, default=5)
    add("--many-rounds", type=int, default=3)
    add("--part", nargs="+", choices=("help", "first", "many"), default=["help", "first", "many"])
    add("--json", type=Path)
    return parser


# -- measuring ----------------------------------------------------------------------------------------------------


def in_turn(tools: list[Tool], rounds: int, count: int, measure) -> dict:
    """Figures of each tool over the rounds, and ratios to the second one, pair by pair."""
    runs: dict[str, list[Run]] = {tool.name: [] for tool in tools}
    for number in range(rounds + 1):
        for tool in tools:
            found = measure(tool)
            if number:
                runs[tool.name].append(found)
    values = {
        figure: {name: [getattr(one, figure) for one in all_] for name, all_ in runs.items()} for figure in FIGURES
    }
    report = {tool.name: {figure: asdict(Timing.of(values[figure][tool.name])) for figure in FIGURES} for tool in tools}
    if count > 1:
        for name, figures in report.items():
            figures["images_per_second"] = asdict(Timing.of([count / seconds for seconds in values["seconds"][name]]))
    if len(tools) > 1:
        report["ratios"] = {figure: ratios(values[figure], tools[1].name)[tools[0].name] for figure in FIGURES}
    return report


def run(words: list[str | Path]) -> Run:
    """Leaves with the command's own words where it fails.

    A small process starts the command: Linux counts the memory of whoever starts a process as its own until it has begun.
    """
    starter = [sys.executable, "-I", "-S", "-c", STARTER, *map(str, words)]
    done = subprocess.run(starter, stdin=subprocess.DEVNULL, capture_output=True, check=True)
    code, seconds, cpu_seconds, peak = json.loads(done.stdout.splitlines()[-1])
    if code:
        sys.exit(
            f"error: {' '.join(map(str, words))} ended with {code}:\n{done.stderr.decode(errors='replace')[-2000:]}"
        )
    return Run(seconds, cpu_seconds, peak * (1 if sys.platform == "darwin" else 1024) / MB)


def cut_one(tool: Tool, photo: Path, place: Path) -> Run:
    result = place / f"{tool.name}.png"
    result.unlink(missing_ok=True)
    found = run([tool.command, *tool.one, photo, result])
    if not result.exists():
        sys.exit(f"error: {tool.name} wrote no {result}")
    return found


def cut_many(tool: Tool, pictures: Path, count: int, place: Path) -> Run:
    with tempfile.TemporaryDirectory(dir=place) as results:
        found = run([tool.command, *tool.many, pictures, results])
        written = len(list(Path(results).rglob("*.png")))
    if written != count:
        sys.exit(f"error: {tool.name} made {written} of {count} pictures")
    return found


def environment_mb(command: Path) -> float | None:
    """Size of the packages beside a command; None where there are none."""
    packages = [*command.absolute().parent.parent.glob("lib/python*/site-packages")]
    files = (path for folder in packages for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return round(sum(path.stat().st_size for path in files) / MB) if packages else None


# -- pictures -----------------------------------------------------------------------------------------------------


def painted_folder(folder: Path, count: int) -> Path:
    """As many pictures as that, at all sizes."""
    folder.mkdir()
    for number in range(count):
        painted(folder / f"{number:04d}.jpg", SIZES[number % len(SIZES)], number)
    return folder


def painted(path: Path, size: tuple[int, int], seed: int = 0) -> Path:
    """A disc with hair, sharp and textured, before a blurred scene; grain over all. As a JPEG."""
    rng = np.random.default_rng(seed)
    height, width = size
    front, behind = (cloud(rng, size, octaves) for octaves in ((4, 16, 64, 160), (3, 8)))
    mask = Image.new("L", (width, height))
    draw = ImageDraw.Draw(mask)
    center, radius = (width / 2, height / 2), height / 4
    draw.ellipse([center[0] - radius, center[1] - radius, center[0] + radius, center[1] + radius], fill=255)
    for angle, length in zip(rng.uniform(0, 2 * np.pi, 400), rng.uniform(1.0, 1.5, 400), strict=True):
        end = [center[0] + length * radius * np.cos(angle), center[1] + length * radius * np.sin(angle)]
        draw.line([*center, *end], fill=255, width=max(1, height // 400))
    share = np.asarray(mask.filter(ImageFilter.GaussianBlur(height / 900)), np.float32)[..., None] / 255
    scene = share * front + (1 - share) * behind + rng.normal(0, 4, (height, width, 1))
    Image.fromarray(scene.clip(0, 255).astype(np.uint8)).save(path, quality=92)
    return path


def cloud(rng: np.random.Generator, size: tuple[int, int], octaves: tuple[int, ...]) -> np.ndarray:
    """Random colors at so many points of a side, the coarse ones strongest: float (height, width, 3)."""
    layers = []
    for points in octaves:
        colors = Image.fromarray(rng.integers(0, 256, (points, points, 3), np.uint8))
        layers.append(np.asarray(colors.resize(size[::-1], Image.Resampling.BICUBIC), np.float32))
    weights = 1 / np.arange(1, len(layers) + 1)
    return np.tensordot(weights / weights.sum(), np.stack(layers), 1)


if __name__ == "__main__":
    sys.exit(main())
