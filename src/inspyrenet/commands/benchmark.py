"""Measure a network: python run/Benchmark.py --config configs/InSPyReNet_SwinB.yaml --input 1280x1920 --compare plain"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .options import build_parser, read_options
from .parser import picture_file

if TYPE_CHECKING:
    import argparse


def main(argv: Sequence[str] | None = None) -> int:
    """Measure every config that the command line names; returns the exit code."""
    from .errors import reported

    parser = _parser()
    options = read_options(parser, argv)
    for name in ("batch", "rounds"):
        if getattr(options.extra, name) < 1:
            parser.error(f"--{name} {getattr(options.extra, name)}: at least 1")
    with reported() as outcome:
        from ..engine.benchmark_table import run_all
        from .configs import load

        run_all(load(options), options)
    return outcome.code


def _parser() -> "argparse.ArgumentParser":
    parser = build_parser(__doc__)
    add = parser.add_argument
    add(
        "--work",
        nargs="+",
        choices=("inference", "train", "data", "evaluation"),
        default=["inference"],
        help="what to measure; data and evaluation on one core, against the plain way",
    )
    add("--input", nargs="+", metavar="HxW", help="sizes (default: the base size)")
    add("--precision", nargs="+", choices=("float32", "bfloat16", "float16"), default=["float32"])
    add("--compare", choices=("plain",), help="measure the plain formulation in turn, and give ratios to it")
    add("--batch", type=int, default=1, help="images per pass or step, or fed or scored in a round")
    add("--rounds", type=int, default=5, help="measurements of each variant, after one warm-up")
    add("--jit", action="store_true", help="also the compiled network")
    add("--checkpointing", action="store_true", help="training with activation checkpointing too")
    add("--denormals", action="store_true", help="also the plain formulation without flushing subnormal numbers")
    add(
        "--disc",
        action="store_true",
        help="let an untrained network find one disc, as a trained one an object in a photo",
    )
    add(
        "--processor-time",
        action="store_true",
        help="measure a network's processor time instead of the clock's: for a busy machine, with OMP_NUM_THREADS=1",
    )
    add("--no-memory", action="store_true", help="leave out peak memory, which needs a process per variant")
    add("--json", metavar="FILE", help="write all figures, with the machine that they are of")
    add("--picture", type=picture_file, metavar="FILE", help="write a picture of the time by part")
    return parser
