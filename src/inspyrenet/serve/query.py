"""What a request asks for. Nothing that a client writes is ever taken for a path or an address."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Query
from starlette.datastructures import QueryParams

from ..data.images.encode import FORMATS, check_format
from ..mending.options import ANCHORS, Mending
from ..remover.compositing import NAMED, CutoutError, OutputStyle, check_threshold, color_of, mended_style, style_of
from .errors import ApiError, explain

TYPES = ", ".join(NAMED) + ", or a color such as red, #ff0000 or [255,0,0]"


@dataclass(frozen=True)
class MendingQuery:
    """The query's part that is about mending, by the fields of `Mending`, which checks the values."""

    clean: Annotated[bool, Query(description="remove specks and haze, fill pinholes")] = False
    object: Annotated[str | None, Query(description="largest: no other object")] = None
    grow: Annotated[float, Query(description="pixels to move edges out")] = 0
    shrink: Annotated[float, Query(description="pixels to move edges in")] = 0
    feather: Annotated[float, Query(description="pixels to soften edges over")] = 0
    crop: Annotated[str | None, Query(description="margin around the object: 20 (pixels), or 5% (written 5%25)")] = None
    size: Annotated[str | None, Query(description="canvas that the object is scaled to fit: 1000x1000")] = None
    anchor: Annotated[str | None, Query(description=f"where on the canvas: {', '.join(ANCHORS)}")] = None
    shadow: Annotated[bool, Query(description="a soft shadow below the object")] = False


@dataclass(frozen=True)
class RequestParams:
    """What to do with an image; requests with equal parameters, whatever their format, can go through the network together."""

    mode: str
    style: OutputStyle
    threshold: float | None
    reverse: bool
    keep_metadata: bool = False


def parse_query(
    modes: Collection[str],
    pixels: int,
    mode: str | None,
    type: str,
    format: str,
    threshold: float | None,
    reverse: bool,
    keep_metadata: bool = False,
    mending: Mapping[str, Any] | None = None,
) -> tuple[RequestParams, str]:
    """The query of a request → its parameters, and the format's name. Raises ApiError (422) that says what there is.

    modes: those that are served, the default first. pixels: of the largest picture. mending: the fields of `Mending`.
    """
    chosen = next(iter(modes)) if mode is None else mode
    if chosen not in modes:
        raise ApiError(422, f"mode is {' or '.join(modes)} on this server, not {chosen[:80]!r}")
    if format.lower() not in FORMATS:
        raise ApiError(422, f"format is {', '.join(FORMATS)}, not {format[:80]!r}")
    try:
        style = mended_style(named_style(type), _mending(mending or {}, pixels), reverse)
        check_threshold(threshold)
        return RequestParams(chosen, style, threshold, reverse, keep_metadata), check_format(format, style.transparent)
    except ValueError as error:
        raise explain(error) from error


def _mending(words: Mapping[str, Any], pixels: int) -> Mending:
    mending = Mending(**words)
    if mending.splits:
        raise CutoutError("object is largest on a server: several objects are several files, which the command writes")
    if mending.canvas and mending.canvas[0] * mending.canvas[1] > pixels:
        raise CutoutError(f"size has more pixels than an image may have on this server, {pixels / 1e6:g} million")
    return mending


def check_names(given: QueryParams, known: Sequence[str]) -> None:
    """Raises ApiError (422) for a parameter that there is not, or that is given twice."""
    for name in given:
        if name not in known:
            raise ApiError(422, f"there is no parameter {name[:40]!r}; there is {', '.join(known)}")
        if len(given.getlist(name)) > 1:
            raise ApiError(422, f"the parameter {name} is given twice")


def named_style(word: str) -> OutputStyle:
    """The output type that a client writes: a name or a color, never a file. Raises CutoutError."""
    plain = word.strip().lower()
    if plain not in NAMED and color_of(plain) is None:  # `style_of` would look for a file of that name
        raise CutoutError(f"type is {TYPES}, not {word[:80]!r}")
    return style_of(plain)
