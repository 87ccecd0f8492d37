"""What to do with an image once its saliency map is known: pure functions on uint8 arrays.

An image is RGB (H, W, 3), a map or alpha channel is (H, W); 255 is the object. Sizes are (height, width).
"""

import operator
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from numbers import Real
from typing import TYPE_CHECKING, Any, TypeAlias

from ..data.images.bounds import bands
from ..mending.options import NOTHING, Mending
from ..utils.system.paths import expanded
from .errors import CutoutError

if TYPE_CHECKING:
    import numpy as np

    from ..data.images.decoded import DecodedImage

GREEN = (120, 255, 155)
WHITE = (255, 255, 255)
GROUND = (124, 116, 104)  # where an image is transparent: ImageNet's mean, which networks know as "nothing here"
NAMED = ("map", "rgba", "green", "white", "blur", "overlay", "debug")
CHOICES = ", ".join(NAMED) + ", a color such as red, #ff0000 or [255,0,0], or the path of a background image"
OPAQUE = ("green", "white", "color", "image", "blur", "overlay", "debug")  # three channels

Color = tuple[int, int, int]
OutputType: TypeAlias = "str | os.PathLike | Sequence[int] | np.ndarray | OutputStyle"
EdgeColors = Callable[["np.ndarray", "np.ndarray"], "np.ndarray"]  # image, alpha → image with the object's own colors


@dataclass(frozen=True)
class OutputStyle:
    """An output type that was understood: `kind` is a name of NAMED, "color" or "image". mending: what is done besides."""

    kind: str
    color: Color | None = None
    picture: "np.ndarray | None" = None  # (H, W, 3), sized to each image anew
    mending: Mending = NOTHING

    @property
    def transparent(self) -> bool:
        """The result has an alpha channel."""
        return self.kind == "rgba"

    @property
    def shows_edges(self) -> bool:
        """The object is put before another background, so that its old background shows in soft edges."""
        return self.kind in ("rgba", "green", "white", "color", "image")

    @property
    def keeps_profile(self) -> bool:
        """All colors of the result are the image's own. Beside others, which are sRGB, they have to be sRGB, too."""
        return self.kind in ("rgba", "blur")

    @property
    def plain(self) -> Color | None:
        """The one color that comes behind the object."""
        return {"green": GREEN, "white": WHITE}.get(self.kind, self.color)


def style_of(type: OutputType) -> OutputStyle:
    """An output type as people write it → OutputStyle.

    type: a name of NAMED; a color as (r, g, b) or as `color_of` takes it; a background image as a path or as an array
    (H, W, 3). Names come first: white and green are as documented, and a file called red is ./red.
    Raises CutoutError that lists the types for anything else, ImageError for a background that is no image.
    """
    if isinstance(type, OutputStyle):
        return type
    if isinstance(type, str) and type.strip().lower() in NAMED:
        return OutputStyle(type.strip().lower())
    color = color_of(type) if isinstance(type, str) else None
    if color is not None:
        return OutputStyle("color", color=color)
    if isinstance(type, str | os.PathLike):
        return _background(os.fspath(type).strip())
    if getattr(type, "ndim", 1) == 3:
        return OutputStyle("image", picture=_checked_picture(type))
    if (isinstance(type, Sequence) and not isinstance(type, bytes)) or hasattr(type, "tolist"):
        return OutputStyle("color", color=_color([*type]))
    raise CutoutError(f"unknown output type {type!r}; there is {CHOICES}")


def mended_style(style: OutputStyle, mending: Mending | None, reverse: bool) -> OutputStyle:
    """The type with what is mended. Raises CutoutError for what does not go together."""
    if mending is not None and not isinstance(mending, Mending):
        raise CutoutError(f"mending is a Mending, such as Mending(crop=5), not {mending!r}")
    if reverse and style.kind == "debug":
        raise CutoutError(
            "type debug shows what the network says, which nothing reverses: leave reverse or the type out"
        )
    if not mending:
        return style
    if style.kind == "debug":
        raise CutoutError("type debug shows what the network says, which nothing mends: take another type")
    if reverse and mending.frames:
        raise CutoutError("reverse takes the object away, and crop, size and shadow need it: leave them out")
    if mending.canvas and not (style.shows_edges or style.kind == "map"):
        raise CutoutError(
            f"size needs something behind the object, which {style.kind} has not: take rgba, map or a color"
        )
    if mending.shadow and not style.shows_edges:
        raise CutoutError(f"a shadow falls on rgba, a color or a picture, not on {style.kind}")
    return replace(style, mending=mending)


