"""The command `inspyrenet`. Imports what a sub-command needs when it runs, so that --help answers at once."""

import argparse
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.util import find_spec

from . import __version__
from .utils.system.extras import how_to_install

USAGE = """\
inspyrenet IMAGE [OUTPUT]         cut the object out of an image: writes IMAGE.out.png
inspyrenet VIDEO [OUTPUT]         out of every picture of a video (extra video), or of camera 0
inspyrenet COMMAND …              one of the commands below; inspyrenet COMMAND --help tells more

commands:
  i        one image or video; - is stdin or stdout
  p        a folder or a pattern of images and videos
  batch    very many images: on several processes or machines, resumable, with a manifest
  s        serve: a web API on this machine (extra web)
  d        download published weights, data sets, maps
  models   which models there are, and which are here
  train, test, eval   the experiments of run/: the same options as run/Train.py and so on
"""
EXAMPLES = """\
examples:
  inspyrenet photo.jpg                         photo.out.png, background transparent
  inspyrenet photo.jpg red.png -t [255,0,0]    on red
  inspyrenet i - - < photo.jpg > cut.png       through a pipe
  inspyrenet p photos cut -t white             a folder, sub-folders kept
  inspyrenet clip.mp4                          clip.out.webm, background transparent, sound kept
  inspyrenet d fast && inspyrenet photo.jpg -m fast
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; the exit code: 0, 1 where something failed, 2 for a wrong command line."""
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or words[0] in ("-h", "--help"):
        print(USAGE + "\n" + EXAMPLES, end="")
        return 0 if words else 2
    if words[0] in ("-V", "--version"):
        print(f"inspyrenet {__version__}")
        return 0
    command = COMMANDS.get(words[0])
    try:
        return command(words[1:]) if command else one_image(words)
    except BrokenPipeError:
        return 1


# -- cutting out --------------------------------------------------------------------------------------------------


def _parser(name: str, files: str, description: str) -> argparse.ArgumentParser:
    """Options that `i` and `p` share with run/Inference.py. Words without an option are files here: there are no overrides."""
    from .commands.cut_out import TYPES, add_output_options
    from .commands.parser import Parser
    from .engine.network_options import NetworkOptions

    parser = Parser(
        prog=f"inspyrenet {name}",
        usage=f"%(prog)s {files} [option …]",
        description=description,
        epilog=TYPES,
    )
    add_output_options(parser)
    NetworkOptions.add_arguments(parser, without=("overrides",))
    return parser


def one_image(words: Sequence[str]) -> int:
    """inspyrenet i [INPUT] [OUTPUT]"""
    parser = _parser("i", "[INPUT] [OUTPUT]", "Cut the object out of one image or video.")
    parser.add_argument(
        "input",
        nargs="?",
        default="-",
        metavar="INPUT",
        help="image or video file, camera number; - is stdin (default)",
    )
    parser.add_argument("output", nargs="?", metavar="OUTPUT", help="file; - is stdout (default: INPUT.out.png)")
    options = parser.parse_intermixed_args(words)
    return _reported(lambda: _one_image(options))


def _one_image(options: argparse.Namespace) -> int:
    from pathlib import Path

    from .commands.cut_out import cut_out
    from .files.request import JobError, is_camera

    source, output = Path(options.input), options.output
    if output not in (None, "-") and Path(output).is_file() and not options.overwrite:
        raise JobError(f"{output} is there already: --overwrite replaces it. (Several images: inspyrenet p FOLDER)")
    if options.input == "-" or output == "-":
        return _through_pipe(options)
    if source.is_dir():
        raise JobError(f"{source} is a folder: inspyrenet p {source} {output or 'OUTPUT'}")
    camera = is_camera(options.input)
    if not source.suffix and len(source.parts) == 1 and not source.exists() and not camera:
        raise JobError(f"{source} is neither an image nor a command; inspyrenet --help lists the commands")
    options.overwrite = options.overwrite or (output is None and not camera)  # NAME.out.png is our own
    return cut_out(options, options.input, output)


def _through_pipe(options: argparse.Namespace) -> int:
    """stdin or a file → stdout or a file; nothing but the image goes to stdout."""
    from pathlib import Path

    from .data.images.encode import check_format, encode, write_bytes
    from .files.request import JobError, is_camera
    from .remover.compositing import check_threshold, style_of
    from .remover.image_types import read_upright
    from .remover.output_paths import kind_of

    if kind_of(Path(options.input)) == "video" or is_camera(options.input):
        raise JobError("videos do not go through pipes: inspyrenet VIDEO OUTPUT")
    style = style_of(options.type)
    check_threshold(options.threshold)
    to_stdout = options.output in (None, "-")
    form = check_format(options.format or (Path(options.output).suffix if not to_stdout else "png"), style.transparent)
    if options.input == "-" and sys.stdin.isatty():
        raise JobError("no image on stdin: inspyrenet IMAGE, or inspyrenet i - < IMAGE")
    if to_stdout and sys.stdout.isatty():
        raise JobError("the image would go to the terminal: inspyrenet i INPUT OUTPUT, or > FILE")
    image = read_upright(sys.stdin.buffer.read() if options.input == "-" else Path(options.input))
    from .commands.cut_out import load

    result = load(options).cut(image, style, options.threshold, options.reverse, options.keep_metadata)
    data = encode(result.array, form, result.metadata)
    if to_stdout:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    else:
        write_bytes(data, Path(options.output))
    return 0


def many_images(words: Sequence[str]) -> int:
    """inspyrenet p INPUT [OUTPUT]"""
    parser = _parser(
        "p",
        "INPUT [OUTPUT]",
        "Cut objects out of all images and videos in a folder (and below it), or that match a pattern in quotes.",
    )
    parser.add_argument("input", metavar="INPUT", help="folder, or pattern such as 'photos/*.jpg'")
    parser.add_argument("output", nargs="?", metavar="OUTPUT", help="folder (default: INPUT.out)")
    options = parser.parse_intermixed_args(words)

    def run() -> int:
        from .commands.cut_out import cut_out

        return cut_out(options, options.input, options.output)

    return _reported(run)


def _reported(run: Callable[[], int]) -> int:
    from .commands.errors import reported

    with reported() as outcome:
        outcome.code = run()
    return outcome.code


# -- the rest -----------------------------------------------------------------------------------------------------


def serve(words: Sequence[str]) -> int:
    """inspyrenet s: the web API, where its packages are installed."""
    if find_spec(f"{__package__}.serve") is None or find_spec("fastapi") is None or find_spec("uvicorn") is None:
        print(f"error: serving needs the extra web: {how_to_install('web')}", file=sys.stderr)
        return 1
    return import_module(".serve", __package__).main(words)


def batch(words: Sequence[str]) -> int:
    """inspyrenet batch: many images on many workers, resumable."""
    return import_module(".batch.command", __package__).main(words)


def download(words: Sequence[str]) -> int:
    """inspyrenet d NAME…"""
    return import_module(".commands.fetch", __package__).main(words)


def models(words: Sequence[str]) -> int:
    """inspyrenet models"""
    return import_module(".commands.fetch", __package__).list_models(words)


def _experiment(name: str) -> Callable[[Sequence[str]], int]:
    def run(words: Sequence[str]) -> int:
        return import_module(f".commands.{name}", __package__).main(words)

    return run


COMMANDS: dict[str, Callable[[Sequence[str]], int]] = {
    "i": one_image,
    "p": many_images,
    "batch": batch,
    "s": serve,
    "d": download,
    "models": models,
    "train": _experiment("train"),
    "test": _experiment("test"),
    "eval": _experiment("evaluate"),
}
