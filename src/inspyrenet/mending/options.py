"""How maps are mended and cut-outs framed: the options of every front end. Imports nothing heavy."""

import argparse
import math
import operator
import re
from dataclasses import dataclass, field, fields
from numbers import Integral, Real
from typing import Any, Literal, cast

from ..data.images.bounds import size_problem
from ..remover.errors import CutoutError

MOST_REACH = 100  # pixels that edges move, or are softened over
MOST_OBJECTS = 50
MOST_MARGIN = 10_000  # pixels
CENTER = "center"
ANCHORS = {  # where on the canvas: shares of the free space to the left and above
    CENTER: (0.5, 0.5),
    "top": (0.5, 0.0),
    "bottom": (0.5, 1.0),
    "left": (0.0, 0.5),
    "right": (1.0, 0.5),
    "top-left": (0.0, 0.0),
    "top-right": (1.0, 0.0),
    "bottom-left": (0.0, 1.0),
    "bottom-right": (1.0, 1.0),
}
HELP = """\
mending   --clean, --grow, --shrink, --feather, --object, --crop, --size, --anchor, --shadow: see docs/mending.md
"""

Size = tuple[int, int]


def _option(**words: Any) -> dict[str, Any]:
    return {"words": {"help": argparse.SUPPRESS, **words}}


@dataclass(frozen=True)
class Mending:
    """What is done to a map and its cut-out, in this order; nothing, unless it is asked for.

    clean: remove specks and haze and fill pinholes, see `cleaning.cleaned`. (Here a threshold cuts.)
    object: "largest" alone; "all", each by itself as well; N: the N largest, each by itself as well.
    grow, shrink: move edges by so many pixels of the image, 0..100; one of the two. feather: soften them over so many pixels.
    crop: cut to the object and a margin, in pixels of the image (20) or in percent of the longer side of its box ("5%"); True: 0.
    size: (width, height) or "1000x1000"; the cropped object is scaled to fit, onto a canvas of that size. It brings crop along.
    anchor: where on the canvas, one of ANCHORS. shadow: a soft shadow below the object.

    Raises CutoutError for a value that there is not.
    """

    clean: bool = field(default=False, metadata=_option(action="store_true"))
    object: Literal["largest", "all"] | int | None = field(default=None, metadata=_option(metavar="largest|all|N"))
    grow: float = field(default=0, metadata=_option(type=float, metavar="PX"))
    shrink: float = field(default=0, metadata=_option(type=float, metavar="PX"))
    feather: float = field(default=0, metadata=_option(type=float, metavar="PX"))
    crop: float | str | bool | None = field(default=None, metadata=_option(nargs="?", const="0", metavar="MARGIN"))
    size: Size | str | None = field(default=None, metadata=_option(metavar="WxH"))
    anchor: str | None = field(default=None, metadata=_option(metavar="WHERE"))
    shadow: bool = field(default=False, metadata=_option(action="store_true"))

    def __post_init__(self) -> None:
        for name in ("clean", "shadow"):
            if not isinstance(getattr(self, name), bool):
                raise CutoutError(f"{name} is true or false, not {getattr(self, name)!r}")
        for name in ("grow", "shrink", "feather"):
            object.__setattr__(self, name, _reach(name, getattr(self, name)))
        if self.grow and self.shrink:
            raise CutoutError("grow and shrink are opposites: give one of them")
        object.__setattr__(self, "object", _objects(self.object))
        object.__setattr__(self, "size", _size(self.size))
        implied = (self.crop is None or self.crop is False) and self.size is not None
        object.__setattr__(self, "crop", _margin(0 if implied else self.crop))
        if self.anchor is not None and self.size is None:
            raise CutoutError("anchor says where on the canvas the object stands: it needs size")
        if self.anchor is not None and not (isinstance(self.anchor, str) and self.anchor in ANCHORS):
            raise CutoutError(f"anchor is {', '.join(ANCHORS)}, not {self.anchor!r}")

    def __bool__(self) -> bool:
        """Anything is to be done."""
        return self != NOTHING

    @property
    def splits(self) -> bool:
        """Each object becomes a result of its own, too."""
        return self.object == "all" or (isinstance(self.object, int) and self.object > 1)

    @property
    def most(self) -> int:
        """How many objects are kept."""
        return self.object if isinstance(self.object, int) else {"largest": 1}.get(str(self.object), MOST_OBJECTS)

    @property
    def canvas(self) -> Size | None:
        """Width and height of the result, where they are given."""
        return cast(Size | None, self.size)

    @property
    def frames(self) -> bool:
        """The result has another size than the image, or more in it than the object."""
        return self.crop is not None or self.shadow

    def of_images_alone(self) -> list[str]:
        """What is asked for that a video cannot have, since all of its pictures have one size and one file."""
        return [name for name in ("object", "crop", "size", "shadow") if getattr(self, name) not in (None, False)]

    def margin(self, longer: int) -> float:
        """In pixels, for a box with that longer side."""
        text = str(self.crop)
        return float(text[:-1]) / 100 * longer if text.endswith("%") else float(text)

    def words(self) -> dict[str, Any]:
        """What differs from nothing, in words and numbers that a file gives back as they are."""
        values = vars(self) | ({"size": "{}x{}".format(*self.canvas)} if self.canvas else {})
        return {one.name: values[one.name] for one in fields(self) if values[one.name] != one.default}

    @classmethod
    def add_arguments(cls, parser: argparse.ArgumentParser) -> None:
        """Add --clean and so on, which HELP shows together."""
        group = parser.add_argument_group("mending")
        for one in fields(cls):
            group.add_argument(f"--{one.name}", default=one.default, **one.metadata["words"])

    @classmethod
    def from_arguments(cls, arguments: argparse.Namespace) -> "Mending":
        """What the command line says. Raises CutoutError."""
        return cls(**{one.name: getattr(arguments, one.name) for one in fields(cls)})


