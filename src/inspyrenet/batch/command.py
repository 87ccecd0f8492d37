"""inspyrenet batch: the command line."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from ..commands.cut_out import TYPES, add_output_options
from ..commands.errors import reported
from ..commands.parser import Parser
from ..engine.network_options import NetworkOptions
from ..interactive.options import FLAGS, OF_ONE_IMAGE
from ..mending.options import Mending

EPILOG = """\
input     a pattern in quotes ('photos/**/*.jpg'), a folder, or a list: .txt with a path in each line, .parquet with column path
s3        s3://bucket/folder stands for a folder in WHAT, FOLDER and FILE; credentials come from the environment or a profile
manifest  OUTPUT/manifest.parquet: path, output, status (done, skipped, failed), message, width, height, bytes, seconds, …
"""


def build_parser() -> Parser:
    """The command line; imports nothing heavy."""
    parser = Parser(
        prog="inspyrenet batch",
        usage="%(prog)s -i WHAT -o FOLDER [option …] [Section.key=value …]",
        description="Cut objects out of many images, on many processes or machines; the same command again goes on from there.",
        epilog=TYPES + EPILOG,
    )
    add = parser.add_argument_group("files").add_argument
    add("-i", "--input", required=True, metavar="WHAT", help="pattern in quotes, folder, or list, see below")
    add("-o", "--output", required=True, metavar="FOLDER", help="where results go; sub-folders are kept")
    add("--root", metavar="FOLDER", help="keep the structure below (default: a pattern's fixed part)")
    add("--manifest", metavar="FILE", help="default: OUTPUT/manifest.parquet")
    add("--shard-size", type=int, default=256, metavar="N", help="images after which the manifest is written (256)")
    _add_executor_options(parser)
    add_output_options(parser, videos=False)
    network = NetworkOptions.add_arguments(parser)
    network.add_argument(
        "--batch-size", type=int, metavar="N", help="images at once (default: what the network likes best)"
    )
    parser.answer(FLAGS, OF_ONE_IMAGE)
    parser.answer(["--review"], "not for batches: the column quality of the manifest tells which results are doubtful")
    return parser


def _add_executor_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("workers").add_argument
    add(
        "--executor",
        choices=("local", "ray"),
        default="local",
        metavar="NAME",
        help="local (default): this machine; ray: a cluster",
    )
    add("--workers", type=int, metavar="N", help="default: one for each GPU, else one for every four cores")
    add("--threads", type=int, metavar="N", help="processor threads of each worker (default: cores / workers)")
    add("--address", metavar="WHERE", help="a running Ray, such as HOST:6379 (default: a new one)")


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code: 0; 1 where an image failed or nothing could be done; 130 after Ctrl-C or SIGTERM."""
    options = build_parser().parse_intermixed_args(argv)
    with reported() as outcome:
        outcome.code = _run(options)
    return outcome.code


def _run(options: argparse.Namespace) -> int:
    from .job import BatchRequest, run

    parts: dict[str, Any] = {
        "network": NetworkOptions.from_arguments(options),
        "mending": Mending.from_arguments(options),
    }
    own = {one.name: getattr(options, one.name) for one in fields(BatchRequest) if one.name not in parts}
    summary = run(BatchRequest(**own, **parts))
    print(summary, file=sys.stderr)
    return summary.exit_code
