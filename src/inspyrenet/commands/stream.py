"""Cut out raw pictures on stdin, as FFmpeg pipes them, or of a camera, and write raw pictures to stdout."""

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..engine.network_options import NetworkOptions
from ..mending.options import Mending
from .cut_out import KINDS, add_edges_option, add_video_options, load
from .errors import reported
from .parser import Parser

if TYPE_CHECKING:
    from ..remover.compositing import OutputStyle
    from ..video.source import Source

MENDING = "mending   --clean, --grow, --shrink, --feather: see docs/mending.md\n"
EXAMPLE = """\
example:
  ffmpeg -i clip.mp4 -f rawvideo -pix_fmt rgb24 - | inspyrenet b 1280 720 \\
    | ffmpeg -f rawvideo -pix_fmt rgba -s 1280x720 -r 25 -i - clip.out.mov
  inspyrenet b 640 480 --camera 0 -t blur | ffplay -f rawvideo -pixel_format rgb24 -video_size 640x480 -
"""


def build_parser() -> argparse.ArgumentParser:
    """The command line; imports nothing heavy."""
    parser = Parser(
        prog="inspyrenet b",
        usage="%(prog)s WIDTH HEIGHT [option …]",
        description=__doc__,
        epilog=EXAMPLE + KINDS + MENDING,
    )
    group = parser.add_argument_group("pictures")
    add = group.add_argument
    add("width", type=int, metavar="WIDTH", help="of each picture, in pixels")
    add("height", type=int, metavar="HEIGHT", help="of each picture, in pixels")
    add("--pixels", default="rgb24", choices=("rgb24", "rgba"), help="on stdin (default: rgb24)")
    add("--camera", type=int, metavar="NUMBER", help="pictures of a camera, the newest first, in place of stdin")
    add("-t", "--type", default="rgba", metavar="TYPE", help="rgba (default), map (gray), white (rgb24), … (see below)")
    add("-om", "--only-mask", action="store_const", const="map", dest="type", help="the same as --type map")
    add("--threshold", type=float, metavar="0..1", help="hard edges: more than this is object")
    add("--reverse", action="store_true", help="take the object away, keep the rest")
    add_edges_option(group)
    add_video_options(parser)
    Mending.add_arguments(parser)
    NetworkOptions.add_arguments(parser, without=("overrides",))
    parser.set_defaults(verbose=False)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Cut out all pictures of stdin; the exit code: 0, or 1 where anything failed."""
    options = build_parser().parse_intermixed_args(argv)
    with reported() as outcome:
        outcome.code = _stream(options)
    return outcome.code


def _stream(options: argparse.Namespace) -> int:
    from ..utils.system.allocator import freed_memory_kept
    from ..video.process import FrameOptions, cut_video, drops_of
    from ..video.raw import RawWriter
    from ..video.stopping import Stop

    edges = None if options.edges == "auto" else options.edges
    style, live = _style(options), options.camera is not None
    look = FrameOptions(style, options.threshold, options.reverse, edges, options.steady, options.quality, live=live)
    remover = load(options)
    source = _source(options)  # last: a camera that is open has to be closed, which cut_video does
    with Stop() as stop, freed_memory_kept():
        outcome = cut_video(source, RawWriter(sys.stdout.buffer), remover, look, lambda: not stop.wanted)
    drops = f"; {drops_of(outcome)}" if live else ""
    print(f"{outcome.frames} pictures of {options.width}×{options.height}{drops}", file=sys.stderr)
    if outcome.warning:
        print(f"error: {source.name} {outcome.warning}", file=sys.stderr)
    return int(outcome.warning is not None)


def _source(options: argparse.Namespace) -> "Source":
    from ..video.camera import Camera
    from ..video.raw import RawSource

    size = (options.height, options.width)
    if options.camera is not None:
        return Camera(options.camera, size=size)
    return RawSource(sys.stdin.buffer, size, options.pixels)


def _style(options: argparse.Namespace) -> "OutputStyle":
    """Raises JobError, CutoutError for what cannot be had of raw pictures."""
    from ..files.request import JobError
    from ..remover.compositing import check_threshold, mended_style, style_of

    mending = Mending.from_arguments(options)
    if alone := mending.of_images_alone():
        raise JobError(f"{', '.join(alone)}: for images alone; a stream keeps its size and its objects")
    if options.type == "debug":
        raise JobError("debug is a type of images and video files: its pictures have another size")
    if (options.camera is None and sys.stdin.isatty()) or sys.stdout.isatty():
        raise JobError("raw pictures come on stdin and go to stdout, none of which may be a terminal: see --help")
    check_threshold(options.threshold)
    return mended_style(style_of(options.type), mending, options.reverse)