def _background(text: str) -> OutputStyle:
    path = expanded(text)
    if path.is_file():
        from ..data.images.decoded import read_decoded

        picture = read_decoded(path).srgb()
        return OutputStyle("image", picture=on_ground(picture.array, picture.alpha, WHITE))
    hint = "no such file; " if path.suffix else ""
    raise CutoutError(f"unknown output type {text!r}: {hint}there is {CHOICES}")


def color_of(text: str) -> Color | None:
    """A color as people write it: "[r,g,b]", "r,g,b", or as in CSS: red, #f00, #ff0000, hsl(0,100%,50%); None for other text.

    Raises CutoutError for numbers that make no color, and for a color that is not opaque.
    """
    text = text.strip()
    if re.fullmatch(r"[\[(]?[-+\d.\s,]+[\])]?", text) and "," in text:
        return _color(text.strip("[]() ").split(","))
    from PIL import ImageColor

    try:
        color = ImageColor.getrgb(text)
    except ValueError:
        if re.match(r"(rgb|hs[lvb])a?\(", text, re.IGNORECASE):
            example = "such as rgb(255,0,0) or hsl(0,100%,50%)"
            raise CutoutError(f"a color is opaque, with commas, {example}, not {text}") from None
        return None
    if len(color) == 4 and color[3] != 255:
        raise CutoutError(
            f"a background color is opaque, not {text}: leave its transparency out, or take the type rgba"
        )
    return _color(color[:3])


def _color(parts: Sequence) -> Color:
    try:
        values = [int(part) if isinstance(part, str) else _whole(part) for part in parts]
    except (TypeError, ValueError):
        values = []
    if len(values) != 3 or not all(0 <= value <= 255 for value in values):
        shown = ",".join(str(part).strip() for part in parts)
        raise CutoutError(f"a color is three whole numbers 0..255 such as [255,0,0], not [{shown}]")
    return values[0], values[1], values[2]


def _whole(part: Any) -> int:
    """Raises TypeError for what is no whole number: 0.5 is no color, though int would take it."""
    if isinstance(part, bool):
        raise TypeError
    return operator.index(part)


def _checked_picture(array: Any) -> "np.ndarray":
    if str(array.dtype) != "uint8" or array.shape[2] != 3 or not array.size:
        raise CutoutError(f"a background is a uint8 array (height, width, 3), not {array.dtype} {tuple(array.shape)}")
    return array


# -- alpha --------------------------------------------------------------------------------------------------------


def alpha_of(
    saliency: "np.ndarray",
    threshold: float | None = None,
    reverse: bool = False,
    opacity: "np.ndarray | None" = None,
) -> "np.ndarray":
    """Map (H, W) → alpha (H, W): cut to 0 or 255 above `threshold` (0..1), then turned round where `reverse`.

    opacity: alpha (H, W) of the image itself. The result is never above it; it is the smaller of the two and not their
    product, so that the edges of a cut-out do not become thinner when it is cut out again.

    Raises CutoutError for a threshold outside 0..1.
    """
    import numpy as np

    if threshold is not None:
        check_threshold(threshold)
        saliency = np.where(saliency > threshold * 255, np.uint8(255), np.uint8(0))
    alpha = 255 - saliency if reverse else saliency
    return alpha if opacity is None else np.minimum(alpha, opacity)


def check_threshold(threshold: float | None) -> None:
    """Raises CutoutError unless the threshold is None or a number in 0..1."""
    number = isinstance(threshold, Real) and not isinstance(threshold, bool)
    if threshold is not None and not (number and 0 <= threshold <= 1):
        raise CutoutError(f"threshold is a number between 0 and 1, not {threshold!r}")


# -- results ------------------------------------------------------------------------------------------------------


