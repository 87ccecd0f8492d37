"""The command `inspyrenet`. Imports what a sub-command needs when it runs, so that --help answers at once."""

import argparse
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from . import __version__

if TYPE_CHECKING:
    from .commands.parser import Parser

USAGE = """\
inspyrenet IMAGE [OUTPUT]         cut the object out of an image: writes IMAGE.out.png
inspyrenet IMAGE IMAGE … [-o FOLDER]   out of several, as a shell writes them for *.jpg
inspyrenet VIDEO [OUTPUT]         out of every picture of a video (extra video), or of camera 0
inspyrenet COMMAND …              one of the commands below; inspyrenet COMMAND --help tells more

commands:
  i        one image or video; - is stdin or stdout
  p        a folder or a pattern of images and videos
  b        WIDTH HEIGHT: raw RGB pictures on stdin to raw pictures on stdout, as FFmpeg pipes them (extra video)
  batch    very many images: on several processes or machines, resumable, with a manifest
  s        serve: a web API on this machine (extra serve)
  d        download published weights, data sets, maps
  models   which models there are, and which are here
  tune     fine-tune on 20 or more pairs of your own; the start is kept where the result is not better
  train, test, eval   the experiments of run/: the same options as run/Train.py and so on
  data     check, show or split data sets, as run/Data.py does
  explain  pictures of how a network comes to its map, as run/Explain.py makes them
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


def _parser(name: str, files: str, description: str, inputs: str, output: str) -> "Parser":
    """Options that `i` and `p` share with run/Inference.py. Words without an option are files here: there are no overrides."""
    from .commands.cut_out import TYPES, add_output_options, add_video_options
    from .commands.other_tools import add_other_options
    from .commands.parser import Parser
    from .engine.network_options import NetworkOptions

    parser = Parser(
        prog=f"inspyrenet {name}",
        usage=f"%(prog)s {files} [option …]",
        description=description,
        epilog=TYPES,
    )
    add = parser.add_argument_group("files").add_argument
    add("words", nargs="*", metavar="INPUT", help=inputs)
    add("-i", "--input", action="append", default=[], metavar="INPUT", help=argparse.SUPPRESS)
    add("-o", "--output", metavar="OUTPUT", help=output)
    add_output_options(parser)
    add_video_options(parser)
    add_other_options(parser)
    NetworkOptions.add_arguments(parser, without=("overrides",))
    return parser


def _read(parser: "Parser", words: Sequence[str]) -> argparse.Namespace:
    """Parsed, `inputs` from both spellings."""
    from .commands.other_tools import check_mode

    options = parser.parse_intermixed_args(words)
    check_mode(parser, options.mode)
    options.inputs = [*options.input, *options.words]
    return options


def one_image(words: Sequence[str]) -> int:
    """inspyrenet i [INPUT …] [OUTPUT]"""
    from .interactive.options import add_prompt_options

    parser = _parser(
        "i",
        "[INPUT …] [OUTPUT]",
        "Cut the object out of one image or video, or of several.",
        "image or video file, camera number; - is stdin (default)",
        "file, or for several inputs a folder; - is stdout (default: INPUT.out.png)",
    )
    add_prompt_options(parser)
    parser.answer(["--review"], "for the results of a folder: inspyrenet p; -v tells the quality of one image")
    options = _read(parser, words)
    return _reported(lambda: _one_image(options))


def _one_image(options: argparse.Namespace) -> int:
    from .commands.cut_out import cut_out
    from .files.request import can_be_output, is_camera
    from .files.sources import JobError

    inputs, output, hint = options.inputs or ["-"], options.output, ""
    if output is None and len(inputs) == 2 and (inputs[0] == inputs[1] or can_be_output(inputs[1], options.type)):
        output = inputs.pop()
        hint = "" if inputs[0] == "-" else f" (both as inputs: inspyrenet p {inputs[0]} {output})"
    if len(inputs) > 1:
        if "-" in (*inputs, output):
            raise JobError("- is one image by itself: inspyrenet i - OUTPUT < IMAGE")
        options.overwrite = options.overwrite or output is None  # as below
        return cut_out(options, inputs, output)
    source = Path(inputs[0])
    if source.is_dir():
        raise JobError(f"{source} is a folder: inspyrenet p {source} {output or 'OUTPUT'}")
    if output not in (None, "-"):
        _check_output(source, output, options.overwrite, hint)
    if inputs[0] == "-" or output == "-":
        return _through_pipe(options, inputs[0], output)
    camera = is_camera(inputs[0])
    if not source.suffix and len(source.parts) == 1 and not source.exists() and not camera:
        raise JobError(f"{source} is neither an image nor a command; inspyrenet --help lists the commands")
    options.overwrite = options.overwrite or (output is None and not camera)  # NAME.out.png is our own
    return cut_out(options, inputs[0], output)


def _check_output(source: Path, output: str, overwrite: bool, hint: str) -> None:
    """Raises JobError where the file is there already, or where a single image's file cannot be told from a folder."""
    from .files.sources import JobError
    from .utils.system.paths import says_folder

    place = Path(output)
    if place.is_file() and not overwrite:
        raise JobError(f"{output} is there already{hint}; --overwrite replaces it")
    alone = source.is_file() or str(source) == "-"
    if alone and not (place.suffix or says_folder(output) or place.is_dir()):
        raise JobError(f"{output} has no suffix: {output}.png is a file, {output}/ is a folder")


