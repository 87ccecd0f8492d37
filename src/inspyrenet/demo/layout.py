"""How the page looks: its style sheet, and what is written in HTML. Nothing is loaded from elsewhere."""

import base64
import html
from pathlib import Path
from urllib.parse import quote

from ..data.images.encode import encode
from ..quality.words import described
from ..utils.system.page_files import read_text
from .guard import FILE
from .pictures import Level, Prediction

CSS = read_text(__package__, "page.css")
EMPTY = "<p>Drop an image to see the levels that the network builds, from coarse to fine.</p>"
EXPLANATION = (
    "The network finds the object in a coarse map first. Each stage enlarges the map before it and adds detail: "
    "gray changes nothing, bright adds to the object, dark takes away."
)


def header(network: str) -> str:
    """Name, purpose, and what computes."""
    return (
        '<div id="top"><h1>inspy<b>re</b>net</h1><p>Find what catches the eye, and cut it out.</p>'
        f"<span>{html.escape(network)}</span></div>"
    )


def quality(value: float | None) -> str:
    """How good the map is likely to be; nothing where the network has no estimate."""
    return "" if value is None else f"<p>Estimated quality: <b>{described(value)}</b></p>"


def drawing(path: str) -> str:
    """The way to the editor, which opens the upload of that path by itself. The address is relative, as it holds behind a proxy."""
    address = f"editor/#..{FILE}{quote(Path(path).as_posix())}"
    return f'<p>Is a part wrong? <a href="{html.escape(address)}" target="_blank">Draw what to keep or remove</a></p>'


def pyramid(prediction: Prediction) -> str:
    """The stages as HTML: each map, and below it the detail that was added."""
    stages = "".join(f'<div class="stage">{"".join(map(_figure, stage))}</div>' for stage in prediction.stages)
    return f'<p>{EXPLANATION}</p><div class="stages">{stages}</div>'


def _figure(level: Level) -> str:
    data = base64.b64encode(encode(level.picture, "png")).decode()
    height, width = level.size
    what = "map" if level.name.startswith("S") else "added detail"
    return (
        f'<figure><img alt="{what} {level.name}" src="data:image/png;base64,{data}">'
        f"<figcaption><b>{level.name}</b> {what}, {width}×{height}</figcaption></figure>"
    )
