"""The options that Train, Test, Eval and Expr share.

Imports nothing heavy, so that `--help` answers at once.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from ..engine.options import Options
from .parser import Parser

OVERRIDES = """\
every word that contains = changes the config:
  Train.Optimizer.lr=1e-5            one value
  Train.Optimizer.lr=1e-5,3e-5       a grid: one run for each value (brackets protect commas: Model.base_size=[384,384])
"""


def build_parser(description: str, config_required: bool = True) -> argparse.ArgumentParser:
    """Parser with the shared options; a script may add its own before `read_options`."""
    parser = Parser(
        description=description,
        epilog=OVERRIDES,
    )
    add = parser.add_argument_group("experiment").add_argument
    add("words", nargs="*", metavar="Section.key=value", help="overrides, see below")
    add("-c", "--config", nargs="+", action="extend", default=[], metavar="FILE", help="YAML file, one or more")
    add("-r", "--resume", action="store_true", help="go on from the newest checkpoint")
    add("-v", "--verbose", action="store_true", help="say what happens, with progress bars")
    add("-d", "--debug", action="store_true", help="write pictures of the intermediate results")
    add("--device", default="auto", metavar="NAME", help="auto (default), cpu, cuda, cuda:1, mps")
    parser.set_defaults(config_required=config_required)
    return parser


def read_options(parser: argparse.ArgumentParser, argv: Sequence[str] | None = None) -> Options:
    """Read `argv` (default: the command line). Leaves with a usage message and exit code 2 on a mistake."""
    known = vars(parser.parse_intermixed_args(argv))
    words = [*known.pop("config"), *known.pop("words")]
    config = tuple(word for word in words if "=" not in word)
    if not config and known.pop("config_required", True):
        parser.error("say which experiment: --config configs/InSPyReNet_SwinB.yaml")
    known.pop("config_required", None)
    overrides = tuple(word for word in words if "=" in word)
    shared = {name: known.pop(name) for name in ("resume", "verbose", "debug", "device")}
    return Options(config=config, overrides=overrides, **shared, extra=argparse.Namespace(**known))


def check_clone(script: str) -> None:
    """Leave with a message where `script` (its `__file__`) would run another copy of the package than its own clone.

    That happens after a plain `pip install .`: edits in the clone would then have no effect.
    """
    package = Path(__file__).resolve().parents[1]
    folder = Path(script).resolve().parent
    if package not in (root / "src" / "inspyrenet" for root in (folder, folder.parent)):
        raise SystemExit(f"{script} would run the copy of inspyrenet in {package}: run ./install.sh in this clone")
