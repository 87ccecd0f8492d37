"""What the benchmarks share that compare variants of one config: their arguments, and a file of results to go on with."""

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path

from inspyrenet.commands.parser import Parser

Row = dict[str, float]


def build_parser(description: str) -> argparse.ArgumentParser:
    """Parser with --config, --variant, --device, --json and words; a script may add its own before it parses."""
    parser = Parser(description=description.split("\n")[0])
    parser.add_argument("--config", required=True)
    parser.add_argument("--variant", nargs="+", action="append", metavar=("NAME", "WORD"), default=[])
    parser.add_argument("--device", default="auto")
    parser.add_argument("--json", type=Path, help="go on with this file")
    parser.add_argument("overrides", nargs="*", metavar="Section.key=value", help="words for every variant")
    return parser


def compare(options: argparse.Namespace, measure: Callable[[Sequence[str]], Row]) -> None:
    """Measure the config with each variant's words; every row is printed and, with --json, kept before the next begins."""
    kept = options.json is not None and options.json.is_file()
    rows = json.loads(options.json.read_text(encoding="utf-8")) if kept else {}
    for name, *words in options.variant or [["as the config says"]]:
        rows[name] = measure([*options.overrides, *words])
        print(f"{name:32} " + "  ".join(f"{key} {value:.4g}" for key, value in rows[name].items()), flush=True)
        if options.json is not None:
            options.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
