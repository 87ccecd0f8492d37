"""How a timm network is created so that it gives maps: found out by trying, since families differ in what they take.

Some take images of any size as they are, some only where an argument allows it, and some only the size that they were created
for. The trials run on the meta device, where a network has no numbers and costs a fraction of a second.
"""

import contextlib
import difflib
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import timm
import torch
from timm.layers import Format
from timm.models._features import FeatureGetterNet
from torch import Tensor

Size = tuple[int, int]
NAME = re.compile(r"\w+(\.\w+)?", re.ASCII)  # of an architecture, with the tag of its weights or without
PYRAMIDS = ([2, 4, 8, 16, 32], [4, 8, 16, 32])
FITTING = 32  # images whose size a pyramid does not take are brought to multiples of its coarsest stride


class Way(NamedTuple):
    """How a network takes images.

    arguments: of timm.create_model. strides: of its maps; one for a plain Vision Transformer.
    step: images are brought to multiples of so many pixels; 1 where it takes them as they come.
    fixed: the one (height, width) that it takes, or None.
    """

    arguments: dict[str, Any]
    strides: list[int]
    step: int = 1
    fixed: Size | None = None


def check_name(name: object) -> None:
    """Raise ValueError unless timm's own list of networks has this name.

    timm also takes addresses (hf-hub:OWNER/NAME asks the network, local-dir:FOLDER reads files), and a config that came
    with someone's weights may do neither.
    """
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise ValueError(f"encoder is a name that timm has, such as mobilenetv4_conv_small, not {name!r}")
    if not timm.is_model(name):
        close = timm.list_models(f"*{name.split('_')[0]}*")[:8]
        close = close or difflib.get_close_matches(name, timm.list_models(), n=3, cutoff=0.8)
        hint = f"; names that are close: {', '.join(close)}" if close else ""
        raise ValueError(f"timm has no encoder called {name!r}{hint}")


def find_way(name: str, size: Size, multiple: int) -> Way:
    """How the encoder takes images of about `size`, and of other sizes that are multiples of `multiple`.

    Raises ValueError where timm cannot give maps of it, or where they have other strides than the decoders need.
    """
    try:
        net = create(name, {}, device="meta")
    except Exception as error:  # families raise whatever they stumble over
        raise ValueError(f"timm cannot give maps of the encoder {name!r} ({_line(error)}): take another") from error
    strides = strides_of(net)
    if strides not in PYRAMIDS and len(strides) > 1:
        needed = "4, 8, 16, 32, or 2 to 32, or one for all"
        raise ValueError(f"encoder {name!r} has maps at strides {strides}; needed: {needed}")
    reasons = []
    for way, sizes in _ways(net, strides, size, multiple):
        try:
            net = create(name, way.arguments, len(strides) == 1, device="meta")
            misfits = [misfit for each in sizes if (misfit := _misfit(net, strides, each))]
        except Exception as error:  # one that does not take the arguments
            misfits = [_line(error)]
        if not misfits:
            return way
        reasons.append(misfits[0])
    raise ValueError(f"encoder {name!r} cannot be used ({reasons[0]}): take another, such as mobilenetv4_conv_small")


def _ways(net: Any, strides: list[int], size: Size, multiple: int) -> Iterator[tuple[Way, tuple[Size, ...]]]:
    """What may work, the best first, and the sizes that show whether it does."""
    step = strides[0] if len(strides) == 1 else FITTING
    larger, near = (size[0] + multiple, size[1] + 2 * multiple), nearest(size, step)
    settings = net.pretrained_cfg
    by_position = settings["fixed_input_size"] and len(strides) > 1  # of these, some fail with numbers alone
    for arguments in ({}, {"strict_img_size": False}, {"dynamic_img_size": True}):
        if arguments or not by_position:
            yield Way(arguments, strides), (size, larger)
            yield Way(arguments, strides, step), (near, nearest(larger, step))
    yield Way({"img_size": near}, strides, fixed=near), (near,)
    own = tuple(settings["input_size"][1:])
    yield Way({}, strides, fixed=own), (own,)


def create(
    name: str, arguments: dict[str, Any], plain: bool = False, pretrained: bool = False, device: str | None = None
) -> Any:
    """timm's network that gives maps; of a plain Vision Transformer the last one alone, after the final norm."""
    with torch.device(device) if device else contextlib.nullcontext():
        if not plain:
            return timm.create_model(name, pretrained=pretrained, features_only=True, **arguments)
        net = timm.create_model(name, pretrained=pretrained, num_classes=0, **arguments)
        last: Any = FeatureGetterNet(net, out_indices=(-1,), norm=True)
        last.pretrained_cfg = net.pretrained_cfg
        return last


def strides_of(net: Any) -> list[int]:
    """Of its maps, without one at the image's own size; one number where all are equal."""
    strides = [stride for stride in net.feature_info.reduction() if stride > 1]
    return strides[:1] if len(set(strides)) == 1 else strides


def maps_of(net: Any, image: Tensor) -> list[Tensor]:
    """(B, 3, H, W) → its maps (B, C, h, w), without one at the image's own size."""
    maps = net(image)
    if getattr(net, "output_fmt", None) == Format.NHWC:
        maps = [x.permute(0, 3, 1, 2).contiguous() for x in maps]
    return [x for x, stride in zip(maps, net.feature_info.reduction(), strict=True) if stride > 1]


def nearest(size: Size, step: int) -> Size:
    """The (height, width) of multiples of `step` nearest to this one, whose sides are at least half a step."""
    height, width = ((side + step // 2) // step * step for side in size)
    return height, width


def cells(size: Size, stride: int) -> Size:
    """Height and width of the map of this stride."""
    return -(-size[0] // stride), -(-size[1] // stride)


def _misfit(net: Any, strides: list[int], size: Size) -> str | None:
    """Why the network, on the meta device, does not give its maps of an image of this size; None where it does."""
    try:
        with torch.no_grad():
            maps = maps_of(net.eval(), torch.zeros(1, 3, *size, device="meta"))
    except Exception as error:
        return _line(error)
    channels = net.feature_info.channels()[-len(maps) :]
    due = [(1, width, *cells(size, stride)) for width, stride in zip(channels, strides, strict=True)]
    found = [tuple(x.shape) for x in maps]
    return next(
        (f"its maps are {ours}, not {theirs}" for ours, theirs in zip(found, due, strict=True) if ours != theirs), None
    )


def _line(error: Exception) -> str:
    return str(error).partition("\n")[0].rstrip(".") or type(error).__name__
