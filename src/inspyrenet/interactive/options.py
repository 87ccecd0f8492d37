"""Prompts on the command line. Imports nothing heavy before a prompt is given."""

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .prompt import Prompt

NAMES = ("mask", "box", "keep", "remove")
FLAGS = (*(f"--{name}" for name in NAMES), "--prompt-only")
OF_ONE_IMAGE = "a prompt, which belongs to one image: inspyrenet i IMAGE --keep X,Y"  # what other commands answer


def add_prompt_options(parser: argparse.ArgumentParser) -> None:
    """--mask, --box, --keep, --remove and --prompt-only."""
    add = parser.add_argument_group(
        "prompts, for one image (--mask: or one video); positions in pixels from its upper left corner"
    ).add_argument
    add("--mask", metavar="FILE", help="a coarse mask of the object; for a video: of its first picture, as large")
    add("--box", action="append", type=_box, metavar="X,Y,W,H", help="the object lies in here; may be given again")
    add("--keep", action="append", type=_stroke, metavar="X,Y[,X,Y…]", help="object: a point, or a stroke of points")
    add("--remove", action="append", type=_stroke, metavar="X,Y[,X,Y…]", help="no object; later than every --keep")
    add("--prompt-only", action="store_true", help="start from nothing but the prompt, not from the network's own map")


def prompt_from(options: argparse.Namespace) -> "Prompt | None":
    """The prompt that parsed options hold; None where the parser has none of these options.

    Raises PromptError, ImageError for a mask that is no image, OSError.
    """
    if not getattr(options, "prompt_only", False) and all(getattr(options, name, None) is None for name in NAMES):
        return None
    from ..utils.system.paths import expanded
    from .mask_image import read_mask
    from .prompt import Prompt, Stroke

    mask = None if options.mask is None else read_mask(expanded(options.mask))
    said = [
        (points, keep) for name, keep in (("keep", True), ("remove", False)) for points in getattr(options, name) or ()
    ]
    strokes = tuple(Stroke(points, keep) for points, keep in said)
    return Prompt(mask, tuple(options.box or ()), strokes, "prompt" if options.prompt_only else "auto")


def _box(word: str) -> tuple[float, ...]:
    return tuple(_numbers(word, 4))


def _stroke(word: str) -> tuple[tuple[float, float], ...]:
    numbers = _numbers(word)
    if len(numbers) % 2:
        raise argparse.ArgumentTypeError(f"x,y pairs are wanted, not {len(numbers)} numbers: {word!r}")
    return tuple(zip(numbers[::2], numbers[1::2], strict=True))


def _numbers(word: str, count: int | None = None) -> list[float]:
    try:
        numbers = [float(part) for part in word.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"numbers with commas between them are wanted, not {word!r}") from None
    if count is not None and len(numbers) != count:
        raise argparse.ArgumentTypeError(f"{count} numbers are wanted, not {len(numbers)}: {word!r}")
    return numbers
