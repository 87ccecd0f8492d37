"""Fine-tune on your own pairs, and keep the start where the result is not proven better: python run/Tune.py --data my_pairs"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from .parser import Parser

EPILOG = """\
Exit code 0 whether the tuned weights are shipped or the start is kept: the last line of the output says which.
words with = change the training: Train.Optimizer.lr=5e-5; the plan chooses what they leave out
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Fine-tune, print the report; 0 when a decision was made, 130 after an interruption."""
    from .errors import reported

    options = _parser().parse_intermixed_args(argv)
    with reported() as outcome:
        outcome.code = _run(options)
    return outcome.code


def _parser() -> argparse.ArgumentParser:
    from ..engine.network_options import MODE_HELP, override

    parser = Parser(description=__doc__, epilog=EPILOG)
    add = parser.add_argument_group("fine-tuning").add_argument
    add("words", nargs="*", type=override, metavar="Section.key=value", help="overrides, see below")
    add("--data", type=Path, required=True, metavar="FOLDER", help="your pairs, 20 or more: images and masks below it")
    add(
        "--general",
        type=Path,
        nargs="+",
        default=[],
        metavar="FOLDER",
        help="sets of other pairs that must not get worse",
    )
    add("--minutes", type=_positive, default=15, help="for everything (default: 15); training is cut to it")
    add("--metric", default="wFm", metavar="NAME", help="that chooses and decides (default: wFm)")
    add("--margin", type=_positive, default=0.01, help="what general pairs may lose of it (default: 0.01)")
    add("--name", help="of the run, written to snapshots/NAME (default: that of the data, with _tuned)")
    add("--overwrite", action="store_true", help="start over where the run's folder holds one")
    add("-v", "--verbose", action="store_true", help="say what happens, with progress bars")
    add = parser.add_argument_group("network").add_argument
    add("-m", "--mode", "-c", "--config", metavar="NAME", help=MODE_HELP)
    add("--ckpt", metavar="FILE", help="weights or run folder, in place of the mode's own")
    add("--device", default="auto", metavar="NAME", help="auto (default), cpu, cuda, cuda:1, mps")
    return parser


def _positive(word: str) -> float:
    value = float(word)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"must be above 0, not {word}")
    return value


def _run(options: argparse.Namespace) -> int:
    from ..tune.report import result_text, write_result
    from ..tune.request import Request
    from ..tune.run import Interrupted, tune
    from ..utils.system.device import describe_device, resolve_device
    from ..utils.system.logging import run_log
    from ..utils.system.precision import flush_denormals

    flush_denormals()
    device = resolve_device(options.device)
    folder = Path("snapshots") / (options.name or f"{options.data.resolve().name}_tuned")
    names = ("data", "minutes", "metric", "margin", "mode", "ckpt", "overwrite", "verbose")
    given = {name: getattr(options, name) for name in names}
    named = [*map(str, options.general), *options.words]  # a word after --general FOLDER is still a word
    general = tuple(Path(word) for word in named if "=" not in word)
    overrides = tuple(word for word in named if "=" in word)
    request = Request(folder=folder, general=general, overrides=overrides, **given)
    with run_log(folder, "tune", device=describe_device(device), verbose=options.verbose):
        try:
            result = tune(request, device)
        except Interrupted as error:
            print(error, file=sys.stderr)
            return 130
        write_result(folder, result)
    print(result_text(result))
    print(f"weights: {folder}; use them with --ckpt {folder}")
    return 0
