"""A page to try a network on one's own images: python run/Demo.py, then open http://127.0.0.1:7860"""

import argparse
import os
import tempfile
from collections.abc import Sequence

from ..commands.cut_out import add_edges_option
from ..commands.parser import Parser
from ..engine.network_options import NetworkOptions
from ..serve.settings import add_size_options

EPILOG = """\
examples:
  python run/Demo.py                                the bundled model
  python run/Demo.py --mode fast                    published weights, once inspyrenet d fast has fetched them
  python run/Demo.py --ckpt snapshots/Quickstart    your own training
"""


def build_parser() -> argparse.ArgumentParser:
    """The command line; imports nothing heavy."""
    parser = Parser(
        prog="Demo.py",
        usage="%(prog)s [option …] [Section.key=value …]",
        description=__doc__,
        epilog=EPILOG,
    )
    group = parser.add_argument_group("page")
    add = group.add_argument
    add("--host", default="127.0.0.1", metavar="ADDRESS", help="address to listen on (default: this machine only)")
    add("--port", type=int, default=7860, metavar="N", help="port (default: 7860)")
    add_size_options(group)
    add("--open", action="store_true", help="open the page in the browser")
    add("-v", "--verbose", action="store_true", help="say when the network is being loaded")
    add_edges_option(group)
    NetworkOptions.add_arguments(parser)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Show the page until Ctrl-C or SIGTERM; the exit code: 0, or 1 where it could not start."""
    options = build_parser().parse_intermixed_args(argv)
    from ..commands.errors import reported

    with reported() as outcome, tempfile.TemporaryDirectory(prefix="inspyrenet-page-") as folder:
        # gradio reads these when it is imported: nothing is reported to anyone, and no upload outlives the page
        os.environ.update(
            GRADIO_ANALYTICS_ENABLED="False", HF_HUB_DISABLE_TELEMETRY="1", HF_HUB_OFFLINE="1", GRADIO_TEMP_DIR=folder
        )
        from .serving import show

        show(options, folder)
    return outcome.code
