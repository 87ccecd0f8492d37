"""Cut objects out: python run/Inference.py --config configs/InSPyReNet_SwinB.yaml --source photos --dest out --type rgba"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..engine.network_options import NetworkOptions
from ..interactive.options import add_prompt_options, prompt_from
from ..mending.options import HELP, Mending
from ..utils.system.paths import expanded
from .parser import Parser

if TYPE_CHECKING:
    from ..files.request import Work
    from ..remover.remover import Remover

KINDS = """\
type      rgba, map, green, white, blur, overlay, debug (levels), a color (red, #ff0000, [255,0,0]) or a background's path
"""
TYPES = KINDS + HELP
SOURCES = """\
source    a file, folder (with all below it), pattern in quotes ('photos/**/*.jpg') or camera number; videos: extra video
"""


def build_parser() -> argparse.ArgumentParser:
    """The command line; imports nothing heavy."""
    parser = Parser(
        prog="Inference.py",
        usage="%(prog)s --source PATH [option …] [Section.key=value …]",
        description=__doc__,
        epilog=TYPES + SOURCES,
    )
    add = parser.add_argument_group("files").add_argument
    add("-s", "--source", required=True, metavar="PATH", help="file, folder, pattern, or camera number")
    add("-o", "--dest", metavar="PATH", help="folder (a file for one source); default: NAME.out.png, or FOLDER.out")
    add_output_options(parser)
    add_video_options(parser)
    add_prompt_options(parser)
    NetworkOptions.add_arguments(parser)
    return parser


def add_output_options(parser: argparse.ArgumentParser, videos: bool = True) -> None:
    """What the results look like, and what is said about them. videos: the command takes them."""
    group = parser.add_argument_group("results")
    add = group.add_argument
    add("-t", "--type", default="rgba", metavar="TYPE", help="rgba (default), map, white, … (see below)")
    add("-om", "--only-mask", action="store_const", const="map", dest="type", help="the same as --type map")
    names = f"png (default), jpg, webp, tif, bmp{'; videos: mp4, webm, mov, gif, apng, …' if videos else ''}"
    add("--format", metavar="NAME", help=names)
    add("--threshold", type=float, metavar="0..1", help="hard edges: more than this is object")
    add("--reverse", action="store_true", help="take the object away, keep the rest")
    add_edges_option(group, videos)
    add("--keep-metadata", action="store_true", help="keep images' EXIF data, also author and place")
    Mending.add_arguments(parser)
    add("--overwrite", action="store_true", help="make results again that are there already")
    add("-v", "--verbose", action="store_true", help="progress bar; for each image a line with times and quality")
    parser.set_defaults(review=None)  # `inspyrenet p` alone has the option


def add_video_options(parser: argparse.ArgumentParser) -> None:
    """What only moving pictures have."""
    add = parser.add_argument_group("videos").add_argument
    what = "maps hold still from picture to picture (default)"
    add("--steady", action=argparse.BooleanOptionalAction, default=True, help=what)
    what = "fast (default): the network sees key frames alone; best: every picture"
    add("--quality", choices=("fast", "best"), default="fast", metavar="HOW", help=what)


def add_edges_option(group: argparse._ArgumentGroup, videos: bool = True) -> None:
    """How the object's own colors are found in soft edges."""
    group.add_argument(
        "--edges",
        default="auto",
        metavar="HOW",
        help=f"colors in edges: auto{' (videos: none)' if videos else ''}, multilevel, pymatting, fusion, none",
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Cut out what the command line names; the exit code: 0, or 1 where anything failed."""
    options = build_parser().parse_intermixed_args(argv)
    from .errors import reported

    with reported() as outcome:
        outcome.code = cut_out(options, options.source, options.dest)
    return outcome.code


def cut_out(options: argparse.Namespace, source: str | Sequence[str], dest: str | None) -> int:
    """The whole way for parsed options: check, load, cut out, report; the exit code."""
    from ..files.jobs import run_jobs
    from ..files.request import Request, parse_request
    from ..utils.system.allocator import freed_memory_kept

    look = (options.type, options.format, options.threshold, options.reverse)
    request = Request(
        source,
        dest,
        *look,
        overwrite=options.overwrite,
        edges=options.edges,
        keep_metadata=options.keep_metadata,
        prompt=prompt_from(options),
        review=options.review,
        mending=Mending.from_arguments(options),
        steady=options.steady,
        quality=options.quality,
        beside=files_beside(options),
    )
    work = parse_request(request)
    remover = load(options) if work.jobs or work.review else None
    if remover is not None and work.review:  # before a result is made or moved
        remover.check_quality()
    if remover is None or not work.jobs:
        return _nothing_to_do(work)
    print(f"{remover.describe()}: {work}", file=sys.stderr)
    say = (lambda line: print(line, file=sys.stderr)) if options.verbose else None
    with freed_memory_kept():
        report = run_jobs(work, remover, bar=options.verbose or sys.stderr.isatty(), say=say)
    print(report, file=sys.stderr)
    _set_aside(work)
    return report.exit_code


def files_beside(options: argparse.Namespace) -> tuple[Path, ...]:
    """The mask and the background picture, where the options name such files."""
    words = (options.type, getattr(options, "mask", None))
    return tuple(path for word in words if isinstance(word, str) and (path := expanded(word)).is_file())


def _nothing_to_do(work: "Work") -> int:
    from ..files.report import named_like_results, named_others

    print(f"nothing to do: {len(work.skipped)} there already (--overwrite makes them again)", file=sys.stderr)
    if work.like_results:
        print(named_like_results(work.like_results), file=sys.stderr)
    if work.others:
        print(named_others(work.others), file=sys.stderr)
    _set_aside(work)
    return 0


def _set_aside(work: "Work") -> None:
    """The doubtful results, where that is asked for."""
    if work.review:
        print(work.review.sort(job.target for job in work.skipped if job.kind == "image"), file=sys.stderr)


def load(options: argparse.Namespace, mode: str | None = None) -> "Remover":
    """The Remover that the options ask for; mode: in place of theirs."""
    if sys.stderr.isatty() or options.verbose:
        print("loading the network …", file=sys.stderr)  # torch alone takes seconds
    from ..remover.remover import Remover

    network = NetworkOptions.from_arguments(options)
    return Remover.from_options(network if mode is None else replace(network, mode=mode), options.edges)
