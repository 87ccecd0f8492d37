"""The command line of benchmarks/gpu.py, which its stages read again."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from .budget import STAGES

RESULTS = "results.jsonl"
ROOT = Path(__file__).resolve().parents[2]  # of the clone


def build_parser(description: str | None = None) -> argparse.ArgumentParser:
    """Parser of the command; --stage, --until and --since are for the processes that it starts."""
    parser = argparse.ArgumentParser(
        prog="gpu.py", description=description, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    add = parser.add_argument
    add("words", nargs="*", metavar="Section.key=value", help="change the config that is trained")
    add("--budget", type=float, default=540, metavar="SECONDS", help="for everything together (default: 540)")
    add("--out", type=Path, required=True, metavar="DIR", help="where results and weights go")
    add("--only", nargs="+", default=[], metavar="STAGE", help=f"these stages, in this order, of {', '.join(STAGES)}")
    add("--config", default="configs/InSPyReNet_Light.yaml", metavar="FILE", help="what to train")
    add("--resume", action="store_true", help="train on from what DIR holds")
    add("--device", choices=("cuda", "cpu"), default="cuda")
    add("--tiny", action="store_true", help="small sizes and small networks: a trial of the command itself")
    add("--file-mb", type=float, default=16, metavar="MB", help="largest weights file (default: 16); 8 files in all")
    for name, kind in (("--stage", str), ("--until", float), ("--since", int)):
        add(name, type=kind, help=argparse.SUPPRESS)
    return parser


def read_options(argv: Sequence[str] | None, description: str | None = None) -> argparse.Namespace:
    """Read `argv`; words with = behind --only belong to the config. Leaves with exit code 2 on a mistake."""
    parser = build_parser(description)
    options = parser.parse_intermixed_args(argv)
    options.words += [word for word in options.only if "=" in word]
    options.only = [word for word in options.only if "=" not in word] or list(STAGES)
    wrong = [word for word in options.only if word not in STAGES]
    if wrong:
        parser.error(f"--only takes {', '.join(STAGES)}, not {', '.join(wrong)}")
    if len(set(options.only)) < len(options.only):
        parser.error("--only names a stage twice")
    strange = [word for word in options.words if "=" not in word]
    if strange:
        parser.error(f"{strange[0]}: a word that changes the config looks like Train.Optimizer.lr=1e-4")
    if not options.budget > 0 or not options.file_mb > 0:
        parser.error("--budget and --file-mb must be more than 0")
    return options
