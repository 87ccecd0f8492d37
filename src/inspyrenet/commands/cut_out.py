"""Cut objects out: python run/Inference.py --config configs/InSPyReNet_SwinB.yaml --source photos --dest out --type rgba"""

import argparse
import sys
from collections.abc import Sequence

EPILOG = """\
type      map, rgba, green, white, blur, overlay, debug (the network's levels), a colour such as [255,0,0] or #ff0000,
          or the path of a background image
source    a file, a folder (with everything below it), a pattern in quotes: 'photos/**/*.jpg', or a camera's number;
          images and videos (videos need the extra video)
every word that contains = changes the config: Model.alignment=corrected
"""


def build_parser() -> argparse.ArgumentParser:
    """The command line; imports nothing heavy."""
    parser = argparse.ArgumentParser(
        prog="Inference.py", description=__doc__, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("overrides", nargs="*", metavar="Section.key=value", help="overrides, see below")
    add(
        "-c",
        "--config",
        "--mode",
        metavar="NAME",
        help="YAML file, shipped config, fast, base, base-nightly, checkpoint",
    )
    add("--ckpt", metavar="FILE", help="weights or run folder, in place of the config's own")
    add("-s", "--source", required=True, metavar="PATH", help="file, folder, pattern, or camera number")
    add("--dest", metavar="PATH", help="folder (a file for one source); default: NAME.out.png, or FOLDER.out")
    add_output_options(parser)
    add_network_options(parser)
    return parser


def add_output_options(parser: argparse.ArgumentParser) -> None:
    """What the results look like."""
    add = parser.add_argument
    add("-t", "--type", default="rgba", metavar="TYPE", help="what to make, see below (default: rgba)")
    add("-om", "--only-mask", action="store_const", const="map", dest="type", help="the same as --type map")
    add("--format", metavar="NAME", help="images: png (default), jpg, webp, tif, bmp; videos: mp4, webm, mov")
    add("--threshold", type=float, metavar="0..1", help="hard edges: more than this is object")
    add("--reverse", action="store_true", help="take the object away, keep the rest")
    add(
        "--edges",
        default="auto",
        metavar="HOW",
        help="colours in soft edges: auto (videos: none), matting, fusion, none",
    )
    add("--overwrite", action="store_true", help="make results again that are there already")


def add_network_options(parser: argparse.ArgumentParser) -> None:
    """How the network runs."""
    add = parser.add_argument
    add("--device", default="auto", metavar="NAME", help="auto (default), cpu, cuda, cuda:1, mps")
    add("--gpu", action="store_const", const="cuda", dest="device", help="the same as --device cuda")
    add("--resize", choices=("static", "dynamic"), help="network input: fixed size, or aspect ratio kept and blended")
    add("--precision", metavar="NAME", help="float32, bfloat16, float16, auto")
    add("--jit", action="store_true", help="compile the network (pays off for many images)")
    add("--PM", action="store_true", help="patch merging: full resolution at bounded memory")
    add("-v", "--verbose", action="store_true", help="progress bar, and a line with times for each image")


def main(argv: Sequence[str] | None = None) -> int:
    """Cut out what the command line names; the exit code: 0, or 1 where anything failed."""
    parser = build_parser()
    options = parser.parse_intermixed_args(argv)
    wrong = [word for word in options.overrides if "=" not in word]
    if wrong:
        parser.error(f"what is {wrong[0]!r}? Images go to --source, overrides look like Model.alignment=corrected")
    from .errors import reported

    with reported() as outcome:
        outcome.code = cut_out(options, options.source, options.dest)
    return outcome.code


def cut_out(options: argparse.Namespace, source: str, dest: str | None) -> int:
    """The whole way for parsed options: check, load, cut out, report; the exit code."""
    from ..files.jobs import run_jobs
    from ..files.request import Request, parse_request
    from ..utils.system.allocator import freed_memory_kept

    look = (options.type, options.format, options.threshold, options.reverse)
    request = Request(source, dest, *look, overwrite=options.overwrite, edges=options.edges)
    work = parse_request(request)
    if not work.jobs:
        print(f"nothing to do: {len(work.skipped)} there already (--overwrite makes them again)", file=sys.stderr)
        return 0
    remover = load(options)
    print(f"{remover.describe()}: {work}", file=sys.stderr)
    say = (lambda line: print(line, file=sys.stderr)) if options.verbose else None
    with freed_memory_kept():
        report = run_jobs(work, remover, bar=options.verbose or sys.stderr.isatty(), say=say)
    print(report, file=sys.stderr)
    return report.exit_code


def load(options: argparse.Namespace):
    """The Remover that the options ask for."""
    if sys.stderr.isatty() or options.verbose:
        print("loading the network …", file=sys.stderr)  # torch alone takes seconds
    from ..remover.remover import Remover

    return Remover(
        options.config,
        options.device,
        options.ckpt,
        options.resize,
        jit=options.jit,
        patch_merging=options.PM,
        precision=options.precision,
        edges=options.edges,
        overrides=options.overrides,
    )
