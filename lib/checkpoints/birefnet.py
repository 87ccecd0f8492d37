"""Published BiRefNet weights: their names, the order of their tiles, and what a file is.

Published names differ from ours in one prefix, bb. for backbone. The order in which a file expects the tiles of the image
cannot be seen in it (shapes are the same), so it is kept here by file name.
"""

import logging
import re
from collections.abc import Mapping
from pathlib import PurePath

from torch import Tensor, nn

from ..modules.space_to_depth import ORDERS, to_channel_major, to_column_major

LOG = logging.getLogger(__name__)
READERS = tuple(f"decoder.ipt_blk{i}.conv1.weight" for i in (5, 4, 3, 2))  # the convolutions that read tiles

COLUMN, CHANNEL = "column-major", "channel-major"
# Release files (github.com/ZhengPeng7/BiRefNet) and repositories (huggingface.co/ZhengPeng7), by the order of training.
# Both change hands on 2024-11-05. BiRefNet_512x512 was trained about then; its order is a guess from its date.
REGISTRY: dict[str, str] = {
    "BiRefNet-general-epoch_244": COLUMN,
    "BiRefNet-general-bb_swin_v1_tiny-epoch_232": COLUMN,
    "BiRefNet_lite-general-2K-epoch_232": COLUMN,
    "BiRefNet-portrait-epoch_150": COLUMN,
    "BiRefNet-matting-epoch_100": COLUMN,
    "BiRefNet-DIS-epoch_590": COLUMN,
    "BiRefNet-massive-TR_DIS5K_TR_TEs-epoch_420": COLUMN,
    "BiRefNet-HRSOD_DHU-epoch_115": COLUMN,
    "BiRefNet-COD-epoch_125": COLUMN,
    "BiRefNet-ep480": COLUMN,
    "BiRefNet-DIS_ep580": COLUMN,
    "BiRefNet-general-resolution_512x512-fp16-epoch_216": CHANNEL,
    "BiRefNet_HR-general-epoch_130": CHANNEL,
    "BiRefNet_HR-matting-epoch_135": CHANNEL,
    "BiRefNet_dynamic-general-epoch_174": CHANNEL,
    "BiRefNet_dynamic-matting-epoch_159": CHANNEL,
}
REPOSITORIES: dict[str, str] = {
    "BiRefNet": COLUMN,
    "BiRefNet_lite": COLUMN,
    "BiRefNet_T": COLUMN,
    "BiRefNet_lite-2K": COLUMN,
    "BiRefNet-portrait": COLUMN,
    "BiRefNet-matting": COLUMN,
    "BiRefNet-DIS5K": COLUMN,
    "BiRefNet-DIS5K-TR_TEs": COLUMN,
    "BiRefNet-HRSOD": COLUMN,
    "BiRefNet-COD": COLUMN,
    "BiRefNet-legacy": COLUMN,
    "RMBG-2.0": COLUMN,
    "BiRefNet_512x512": CHANNEL,
    "BiRefNet_HR": CHANNEL,
    "BiRefNet_HR-matting": CHANNEL,
    "BiRefNet_dynamic": CHANNEL,
    "BiRefNet_dynamic-matting": CHANNEL,
}
GUESSED = ("BiRefNet-general-resolution_512x512-fp16-epoch_216", "BiRefNet_512x512")


def tile_order(source: str | None) -> tuple[str, str] | None:
    """(name in the registry, order) of a published file by its path or name; None where it is not known.

    A release file is known by its own name, a repository's model.safetensors by the folder that it lies in or by having
    been renamed to the repository's name.
    """
    if source is None:
        return None
    path = PurePath(str(source))
    stem = re.sub(r"\.(pth|pt|safetensors|bin)$", "", path.name)
    if stem in REGISTRY:
        return stem, REGISTRY[stem]
    generic = stem in ("model", "pytorch_model")
    for part in reversed(path.parts[:-1]) if generic else (stem,):
        repository = part.rsplit("--", 1)[-1]  # a hub's cache folder is models--owner--name
        if repository in REPOSITORIES:
            return repository, REPOSITORIES[repository]
    return None


def is_published(state: Mapping) -> bool:
    """True where a normalized BiRefNet state dict has published names (ours say backbone. where these say bb.)."""
    return any(name.startswith("bb.") for name in state)