def _through_pipe(options: argparse.Namespace, source: str, output: str | None) -> int:
    """stdin or a file → stdout or a file; nothing but the image goes to stdout."""
    from .commands.cut_out import files_beside
    from .data.images.encode import encode, write_bytes
    from .files.request import check_replaces_none, is_camera, picture_format
    from .files.sources import JobError
    from .mending.options import Mending
    from .remover.compositing import check_threshold, mended_style, style_of
    from .remover.image_types import read_upright
    from .remover.output_paths import kind_of
    from .utils.system.paths import says_folder

    if kind_of(Path(source)) == "video" or is_camera(source):
        raise JobError("videos do not go through pipes: inspyrenet VIDEO OUTPUT")
    mending = Mending.from_arguments(options)
    if mending.splits:
        raise JobError(
            f"object {mending.object} writes several files, which do not go through pipes: INPUT and OUTPUT are files"
        )
    style = mended_style(style_of(options.type), mending, options.reverse)
    check_threshold(options.threshold)
    file = None if output == "-" else output
    if file is not None and (says_folder(file) or Path(file).is_dir()):
        raise JobError(f"{file} is a folder, and what comes through a pipe has no name: name a file in it")
    form = picture_format(file, options.format, style)
    if file is not None:
        check_replaces_none(Path(file), files_beside(options))
    if source == "-" and (sys.stdin is None or sys.stdin.isatty()):
        raise JobError("no image on stdin: inspyrenet IMAGE, or inspyrenet i - < IMAGE")
    if file is None and (sys.stdout is None or sys.stdout.isatty()):
        raise JobError("the image needs a pipe or a file as stdout: inspyrenet i INPUT OUTPUT, or > FILE")
    image = read_upright(sys.stdin.buffer.read() if source == "-" else Path(source))
    from .commands.cut_out import load
    from .files.jobs import known_of, line_of
    from .interactive.options import prompt_from

    prompt = prompt_from(options)
    remover = load(options)
    print(f"{remover.describe()}: 1 image", file=sys.stderr)
    result = remover.cut(image, style, options.threshold, options.reverse, options.keep_metadata, prompt)
    if options.verbose:
        print(line_of(source, result.seconds, known_of(result)), file=sys.stderr)
    data = encode(result.array, form, result.metadata)
    if file is None:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    else:
        write_bytes(data, Path(file))
    return 0


def many_images(words: Sequence[str]) -> int:
    """inspyrenet p INPUT … [OUTPUT]"""
    from .interactive.options import FLAGS, OF_ONE_IMAGE

    parser = _parser(
        "p",
        "INPUT … [OUTPUT]",
        "Cut objects out of all images and videos in a folder (and below it), or that match a pattern in quotes.",
        "folder, pattern such as 'photos/*.jpg', or file",
        "folder (default: INPUT.out)",
    )
    review = "set doubtful results aside, into OUTPUT/review: the worst 10%%, the worst 25, or all of quality below 0.8"
    parser.add_argument("--review", metavar="WHICH", help=review)
    parser.answer(FLAGS, OF_ONE_IMAGE)
    options = _read(parser, words)
    if not options.inputs:
        parser.error("say what to cut out: inspyrenet p FOLDER [OUTPUT]")
    return _reported(lambda: _many_images(options))


def _many_images(options: argparse.Namespace) -> int:
    from .commands.cut_out import cut_out
    from .data.images.formats import KNOWN
    from .files.request import is_pattern

    inputs, output = options.inputs, options.output
    second = Path(inputs[1]) if len(inputs) == 2 else None
    is_input = second is not None and (is_pattern(inputs[1]) or (second.is_file() and second.suffix.lower() in KNOWN))
    if output is None and second and not is_input:
        output = inputs.pop()
    return cut_out(options, inputs[0] if len(inputs) == 1 else inputs, output)


def _reported(run: Callable[[], int]) -> int:
    from .commands.errors import reported

    with reported() as outcome:
        outcome.code = run()
    return outcome.code


# -- the rest -----------------------------------------------------------------------------------------------------


def serve(words: Sequence[str]) -> int:
    """inspyrenet s: the web API."""
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


def _experiment(name: str, module: str | None = None) -> Callable[[Sequence[str]], int]:
    """The command of this name, which has a script of its own as well: its help calls it as it was called."""

    def run(words: Sequence[str]) -> int:
        from .commands.parser import Parser

        Parser.program = f"inspyrenet {name}"
        try:
            return import_module(f".commands.{module or name}", __package__).main(words)
        finally:
            Parser.program = None

    return run


COMMANDS: dict[str, Callable[[Sequence[str]], int]] = {
    "i": one_image,
    "p": many_images,
    "b": _experiment("b", "stream"),
    "batch": batch,
    "s": serve,
    "d": download,
    "models": models,
    "train": _experiment("train"),
    "tune": _experiment("tune"),
    "test": _experiment("test"),
    "eval": _experiment("eval", "evaluate"),
    "data": _experiment("data"),
    "explain": _experiment("explain"),
}
