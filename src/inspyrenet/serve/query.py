"""What a request asks for. Nothing that a client writes is ever taken for a path or an address."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from starlette.datastructures import QueryParams

from ..data.images.encode import FORMATS, check_format
from ..remover.compositing import NAMED, CutoutError, OutputStyle, check_threshold, color_of, style_of
from .errors import ApiError, explain

TYPES = ", ".join(NAMED) + ", or a color such as red, #ff0000 or [255,0,0]"


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
    mode: str | None,
    type: str,
    format: str,
    threshold: float | None,
    reverse: bool,
    keep_metadata: bool = False,
) -> tuple[RequestParams, str]:
    """The query of a request → its parameters, and the format's name. Raises ApiError (422) that says what there is.

    modes: those that are served, the default first.
    """
    chosen = next(iter(modes)) if mode is None else mode
    if chosen not in modes:
        raise ApiError(422, f"mode is {' or '.join(modes)} on this server, not {chosen[:80]!r}")
    if format.lower() not in FORMATS:
        raise ApiError(422, f"format is {', '.join(FORMATS)}, not {format[:80]!r}")
    try:
        style = named_style(type)
        check_threshold(threshold)
        return RequestParams(chosen, style, threshold, reverse, keep_metadata), check_format(format, style.transparent)
    except ValueError as error:
        raise explain(error) from error


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