def from_published(state: Mapping[str, Tensor], source: str | None = None, order: str = "auto") -> dict[str, Tensor]:
    """Published names → ours, tiles → channel-major.

    order "auto": as the registry knows `source`; an unknown file is taken for channel-major, and a warning says so.
    A file under our own names (run/Train.py) is always in our order.
    """
    if not is_published(state):
        return dict(state)
    state = {re.sub(r"^bb\.", "backbone.", name): value for name, value in state.items()}
    if order == "auto":
        order = _known_order(source)
    if order == COLUMN:
        for name in READERS:
            if name in state:
                state[name] = to_channel_major(state[name])
    return state


def _known_order(source: str | None) -> str:
    known = tile_order(source)
    if known is None:
        LOG.warning(
            "BiRefNet weights %s are not a published file that is known by name: their tiles are taken for channel-major "
            "(published after November 2024). For older weights set Model.arguments.tile_order to column-major.",
            source or "(no file name)",
        )
        return CHANNEL
    name, order = known
    if name in GUESSED:
        LOG.warning("%s: tile order %s is a guess from its date; Model.arguments.tile_order overrides it", name, order)
    return order


def to_published(model: nn.Module, order: str = CHANNEL) -> dict[str, Tensor]:
    """State dict of a BiRefNet under published names, tiles in `order`, derived index buffers included.

    What upstream's own code (strictly) and load_weights take; the latter with the same Model.arguments.tile_order.
    """
    if order not in ORDERS:
        raise ValueError(f"order is {' or '.join(ORDERS)}, not {order!r}")
    state = {re.sub(r"^backbone\.", "bb.", name): value for name, value in model.state_dict().items()}
    if order == COLUMN:
        for name in READERS:
            if name in state:
                state[name] = to_column_major(state[name])
    for name, buffer in model.named_buffers():
        if name.endswith("relative_position_index"):
            state[re.sub(r"^backbone\.", "bb.", name)] = buffer.reshape(_square(buffer))
    return state


def _square(index: Tensor) -> tuple[int, int]:
    side = round(index.numel() ** 0.5)
    return side, side


def recognize(state: Mapping[str, Tensor]) -> tuple[str, str | None]:
    """(description, name of the config that fits) of a normalized BiRefNet state dict under either names."""
    if any("pyramid_neck" in name for name in state):
        return "BiRefNet on a DINOv3 encoder, which is not among the encoders here", None
    prefix = "bb." if is_published(state) else "backbone."
    encoder = _encoder(state, prefix)
    if encoder is None:
        return "BiRefNet on an encoder that is not known here (known: Swin T, S, B, L, PVTv2-b2, ResNet-50)", None
    options = []
    if "decoder.ipt_blk5.conv1.weight" not in state:
        options.append("architecture: pre-2024-05")
    if "squeeze_module.0.bn_in.weight" not in state:
        options.append("norm: none")
    if "cls_head.0.weight" in state:
        options.append(f"classes: {state['cls_head.0.weight'].shape[0]}")
    config = "BiRefNet_SwinT" if encoder == "SwinT" else "BiRefNet_SwinL"
    settings = [] if config == f"BiRefNet_{encoder}" else [f"Model.name=BiRefNet_{encoder}"]
    if options:
        settings.append(f"Model.arguments={{{', '.join(options)}}}")
    return f"BiRefNet_{encoder}" + (f" (set {' and '.join(settings)})" if settings else ""), config


def _encoder(state: Mapping[str, Tensor], prefix: str) -> str | None:
    embed = state.get(f"{prefix}patch_embed.proj.weight")
    if embed is not None:
        deep = f"{prefix}layers.2.blocks.17.norm1.weight" in state
        swins = {(96, False): "SwinT", (96, True): "SwinS", (128, True): "SwinB", (192, True): "SwinL"}
        return swins.get((embed.shape[0], deep))
    if f"{prefix}block3.5.norm1.weight" in state and state[f"{prefix}patch_embed1.proj.weight"].shape[0] == 64:
        return "PVTv2B2"
    if f"{prefix}conv1.4.0.conv3.weight" in state:
        return "ResNet50"
    return None
