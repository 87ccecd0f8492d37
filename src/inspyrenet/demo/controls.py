"""What a visitor sets on the page, as a client sends it: read strictly, since a client can send anything."""

import re
from dataclasses import dataclass
from typing import Any

from ..remover.compositing import CutoutError, OutputStyle, check_threshold
from ..serve.query import named_style

TYPES = {
    "Transparent": "rgba",
    "White": "white",
    "Green": "green",
    "Color": "color",
    "Blur": "blur",
    "Overlay": "overlay",
    "Map": "map",
}
_HEX = re.compile(r"#[0-9a-fA-F]{6}")
_NUMBER = r"\s*\d{1,3}(?:\.\d{1,20})?\s*"
_RGB = re.compile(rf"rgba?\(({_NUMBER}),({_NUMBER}),({_NUMBER})(?:,{_NUMBER})?\)")


@dataclass(frozen=True)
class Wish:
    """What to make of an image whose map is known."""

    style: OutputStyle
    threshold: float | None
    reverse: bool


def read_controls(kind: Any, color: Any, threshold: Any, reverse: Any) -> Wish:
    """The values of the controls → Wish. Raises CutoutError for what the controls of the page cannot be set to."""
    if not isinstance(kind, str) or kind not in TYPES:
        raise CutoutError(f"a result is {', '.join(TYPES)}")
    if not isinstance(reverse, bool):
        raise CutoutError("keeping the background is true or false")
    check_threshold(threshold)
    return Wish(named_style(as_hex(color) if kind == "Color" else TYPES[kind]), threshold or None, reverse)


def as_hex(color: Any) -> str:
    """What a color picker sends, `#rrggbb` or `rgba(1.5, 2, 3, 1)`, as `#rrggbb`. Raises CutoutError for anything else."""
    if isinstance(color, str) and _HEX.fullmatch(color):
        return color
    match = _RGB.fullmatch(color) if isinstance(color, str) else None
    if match is None:
        raise CutoutError("a color is #rrggbb")
    return "#" + "".join(f"{min(255, round(float(part))):02x}" for part in match.groups())
