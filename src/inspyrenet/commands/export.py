"""Write a network as one file: python run/Export.py --config configs/InSPyReNet_SwinB.yaml --format onnx --dynamic"""

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..engine.network_options import NetworkOptions
from .parser import Parser

if TYPE_CHECKING:
    from ..engine.export import ExportOptions

EPILOG = """\
format    onnx: for onnxruntime and others, weights and how to prepare images inside (needs the extra export);
          torch: a torch.export program (.pt2)
sizes     with --dynamic any size that the network takes, and any batch; without, one image of --input
          (default: the Test section's size, else the base size)
parts     a folder with encoder.onnx (image → features and coarse map), decoder.onnx (these → all maps) and, where the config
          has a threshold, blending.onnx; weights that float16 can hold are stored so, the computation is in float32
config    Model.threshold=null leaves blending out
int8      a third of the file's size, and about twice as fast on CPUs that multiply 8-bit numbers (VNNI). Both files are scored
          on the held-out pairs; the one in int8 is written only where its maps are nearly as good (docs/export.md)
web       a folder for any static host: a page that cuts out in the browser with the bundled model, by itself and offline, and
          the same as an ES module; needs the npm package onnxruntime-web, of which the page takes a copy (docs/web.md)
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
    add("--output", metavar="FILE", help="default: NAME.onnx, NAME.pt2 or NAME_int8.onnx; with --parts the folder NAME")
    add("--input", metavar="HxW", help="height and width of the image; with --dynamic only one more size to check")
    add("--opset", type=int, default=20, metavar="N", help="of ONNX (default: 20)")
    add(
        "--deform",
        choices=("grid", "native"),
        default="grid",
        help="deformable convolutions as grid sampling (any runtime), or as ONNX's own (opset 19; runtimes differ)",
    )
    add("--no-check", dest="check", action="store_false", help="do not compare the file with the network")
    _add_int8(parser)
    _add_web(parser)
    NetworkOptions.add_arguments(parser, runs=False)
    return parser


def _add_int8(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("int8").add_argument
    add("--quantize", choices=("int8",), help="8-bit weights and activations; needs both folders")
    add("--calibrate", metavar="FOLDER", help="images that the ranges of values are taken from; 100 to 300 are good")
    add("--held-out", metavar="FOLDER", help="a data set (images and masks) on which float32 and int8 are compared")


def _add_web(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("page").add_argument
    add("--web", metavar="FOLDER", help="write the page that cuts out in the browser instead: see below")
    add("--runtime", metavar="FOLDER", help="of onnxruntime-web (default: in the nearest node_modules)")


def main(argv: Sequence[str] | None = None) -> int:
    """Export what the command line names; returns the exit code."""
    parser = build_parser()
    options = parser.parse_intermixed_args(argv)
    _check_int8(parser, options)
    if options.web or options.runtime:
        return _export_web(parser, options)
    from .errors import reported

    with reported() as outcome:
        from ..engine.export import check_options, export
        from ..engine.presets import resolve_model

        export_options = _export_options(options)
        check_options(export_options)
        network = NetworkOptions.from_arguments(options)
        spec = resolve_model(network.mode, network.ckpt, network.overrides)
        if options.quantize is None:
            print(export(spec, export_options))
        else:
            from pathlib import Path

            from ..int8.export import Int8Options, export_int8

            print(export_int8(spec, export_options, Int8Options(Path(options.calibrate), Path(options.held_out))))
    return outcome.code


def _check_int8(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Ends with exit code 2 where options are given that do not go together."""
    folders = {"--calibrate": options.calibrate, "--held-out": options.held_out}
    absent = [name for name, folder in folders.items() if folder is None]
    if options.quantize and absent:
        parser.error(f"--quantize {options.quantize} needs {' and '.join(absent)}")
    if not options.quantize and len(absent) < len(folders):
        given = next(name for name in folders if name not in absent)
        parser.error(f"{given} is for --quantize int8")
    if options.quantize and options.format != "onnx":
        parser.error(f"--quantize {options.quantize} writes an ONNX file: leave --format {options.format} out")
    if options.quantize and options.parts:
        parser.error(f"--quantize {options.quantize} writes one file: leave --parts out")


def _export_web(parser: argparse.ArgumentParser, options: argparse.Namespace) -> int:
    """The page's folder. Ends with exit code 2 where an option is given that does not concern it."""
    plain = vars(parser.parse_intermixed_args([]))
    others = {name for name, value in vars(options).items() if value != plain[name]} - {"web", "runtime"}
    if others or not options.web:
        parser.error("--web FOLDER writes the bundled model's page; besides it there is only --runtime FOLDER")
    from .errors import reported

    with reported() as outcome:
        from pathlib import Path

        from ..web_page.export import export_web

        print(export_web(Path(options.web), Path(options.runtime) if options.runtime else None))
    return outcome.code


def _export_options(options: argparse.Namespace) -> "ExportOptions":
    from pathlib import Path

    from ..engine.export import ExportOptions, parse_size

    size = parse_size(options.input) if options.input else None
    output = Path(options.output) if options.output else None
    return ExportOptions(
        options.format, options.dynamic, output, size, options.opset, options.check, options.deform, options.parts
    )
