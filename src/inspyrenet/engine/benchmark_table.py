"""Runs the cases of run/Benchmark.py and shows them: a table on the console, JSON on disk, a picture of time by part."""

import json
import time
from pathlib import Path
from typing import Any

import torch

from ..utils.config.load import ConfigError
from ..utils.config.schema import Config
from ..utils.system.device import resolve_device
from ..utils.system.precision import flush_denormals
from ..utils.system.timing import Timing, describe_machine
from . import build
from .benchmark import Case, count, measure_memory, measure_time, time_by_part
from .benchmark_data import measure_data
from .options import Options

DATA = ("data", "evaluation")  # work that needs no network


def run_all(configs: list[Config], options: Options) -> None:
    """Measure, print, write. Raises ConfigError for a size that cannot be read."""
    device = resolve_device(options.device)
    extra = options.extra
    if extra.picture and len(configs) * max(1, len(sizes(extra.input))) > 1:
        raise ConfigError(["--picture: shows one network at one size: name one config and one --input"])
    for file in (extra.json, extra.picture):
        if file:
            Path(file).parent.mkdir(parents=True, exist_ok=True)
    if not extra.denormals:
        flush_denormals()
    report: dict[str, Any] = {"machine": describe_machine(device), "disc": extra.disc}
    report |= {"processor_time": extra.processor_time, "networks": []}
    print(", ".join(f"{key} {value}" for key, value in report["machine"].items()))
    for config in configs:
        for size in sizes(extra.input) or [build.section(config, "Model").base_size]:
            entry: dict[str, Any] = {"config": config.name, "size": list(size), "batch": extra.batch}
            networks = [work for work in extra.work if work not in DATA]
            entry |= count(config, size) if networks and max(size) <= 1024 else {}
            for work in networks:
                entry[work] = measure(config, cases(work, size, options), device, options)
            for work in extra.work:
                if work in DATA:
                    entry[work] = measure_data(config, work, extra.batch, extra.rounds)
            report["networks"].append(entry)
            print(text(entry, extra.work))
            if extra.json:
                Path(extra.json).write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
            if extra.picture:
                draw(config, size, options, device)


def sizes(words: list[str] | None) -> list[tuple[int, int]]:
    """`1280x1920` → (1280, 1920)."""
    found = []
    for word in words or []:
        sides = word.lower().split("x")
        if len(sides) != 2 or not all(side.isdigit() for side in sides):
            raise ConfigError([f"--input {word}: a size is HEIGHTxWIDTH, such as 1280x1920"])
        found.append((int(sides[0]), int(sides[1])))
    return found


def cases(work: str, size: tuple[int, int], options: Options) -> list[Case]:
    """Variants to measure in turn; the first is what the others are compared with."""
    extra = options.extra
    base = {"work": work, "size": size, "batch": extra.batch, "disc": extra.disc and work == "inference"}
    listed = []
    if extra.compare == "plain":
        listed.append(Case(precision="float32", path="plain", **base))
    if extra.denormals:
        listed.append(Case(precision="float32", path="plain", flush=False, **base))
    for precision in extra.precision:
        listed.append(Case(precision=precision, path="fast", **base))
        if extra.jit and work == "inference":
            listed.append(Case(precision=precision, path="fast", jit=True, **base))
        if extra.checkpointing and work == "train":
            listed.append(Case(precision=precision, path="fast", checkpointing=True, **base))
    return listed


def measure(config: Config, listed: list[Case], device: torch.device, options: Options) -> dict[str, dict]:
    """Times in turn; then each variant's peak memory in a process of its own."""
    clock = time.process_time if options.extra.processor_time else time.perf_counter
    found = measure_time(config, listed, device, options.extra.rounds, clock)
    if not options.extra.no_memory:
        for case in listed:
            found[case.name]["peak_bytes"] = measure_memory(config, case, device)
    return found


def text(entry: dict[str, Any], works: list[str]) -> str:
    """One block of the console table."""
    lines = [f"\n{entry['config']} at {entry['size'][0]}×{entry['size'][1]}, batch {entry['batch']}"]
    if "macs" in entry:
        lines.append(f"{entry['parameters'] / 1e6:.2f} M parameters, {entry['macs'] / 1e9:.1f} G multiply-adds")
    for work in works:
        lines.append(
            f"{work:<34}{'median s':>9}{'min – max':>16}{'images/s':>10}{'times faster':>14}{'peak MiB':>10}{'share':>7}"
        )
        first = next(iter(entry[work].values())).get("peak_bytes")
        for name, figures in entry[work].items():
            lines.append(_row(name, figures, entry["batch"], first))
    return "\n".join(lines)


def _row(name: str, figures: dict[str, Any], batch: int, first: int | None) -> str:
    timing = Timing.of(figures["seconds"])
    faster = figures["times_faster"]
    ratio = f"{faster['median']:.2f}" if faster else ""
    peak = figures.get("peak_bytes")
    memory = f"{peak / 2**20:>10.0f}{peak / first:>7.2f}" if peak is not None and first else ""
    spread = f"{timing.fastest:.3f} – {timing.slowest:.3f}"
    return f"  {name:<32}{timing.median:>9.3f}{spread:>16}{batch / timing.median:>10.2f}{ratio:>14}{memory}"


def draw(config: Config, size: tuple[int, int], options: Options, device: torch.device) -> None:
    """Stacked bars of the time by part, plain above fast."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    paths = ["plain", "fast"] if options.extra.compare else ["fast"]
    parts = {
        path: time_by_part(
            config, Case("inference", size, options.extra.precision[0], path, options.extra.batch), device
        )
        for path in paths
    }
    figure, axes = pyplot.subplots(figsize=(9, 1 + 0.6 * len(paths)), layout="constrained")
    for part in dict.fromkeys(name for path in paths for name in parts[path]):
        left = [sum(list(parts[p].values())[: list(parts[p]).index(part)]) if part in parts[p] else 0 for p in paths]
        axes.barh(paths, [parts[path].get(part, 0.0) for path in paths], left=left, label=part)
    axes.invert_yaxis()
    axes.set_xlabel(f"seconds, {config.name} at {size[0]}×{size[1]}")
    axes.legend(ncols=4, fontsize="small")
    figure.savefig(options.extra.picture, dpi=120)
    pyplot.close(figure)
