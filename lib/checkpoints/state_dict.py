"""State dicts of other people: recognize them, bring them into our names, load them strictly.

Our parameter names are the published ones, so only wrappers and derived buffers differ.
"""

from collections.abc import Mapping

from torch import Tensor, nn

from . import birefnet, pspnet

DERIVED = ("relative_position_index", "attn_mask")  # computed from the sizes, never loaded
PREFIXES = ("module.", "_orig_mod.")
WRAPPERS = ("state_dict", "model", "model_state_dict", "params")


class WeightsError(ValueError):
    """Weights that do not fit the model; the message says what they look like and which config fits."""


def normalize_state(state: Mapping) -> dict[str, Tensor]:
    """Unwrap a container, strip prefixes of parallel or compiled training, drop derived buffers."""
    for key in WRAPPERS:
        if isinstance(state.get(key), Mapping):
            state = state[key]
    out = {}
    for name, value in state.items():
        while name.startswith(PREFIXES):
            name = name.split(".", 1)[1]
        if not name.endswith(DERIVED):
            out[name] = value
    return out


def load_state(model: nn.Module, state: Mapping, source: str | None = None) -> nn.Module:
    """Load a state dict into `model`, strictly, and return it.

    source: path or name of the file that it comes from; some models know published files by it.
    Raises WeightsError that names what is missing, unexpected or of another shape, what the file looks like, and what fits it.
    """
    state = normalize_state(state)
    if hasattr(model, "from_published"):
        state = model.from_published(state, source)
    own = {name: value for name, value in model.state_dict().items() if not name.endswith(DERIVED)}
    missing = [name for name in own if name not in state and not name.endswith("num_batches_tracked")]
    unexpected = [name for name in state if name not in own]
    shapes = [name for name in own if name in state and own[name].shape != state[name].shape]
    if missing or unexpected or shapes:
        raise WeightsError(_mismatch(state, own, missing, unexpected, shapes))
    model.load_state_dict(state, strict=False)  # derived buffers stay as they are
    return model


def load_backbone(model: nn.Module, state: Mapping) -> list[str]:
    """Load encoder weights into model.backbone; returns the names that stayed at their start values.

    A classifier's head and final norm are left out. Raises WeightsError where a shape differs or less than half fits.
    """
    own = {name: v for name, v in model.backbone.state_dict().items() if not name.endswith(DERIVED)}
    state = normalize_state(state)
    if hasattr(model, "encoder_names"):
        state = model.encoder_names(state)
    state = {name.removeprefix("backbone."): value for name, value in state.items()}
    if hasattr(model.backbone, "from_published") and not own.keys() & state.keys():
        state = model.backbone.from_published(state)
    shapes = [name for name in own if name in state and own[name].shape != state[name].shape]
    absent = [name for name in own if name not in state and not name.endswith("num_batches_tracked")]
    if shapes or len(absent) > len(own) / 2:
        raise WeightsError("encoder " + _mismatch(state, own, absent, [], shapes))
    model.backbone.load_state_dict({name: state[name] for name in own if name in state}, strict=False)
    return absent


def _mismatch(state, own, missing: list[str], unexpected: list[str], shapes: list[str]) -> str:
    lines = ["weights do not fit this model:"]
    if shapes:
        name = shapes[0]
        lines.append(
            f"  {len(shapes)} of another shape, e.g. {name}: file {tuple(state[name].shape)}, model {tuple(own[name].shape)}"
        )
    for what, names in (("missing", missing), ("unexpected", unexpected)):
        if names:
            lines.append(f"  {len(names)} {what}, e.g. {', '.join(names[:3])}")
    return "\n".join([*lines, f"  the file looks like {describe(state)}"])


def describe(state: Mapping) -> str:
    """What a normalized state dict looks like, and the config that fits it, in one sentence."""
    family, config = recognize(state)
    if family is None:
        some = ", ".join(list(state)[:3]) or "nothing at all"
        return f"no network known here ({len(state)} entries: {some}, …)"
    return f"{family}" + (f"; use --config configs/{config}.yaml" if config else "")


def recognize(state: Mapping) -> tuple[str | None, str | None]:
    """(description, name of the config that fits) of a normalized state dict; None where unknown."""
    names = set(state)
    if "attention0.threshold" in names and "decoder.conv5.conv.weight" in names:
        return _recognise_inspyrenet(state)
    if any(name.startswith("decoder.decoder_block4.") for name in names):
        return birefnet.recognize(state)
    if "ppm.features.0.1.weight" in names:
        return pspnet.recognize(state)
    encoder = _encoder(state, "")
    return (f"a bare {encoder} encoder (give it as Model.pretrained)", None) if encoder else (None, None)


def _recognise_inspyrenet(state: Mapping) -> tuple[str, str | None]:
    depth = state["decoder.conv5.conv.weight"].shape[1]
    encoder = _encoder(state, "backbone.")
    if encoder is None:
        return f"InSPyReNet with an encoder from timm, depth {depth}", None
    config = f"InSPyReNet_{encoder}"
    if depth != 64:
        return f"{config}, depth {depth}; add Model.depth={depth}", config
    return config, config


def _encoder(state: Mapping, prefix: str) -> str | None:
    """Swin and Res2Net variants by their widths and numbers of blocks."""
    if f"{prefix}conv1.6.weight" in state and f"{prefix}layer1.0.convs.0.weight" in state:
        return "Res2Net50"
    embed = state.get(f"{prefix}patch_embed.proj.weight")
    if embed is None or f"{prefix}layers.0.blocks.0.attn.qkv.weight" not in state:
        return None
    deep = f"{prefix}layers.2.blocks.17.norm1.weight" in state
    return {(96, False): "SwinT", (96, True): "SwinS", (128, True): "SwinB", (192, True): "SwinL"}.get(
        (embed.shape[0], deep)
    )
