"""Write a network as one file: python run/Export.py --config configs/InSPyReNet_SwinB.yaml --format onnx --dynamic"""

import argparse
from collections.abc import Sequence

from ..engine.network_options import NetworkOptions
from .parser import Parser

EPILOG = """\
format    onnx: for onnxruntime and others, weights and how to prepare images inside (needs the extra export);
          torch: a torch.export program (.pt2)
sizes     with --dynamic any size that the network takes, and any batch; without, one image of --input
          (default: the Test section's size, else the base size)
parts     a folder with encoder.onnx (image → features and coarse map), decoder.onnx (these → all maps) and, where the config
          has a threshold, blending.onnx; weights that float16 can hold are stored so, the computation is in float32
config    Model.threshold=null leaves blending out
"""


def build_parser() -> argparse.ArgumentParser:
    """The command line; imports nothing heavy."""
    parser = Parser(
        prog="Export.py",
        usage="%(prog)s [option …] [Section.key=value …]",
        description=__doc__,
        epilog=EPILOG,
    )
    add = parser.add_argument_group("file").add_argument
    add("--format", choices=("onnx", "torch"), default="onnx", help="see below (default: onnx)")
    add("--dynamic", action="store_true", help="any size and any batch")
    add("--parts", action="store_true", help="an InSPyReNet in parts, for any size: see below")
    add("--output", metavar="FILE", help="default: NAME.onnx or NAME.pt2; with --parts the folder NAME")
    add("--input", metavar="HxW", help="height and width of the image; with --dynamic only one more size to check")
    add("--opset", type=int, default=20, metavar="N", help="of ONNX (default: 20)")
    add(
        "--deform",
        choices=("grid", "native"),
        default="grid",
        help="deformable convolutions as grid sampling (any runtime), or as ONNX's own (opset 19; runtimes differ)",
    )
    add("--no-check", dest="check", action="store_false", help="do not compare the file with the network")
    NetworkOptions.add_arguments(parser, runs=False)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Export what the command line names; returns the exit code."""
    options = build_parser().parse_intermixed_args(argv)
    from .errors import reported

    with reported() as outcome:
        from pathlib import Path

        from ..engine.export import ExportOptions, check_options, export, parse_size
        from ..engine.presets import resolve_model

        size = parse_size(options.input) if options.input else None
        output = Path(options.output) if options.output else None
        export_options = ExportOptions(
            options.format, options.dynamic, output, size, options.opset, options.check, options.deform, options.parts
        )
        check_options(export_options)
        network = NetworkOptions.from_arguments(options)
        print(export(resolve_model(network.mode, network.ckpt, network.overrides), export_options))
    return outcome.code
