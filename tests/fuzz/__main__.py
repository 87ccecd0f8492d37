"""python -m tests.fuzz [TARGET …] --seconds 60 --seed 1 --keep failed"""

import json
import sys
from dataclasses import asdict
from pathlib import Path

from inspyrenet.commands.parser import Parser

from .fuzzer import fuzz
from .targets import TARGETS


def main() -> int:
    parser = Parser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", choices=[[], *TARGETS], metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--seconds", type=float, default=60, help="in all; the targets share them (default: 60)")
    parser.add_argument("--seed", type=int, default=0, help="another number gives other inputs (default: 0)")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="where inputs that failed are kept")
    options = parser.parse_args()
    names = options.targets or list(TARGETS)
    failed = False
    for name in names:
        outcome = fuzz(name, TARGETS[name], options.seconds / len(names), options.seed, options.keep)
        print(json.dumps(asdict(outcome)), flush=True)
        failed = failed or bool(outcome.failures)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
