"""Look at data sets before a run: python run/Data.py check|show|split PATH"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from .parser import Parser

EPILOG = """\
PATH      a set in any layout (docs/data.md), or a folder of sets; for check several, as data/Train_Dataset data/Test_Dataset
check     layout, how the masks are coded, sizes, near-duplicates; exit code 1 where something is wrong: a bad pair, or a picture
          that two sets share
show      a contact sheet of images and masks; with --augmented also as training with this config sees them
split     train.txt and val.txt (with --test also test.txt), or for --folds K fold0_train.txt, fold0_val.txt and so on, in the
          folder of the set: Train.Dataset.sets=[SET/train.txt]. Pictures that are nearly the same stay together
"""
OWN = {  # option → the action that it belongs to
    "output": "show", "count": "show", "augmented": "show", "val": "split", "test": "split", "folds": "split", "seed": "split",
}  # fmt: skip


def build_parser() -> argparse.ArgumentParser:
    """The command line; imports nothing heavy."""
    parser = Parser(usage="%(prog)s check|show|split PATH … [option …]", description=__doc__, epilog=EPILOG)
    add = parser.add_argument_group("data").add_argument
    add("action", choices=("check", "show", "split"), help="see below")
    add("paths", nargs="+", metavar="PATH", help="data sets, and for show --augmented words such as seed=1")
    add("--overwrite", action="store_true", help="replace a sheet or lists that are there")
    add = parser.add_argument_group("show").add_argument
    add("-o", "--output", metavar="FILE", help="default: SET.png, here")
    add("--count", type=int, metavar="N", help="pairs on the sheet, evenly spread (default: 24, augmented 8)")
    add("--augmented", metavar="CONFIG", help="show each image as five epochs of training by this config do")
    add = parser.add_argument_group("split").add_argument
    add("--val", type=float, metavar="SHARE", help="of the pairs, for validation (default: 0.1)")
    add("--test", type=float, metavar="SHARE", help="of the pairs, for a test (default: none)")
    add("--folds", type=int, metavar="K", help="k-fold, in place of --val and --test")
    add("--seed", type=int, metavar="N", help="another seed, another split (default: 0)")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Do what the command line says; returns the exit code."""
    parser = build_parser()
    options = parser.parse_intermixed_args(argv)
    _check_options(parser, options)
    from .errors import reported

    with reported() as outcome:
        outcome.code = {"check": _check, "show": _show, "split": _split}[options.action](options)
    return outcome.code


def _check_options(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    for name, action in OWN.items():
        if getattr(options, name) is not None and options.action != action:
            parser.error(f"--{name} belongs to {action}, not to {options.action}")
    if options.folds is not None and (options.val is not None or options.test is not None):
        parser.error("--folds takes the place of --val and --test: give one or the other")
    if options.folds is not None and options.folds < 2:
        parser.error("--folds: at least 2")
    if options.count is not None and options.count < 1:
        parser.error("--count: at least 1")
    words = [word for word in options.paths if "=" in word and not Path(word).exists()]
    options.overrides, options.paths = words, [Path(word) for word in options.paths if word not in words]
    if words and options.augmented is None:
        parser.error(f"{words[0]}: changes a config, and none is named (show --augmented CONFIG)")
    if not options.paths:
        parser.error("say which data set")
    if options.action != "check" and len(options.paths) > 1:
        parser.error(f"{options.action} takes one PATH")


def _check(options: argparse.Namespace) -> int:
    from ..data_tools.check import check

    with _log():
        return 1 if check(options.paths) else 0


def _show(options: argparse.Namespace) -> int:
    from ..data.datasets.pairs import find_pairs, pick_evenly
    from ..data_tools.show import augmented_sheet, contact_sheet

    root, name = _one_set(options)
    output = Path(options.output or f"{Path(name).name}.png")
    if output.suffix.lower() != ".png":
        raise ValueError(f"{output}: a contact sheet's name ends in .png")
    if output.exists() and not options.overwrite:
        raise ValueError(f"{output} is there already: --overwrite replaces it")
    with _log():
        pairs = pick_evenly(find_pairs(root, [name]), options.count or (24 if options.augmented is None else 8))
    if options.augmented is None:
        contact_sheet(pairs, output)
    else:
        from ..utils.config.load import load_config

        configs = load_config(options.augmented, options.overrides)
        if len(configs) != 1:
            raise ValueError(f"{options.augmented}: one config is needed here, these words make {len(configs)}")
        augmented_sheet(pairs, configs[0], output)
    print(output)
    return 0


def _split(options: argparse.Namespace) -> int:
    from ..data_tools.split import SplitOptions, split

    root, name = _one_set(options)
    own = {"validation": options.val, "test": options.test, "folds": options.folds, "seed": options.seed}
    chosen = {key: value for key, value in own.items() if value is not None}
    with _log():
        lists = split(root, name, SplitOptions(overwrite=options.overwrite, **chosen))
    for path, count in lists.items():
        print(f"{path}: {count:,} pair{'' if count == 1 else 's'}")
    return 0


def _one_set(options: argparse.Namespace) -> tuple[Path, str]:
    from ..data.datasets.files import LayoutError
    from ..data.datasets.sets import sets_of

    found = sets_of(options.paths[0])
    if len(found) > 1:
        raise LayoutError(
            [f"{options.paths[0]}: holds {len(found)} sets; name one: {', '.join(name for _, name in found)}"]
        )
    return found[0]


def _log():
    """What is said while data are looked at, on stderr."""
    from ..utils.system.logging import run_log

    return run_log("", "data", verbose=True, to_file=False)
