"""What the operator of a server decides: address, models, limits. Imports nothing heavy, so that --help answers at once."""

import argparse
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from ..commands.cut_out import add_edges_option
from ..commands.parser import Parser
from ..data.images.bounds import MAX_PIXELS
from ..engine.network_options import MODE_HELP, NetworkOptions

LAST_PORT = 65535

MOST_MB, MOST_SECONDS = 100_000, 86_400
EPILOG = """\
examples:
  inspyrenet s                                 the bundled model on http://127.0.0.1:7000
  inspyrenet s -m fast -m base                 two models; a request's ?mode= chooses, the first is the default
  inspyrenet s --ckpt snapshots/Quickstart     your own training
  curl -F file=@photo.jpg http://127.0.0.1:7000/api/remove -o cut.png
"""


@dataclass(frozen=True)
class Limits:
    """What one request, and all of them together, may take. Each has its status code when it is exceeded."""

    bytes: int = 20_000_000  # of the body: 413
    pixels: int = 50_000_000  # of the image: 413
    requests: int = 128  # under way at once, being sent, waiting or computed: 503
    seconds: float = 60.0  # for sending: 408; for the whole: 504
    batch: int = 8  # images that go through the network together
    decoding: float = 20.0  # seconds for decoding one image: 422


def build_parser() -> argparse.ArgumentParser:
    """The command line of `inspyrenet s`."""
    usual = Limits()
    parser = Parser(
        prog="inspyrenet s",
        usage="%(prog)s [option …]",
        description="Serve cut-outs over HTTP on this machine.",
        epilog=EPILOG,
    )
    group = parser.add_argument_group("server")
    add = group.add_argument
    add("--host", default="127.0.0.1", metavar="ADDRESS", help="address to listen on (default: this machine only)")
    add("--port", type=int, default=7000, metavar="N", help="port (default: 7000; 0: any free one)")
    add_size_options(group)
    add("--queue", type=int, default=usual.requests, metavar="N", help="requests under way at once (128)")
    add("--timeout", type=up_to(MOST_SECONDS), default=usual.seconds, metavar="SECONDS", help="for one request (60)")
    add("--batch", type=int, default=usual.batch, metavar="N", help="images through the network together (8)")
    add("-v", "--verbose", action="store_true", help="a line for each request")
    add_edges_option(group)
    network = NetworkOptions.add_arguments(parser, without=("mode", "overrides"))
    network.add_argument(
        "-m", "--mode", "-c", "--config", dest="modes", action="append", metavar="NAME",
        help=f"{MODE_HELP}; several times for several",
    )  # fmt: skip
    return parser


def add_size_options(group: argparse._ArgumentGroup) -> None:
    """--max-mb and --max-megapixels, of the server and of the demo page."""
    usual, megapixels = Limits(), up_to(MAX_PIXELS / 1e6)
    add = group.add_argument
    add("--max-mb", type=up_to(MOST_MB), default=usual.bytes / 1e6, metavar="N", help="megabytes of an upload (20)")
    add("--max-megapixels", type=megapixels, default=usual.pixels / 1e6, metavar="N", help="size of an image (50)")


def up_to(most: float) -> Callable[[str], float]:
    """The argument type of a number above 0 and up to `most`."""

    def number(word: str) -> float:
        value = float(word)  # argparse words the error
        if not 0 < value <= most:  # written so that NaN fails too
            raise argparse.ArgumentTypeError(f"a number above 0 and up to {most:g} is wanted, not {word!r}")
        return value

    return number


def read_limits(parser: argparse.ArgumentParser, options: argparse.Namespace) -> Limits:
    """The limits that the options say. Leaves with a usage message and exit code 2 on a mistake."""
    limits = Limits(
        round(options.max_mb * 1e6),
        round(options.max_megapixels * 1e6),
        options.queue,
        options.timeout,
        options.batch,
    )
    if min(limits.bytes, limits.pixels, limits.requests, limits.batch) < 1:
        parser.error("--max-mb, --max-megapixels, --queue and --batch are greater than 0")
    if not 0 <= options.port <= LAST_PORT:
        parser.error(f"--port is 0 to {LAST_PORT}, not {options.port}")
    if options.ckpt and len(options.modes or ()) > 1:
        parser.error("--ckpt belongs to one mode: give each of several modes as a checkpoint or run folder instead")
    twice = [mode for mode, count in Counter(options.modes).items() if count > 1]
    if twice:
        parser.error(f"-m {twice[0]} is given twice")
    return limits
