"""Options of rembg and backgroundremover on the command line of `inspyrenet`: taken where there is the same here, else answered."""

import argparse
from typing import Any

from .parser import Parser

ANSWERS = {  # options → what to do here
    ("-af", "--alpha-matting-foreground-threshold", "-ab", "--alpha-matting-background-threshold",
     "-ae", "--alpha-matting-erode-size", "--alpha-matting-erode-structure-size", "-az", "--alpha-matting-base-size"):
        "soft edges need no thresholds or sizes; leave it out",
    ("-ppm", "--post-process-mask"): "--clean removes specks and haze and fills pinholes, and --threshold 0.5 makes hard edges",
    ("-w", "--watch"): "no folder is watched; run the same command again, finished files are skipped",
    ("-d", "--delete_input"): "inputs are never deleted",
    ("-x", "--extras"): "own weights are given with --ckpt FILE",
    ("-bi", "--backgroundimage"): "a background image is given with -t PICTURE",
    ("-bc", "--backgroundcolor"): "a background color is given with -t, as in -t [255,0,0] or -t red",
    ("-if", "--inputfolder", "-of", "--outputfolder"): "a folder is given by inspyrenet p FOLDER OUTPUT",
    ("-mk", "--mattekey", "-tv", "--transparentvideo", "-tov", "--transparentvideooverimage"):
        "a video is given like an image, and -t says what comes out: inspyrenet clip.mp4 out.webm",
}  # fmt: skip
MODELS = (
    "u2net", "u2netp", "u2net_human_seg", "u2net_cloth_seg", "u2net_custom", "silueta", "isnet-general-use", "isnet-anime",
    "sam", "dis_custom", "ben_custom", "bria-rmbg", "birefnet-general", "birefnet-general-lite", "birefnet-portrait",
    "birefnet-dis", "birefnet-hrsod", "birefnet-cod", "birefnet-massive",
)  # fmt: skip


class _BackgroundColor(argparse.Action):
    """R G B A → the type: A is 255 for a color, 0 for a transparent background."""

    def __call__(self, parser: argparse.ArgumentParser, namespace: Any, values: Any, option: str | None = None) -> None:
        red, green, blue, alpha = values
        if not all(0 <= value <= 255 for value in values) or alpha not in (0, 255):
            parser.error(
                f"{option} is R G B A, 0 to 255 each, A 255 (a color) or 0 (transparent); there is -t [R,G,B], too"
            )
        namespace.type = "rgba" if alpha == 0 else f"[{red},{green},{blue}]"


def add_other_options(parser: Parser) -> None:
    """Hidden options; -a is what --edges does by itself."""
    add = parser.add_argument
    add("-a", "--alpha-matting", action="store_const", const="auto", dest="edges", help=argparse.SUPPRESS)
    add("-bgc", "--bgcolor", nargs=4, type=int, action=_BackgroundColor, help=argparse.SUPPRESS)
    add("--model", dest="mode", help=argparse.SUPPRESS)
    for names, answer in ANSWERS.items():
        parser.answer(names, f"an option of another tool; here {answer}")


def check_mode(parser: argparse.ArgumentParser, mode: str | None) -> None:
    """Leaves with a message where the mode is a model of rembg."""
    if mode in MODELS:
        parser.error(
            f"{mode} is a model of rembg; inspyrenet models lists those that are here, such as -m fast and -m BiRefNet"
        )