def render(
    image: "np.ndarray",
    saliency: "np.ndarray",
    type: OutputType = "rgba",
    threshold: float | None = None,
    reverse: bool = False,
    edges: EdgeColors | None = None,
    opacity: "np.ndarray | None" = None,
) -> "np.ndarray":
    """Image (H, W, 3) and map (H, W) → result of `type`: (H, W) for map, (H, W, 4) for rgba, else (H, W, 3).

    edges: finds the object's own colors in its soft edges; used where another background comes behind it.
    opacity: alpha (H, W) of the image itself, None where it is opaque; what is transparent in it stays so.
    Raises CutoutError for an unknown type, a bad threshold, or a map of another size than the image.
    """
    import numpy as np

    style = style_of(type)
    if image.shape[:2] != saliency.shape:
        raise CutoutError(f"the map is {saliency.shape} but the image {image.shape[:2]} (height, width)")
    alpha = alpha_of(saliency, threshold, reverse, opacity)
    if not style.shows_edges:
        image = on_ground(image, opacity)
    elif edges is not None:
        estimated = edges(on_ground(image, opacity), alpha)
        mixed = alpha if opacity is None else np.where(opacity == 255, alpha, 0)  # other colors are unmixed already
        image = replace_edge_colors(image, estimated, mixed)
    return _RENDERERS[style.kind](image, alpha, style)


def replace_edge_colors(image: "np.ndarray", estimated: "np.ndarray", alpha: "np.ndarray") -> "np.ndarray":
    """`estimated` colors where alpha is neither 0 nor 255, the image's own elsewhere."""
    import numpy as np

    result = np.array(image)
    for top, stop in bands(alpha.shape[1], len(alpha)):
        soft = (alpha[top:stop] > 0) & (alpha[top:stop] < 255)
        np.copyto(result[top:stop], estimated[top:stop], where=soft[..., None])
    return result


def on_ground(image: "np.ndarray", opacity: "np.ndarray | None", ground: Color = GROUND) -> "np.ndarray":
    """The image on a plain ground where it is transparent, (H, W, 3).

    For the network the ground is gray and not white, so that objects of either extreme, such as white shirts or black letters,
    stay visible.
    """
    return image if opacity is None else composite(image, ground, opacity)


def seen_by_network(image: "DecodedImage") -> "np.ndarray":
    """uint8 (H, W, 3): sRGB, as in the photographs that networks are trained with, on a plain ground.

    So a photograph has the same map in whatever profile it is stored.
    """
    return on_ground(image.srgb().array, image.alpha)


def composite(
    front: "np.ndarray | Color", behind: "np.ndarray | Color", alpha: "np.ndarray", result: "np.ndarray | None" = None
) -> "np.ndarray":
    """alpha · front + (1 − alpha) · behind, rounded to nearest; (H, W, 3). Both may be one color (3,).

    result: the array to write to, which may be `behind` itself; a new one where it is None.
    """
    import numpy as np
    from PIL import Image

    result = np.empty((*alpha.shape, 3), np.uint8) if result is None else result
    for top, stop in bands(alpha.shape[1], len(alpha)):  # for the whole, Pillow would hold three copies
        size = alpha.shape[1], stop - top
        under, over = (
            Image.new("RGB", size, one) if isinstance(one, tuple) else Image.fromarray(one[top:stop])
            for one in (behind, front)
        )
        under.paste(over, mask=Image.fromarray(alpha[top:stop]))  # a quarter of the time that NumPy takes
        result[top:stop] = np.asarray(under)
    return result


def _map(image, alpha, style):
    return alpha


def _rgba(image, alpha, style):
    import numpy as np

    result = np.empty((*alpha.shape, 4), np.uint8)
    np.multiply(image, (alpha > 0)[..., None], out=result[..., :3])  # what is removed is gone, not only hidden
    result[..., 3] = alpha
    return result


def _on_color(image, alpha, style):
    return composite(image, style.plain, alpha)


def _on_picture(image, alpha, style):
    from .background import resize_to_cover

    return composite(image, resize_to_cover(style.picture, alpha.shape), alpha)


def _blur(image, alpha, style):
    from .background import blurred_background

    behind = blurred_background(image, alpha)
    return composite(image, behind, alpha, result=behind)


def _overlay(image, alpha, style):
    return composite(GREEN, image, alpha // 2)


def _debug(image, alpha, style):
    raise CutoutError(
        "type debug needs the network's levels, not only the map: use Remover.process or run/Inference.py"
    )


_RENDERERS = {
    "map": _map,
    "rgba": _rgba,
    "green": _on_color,
    "white": _on_color,
    "color": _on_color,
    "image": _on_picture,
    "blur": _blur,
    "overlay": _overlay,
    "debug": _debug,
}
