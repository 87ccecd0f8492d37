"""What counts as a video: what moves, where the result can."""

import functools
from collections.abc import Callable
from pathlib import Path

from ..remover.output_paths import kind_of
from ..video.formats import ANIMATED, FORMATS

Kind = Callable[[Path], str]


def kind_for(form: str | None) -> Kind:
    """How images and videos are told apart, by the format that is asked for.

    An animated GIF, WebP or PNG is a video where that is a format of videos, and else an image, of which the first frame is taken.
    """
    if form is None or form.lower().removeprefix(".") not in FORMATS:
        return kind_of
    return functools.cache(lambda path: "video" if _moves(path) else kind_of(path))


def _moves(path: Path) -> bool:
    from ..remover.image_types import is_animated

    if path.suffix.lower() not in ANIMATED or not path.is_file():
        return False
    try:
        return is_animated(path)
    except Exception:  # decoders raise errors of any class; reading it says why
        return False
