"""inspyrenet batch: the command line."""

import argparse
import sys
from collections.abc import Sequence

from ..commands.cut_out import add_network_options, add_output_options
from ..commands.errors import reported

EPILOG = """\
input     a pattern in quotes ('photos/**/*.jpg'), a folder with everything below it, or a list: .txt with a path in each
          line, .parquet with a column path (a manifest is one)
resume    the same command again: results that are there are left out, failed images are tried again
manifest  OUTPUT/manifest.parquet: path, output, status (done, skipped, failed), message, width, height, bytes, seconds, …
"""


def build_parser() -> argparse.ArgumentParser:
    """The command line; imports nothing heavy."""
    parser = argparse.ArgumentParser(
        prog="inspyrenet batch",
        description="Cut objects out of many images, on many processes or machines; what is done is never done again.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("overrides", nargs="*", metavar="Section.key=value", help="change the config: Model.alignment=corrected")
    add("-i", "--input", required=True, metavar="WHAT", help="pattern in quotes, folder, or list, see below")
    add("-o", "--output", required=True, metavar="FOLDER", help="where results go; sub-folders are kept")
    add("--root", metavar="FOLDER", help="keep the structure below this folder (default: a pattern's fixed part)")
    add("--manifest", metavar="FILE", help="default: OUTPUT/manifest.parquet")
    add(
        "--shard-size", type=int, default=256, metavar="N", help="images of which the manifest is written at once (256)"
    )
    _add_engine_options(parser)
    add(
        "-m", "--mode", "-c", "--config", dest="config", metavar="NAME",
        help="fast, base, base-nightly, a config or a checkpoint (default: the bundled model)",
    )  # fmt: skip
    add("--ckpt", metavar="FILE", help="weights or run folder, in place of the mode's own")
    add_output_options(parser)
    add_network_options(parser)
    add("--batch-size", type=int, metavar="N", help="images in one pass of the network (default: 1, on a GPU 8)")
    return parser


def _add_engine_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--engine", choices=("local", "ray"), default="local", help="processes of this machine, or Ray (extra cluster)")
    add("--workers", type=int, metavar="N", help="default: one for each GPU, else one for every four cores")
    add("--threads", type=int, metavar="N", help="processor threads of each worker (default: cores / workers)")
    add(
        "--address", metavar="WHERE", help="a running Ray: auto, HOST:6379, ray://HOST:10001 (default: starts one here)"
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code: 0; 1 where an image failed or nothing could be done; 130 after Ctrl-C or SIGTERM."""
    parser = build_parser()
    options = parser.parse_intermixed_args(argv)
    wrong = [word for word in options.overrides if "=" not in word]
    if wrong:
        parser.error(
            f"what is {wrong[0]!r}? Images go to --input (a pattern in quotes), overrides look like Model.depth=32"
        )
    with reported() as outcome:
        outcome.code = _run(options)
    return outcome.code


def _run(options: argparse.Namespace) -> int:
    from .job import BatchRequest, run

    given = vars(options)
    given["overrides"] = tuple(given["overrides"])
    given["patch_merging"] = given.pop("PM")
    summary = run(BatchRequest(**given))
    print(summary, file=sys.stderr)
    return summary.exit_code
