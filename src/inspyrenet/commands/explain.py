"""See how a network comes to its map: python run/Explain.py photo.jpg --ckpt snapshots/InSPyReNet_SwinB"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .parser import Parser

if TYPE_CHECKING:
    from ..explain.explainer import Explainer

EPILOG = """\
INPUT     image files, folders, or patterns in quotes; words with = change the config, as Model.attention=corrected does
picture   above: the image, the maps S3 to S0 and the details U2 to U0 that the stages add. Below, for each stage: the contexts that
          it divides the coarser map into, and where in the image its attention goes to each (SICA, of the InSPyReNet family)
"""


def build_parser() -> argparse.ArgumentParser:
    """The command line; imports nothing heavy."""
    from ..engine.network_options import NetworkOptions

    parser = Parser(usage="%(prog)s INPUT … [option …]", description=__doc__, epilog=EPILOG)
    add = parser.add_argument_group("files").add_argument
    add("words", nargs="+", metavar="INPUT", help="what to look at, see below")
    add("-o", "--output", default="explained", metavar="FOLDER", help="where the pictures go (default: explained)")
    add("--overwrite", action="store_true", help="replace pictures that are there")
    group = NetworkOptions.add_arguments(parser, runs=False, without=("overrides",))
    group.add_argument("--device", default="auto", metavar="NAME", help="auto (default), cpu, cuda, cuda:1, mps, …")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Write a picture for each image; the exit code: 0, or 1 where anything failed."""
    from .errors import reported

    parser = build_parser()
    options = parser.parse_intermixed_args(argv)
    options.overrides = [word for word in options.words if "=" in word and not Path(word).exists()]
    options.words = [word for word in options.words if word not in options.overrides]
    if not options.words:
        parser.error("say which images")
    with reported() as outcome:
        outcome.code = _explain(options)
    return outcome.code


def _explain(options: argparse.Namespace) -> int:
    from ..engine.network_options import NetworkOptions
    from ..explain.explainer import Explainer
    from ..files.sources import JobError, find_all
    from ..remover.output_paths import kind_of, plan
    from ..utils.system.failures import Failures

    folder = Path(options.output)
    found = find_all(options.words, folder)
    images = [(path, one.root) for one in found for path in one.files if kind_of(path) == "image"]
    jobs = plan([path for path, _ in images], [root for _, root in images], folder) if images else []
    left = [job for job in jobs if options.overwrite or not job.target.exists()]
    if not jobs:
        raise JobError("nothing to do: no image among them")
    if not left:
        print(f"nothing to do: {len(jobs)} there already (--overwrite makes them again)", file=sys.stderr)
        return 0
    explainer = Explainer(NetworkOptions.from_arguments(options))
    print(f"{explainer.describe()}: {len(left)} image{'s' * (len(left) > 1)}", file=sys.stderr)
    failures = Failures(len(left))
    for job in left:
        with failures.noted(str(job.source)):
            _write(explainer, job.source, job.target)
            print(job.target)
    if explainer.lack:
        print(f"note: {explainer.lack}", file=sys.stderr)
    return failures.exit_code


def _write(explainer: "Explainer", source: Path, target: Path) -> None:
    from ..data.images.encode import write_picture
    from ..remover.compositing import seen_by_network
    from ..remover.image_types import read_upright

    write_picture(explainer(seen_by_network(read_upright(source))), target)