def _reach(name: str, value: Any) -> float:
    number = isinstance(value, Real) and not isinstance(value, bool)
    if not (number and 0 <= value <= MOST_REACH):  # written so that NaN fails too
        raise CutoutError(f"{name} is a number of pixels from 0 to {MOST_REACH}, not {value!r}")
    return int(value) if isinstance(value, Integral) else float(value)


def _objects(value: Any) -> Any:
    if isinstance(value, str) and value.strip().isdecimal():
        value = int(value)
    if value is None or (isinstance(value, str) and value in ("largest", "all")):
        return value
    if isinstance(value, Integral) and not isinstance(value, bool) and 1 <= int(value) <= MOST_OBJECTS:
        return "largest" if value == 1 else int(value)
    raise CutoutError(f"object is largest, all, or how many from 1 to {MOST_OBJECTS}, not {value!r}")


def _margin(value: Any) -> str | None:
    """Written out, so that 5, 5.0 and "5" are the same."""
    if value is None or value is False:
        return None
    text = "0" if value is True else str(value).strip()
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(%?)", text)
    number = float(match[1]) if match else math.nan
    if match and number <= (100 if match[2] else MOST_MARGIN):
        return f"{number:g}{match[2]}"
    raise CutoutError(
        f"the margin of crop is 0 to {MOST_MARGIN} pixels or 0% to 100%, not {text!r}; without one, write crop at the end"
    )


def _size(value: Any) -> Size | None:
    if value is None:
        return None
    match = re.fullmatch(r"\s*(\d{1,9})\s*[xX×]\s*(\d{1,9})\s*", value) if isinstance(value, str) else None
    try:
        width, height = map(int, match.groups()) if match else map(operator.index, value)
    except (TypeError, ValueError):
        width = height = 0
    if min(width, height) < 1:
        raise CutoutError(f"size is width x height in pixels, such as 1000x1000, not {value!r}")
    problem = size_problem(width, height)
    if problem:
        raise CutoutError(f"size: {problem.partition(';')[0]}")
    return width, height


NOTHING = Mending()
