"""State dicts of other people: recognize them, bring them into our names, load them strictly.

Our parameter names are the published ones, so only wrappers and derived buffers differ.
"""

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from ..modules.lora import merged
from . import birefnet, pspnet
from .encoder_names import adapt_names, counts

DERIVED = ("relative_position_index", "attn_mask")  # computed from the sizes, never loaded
PREFIXES = ("module.", "_orig_mod.")  # left behind by DataParallel and torch.compile
WRAPPERS = ("state_dict", "model_state_dict", "model", "net", "params")

NESTED = 8  # of them inside each other; a file may hold a dictionary that is inside itself


class WeightsError(ValueError):
    """Weights that do not fit the model; the message says what they look like and which config fits."""


def normalize_state(content: Any, source: str | None = None) -> dict[str, Tensor]:
    """The state dict in what a file or a program has: unwrapped, without prefixes of parallel or compiled training, with
    LoRA's corrections in their weights, and without derived buffers.

    source: what errors call the content. Raises WeightsError where it holds no state dict.
    """
    return {n: v for n, v in merged(_strip_prefixes(_unwrap(content, source))).items() if not n.endswith(DERIVED)}


def _unwrap(content: Any, source: str | None) -> Mapping[str, Tensor]:
    """The state dict inside dictionaries that other programs put around it."""
    said = source or "the given object"
    for _ in range(NESTED):
        if not isinstance(content, Mapping):
            break
        wrapped = next((key for key in WRAPPERS if isinstance(content.get(key), Mapping)), None)
        if wrapped is None:
            break
        content = content[wrapped]
    if not isinstance(content, Mapping) or not content:
        raise WeightsError(f"{said} holds {_kind(content)}, not a state dict (parameter name → tensor)")
    for key, value in content.items():
        if not isinstance(value, Tensor):
            raise WeightsError(f"{said} holds no state dict: the entry {key!r} is {_kind(value)}, not a tensor")
    return content


def _kind(value: Any) -> str:
    return "an empty dictionary" if isinstance(value, Mapping) and not value else f"a {type(value).__name__}"


def _strip_prefixes(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Without the prefixes that all names have, which may be nested either way round; `_orig_mod` goes everywhere."""
    state = {str(name).replace("._orig_mod.", "."): value for name, value in state.items()}
    while prefix := next((p for p in PREFIXES if all(name.startswith(p) for name in state)), None):
        state = {name.removeprefix(prefix): value for name, value in state.items()}
    return state


def load_state(model: nn.Module, state: Any, source: str | None = None) -> nn.Module:
    """Load a state dict into `model`, strictly, and return it.

    state: a state dict as it is, or whatever `normalize_state` takes.
    source: path or name of the file that it comes from; some models know published files by it.
    Raises WeightsError that names what is missing, unexpected, of another shape or of another kind of number (complex ones
    and whole ones are no weights), what the file looks like, and what fits it.
    """
    state = normalize_state(state, source)
    if (from_published := getattr(model, "from_published", None)) is not None:
        state = from_published(state, source)
    own = {name: value for name, value in model.state_dict().items() if not name.endswith(DERIVED)}
    missing = [name for name in own if name not in state and counts(name)]
    unexpected = [name for name in state if name not in own]
    if misfit := _mismatch(state, own, missing, unexpected):
        raise WeightsError(misfit)
    model.load_state_dict(state, strict=False)  # derived buffers stay as they are
    return model


def load_backbone(model: nn.Module, state: Any, source: str | None = None) -> list[str]:
    """Load encoder weights into model.backbone; returns the names that stayed at their start values.

    state and source: as `load_state` takes them.
    The file may hold the encoder under its own names, as timm, torchvision or another library calls the classifier, or a
    whole network with this encoder. A classifier's head and final norm are left out. Raises WeightsError for another encoder:
    where a shape differs, something of the classifier is missing, or there are more layers than the encoder has.
    """
    backbone = model.get_submodule("backbone")
    own = {name: v for name, v in backbone.state_dict().items() if not name.endswith(DERIVED)}
    state = normalize_state(state, source)
    state = {re.sub(r"^(backbone|bb)\.", "", name): value for name, value in state.items()}
    if (prepare := getattr(backbone, "from_timm", None)) is not None:
        state = prepare(state)
    from_timm = {n: name for n, name in getattr(backbone, "timm_names", {}).items() if name in own}
    needed = set(from_timm.values()) or own.keys()
    state, names = _best_names(state, own, from_timm)
    parts = {_part(name) for name in names}
    unexpected = [name for name in state if name not in names and _part(name) in parts]
    state = {names.get(name, name): value for name, value in state.items()}
    absent = [name for name in own if name not in state and counts(name)]
    missing = [name for name in absent if name in needed]
    if misfit := _mismatch(state, own, missing, unexpected):
        raise WeightsError(f"encoder {misfit}")
    backbone.load_state_dict({name: state[name] for name in own if name in state}, strict=False)
    return absent


def _best_names(
    state: Mapping[str, Tensor], own: Mapping[str, Tensor], from_timm: Mapping[str, str]
) -> tuple[Mapping[str, Tensor], Mapping[str, str]]:
    """(state, its names → the encoder's names): its names are the encoder's or timm's, whichever fit more tensors.

    Some names mean different layers in both, as layers.1.downsample does in Swin.
    """
    adapted = adapt_names(state, {theirs: own[name] for theirs, name in from_timm.items()})
    ways = ((state, {name: name for name in own}), (adapted, from_timm))
    return max(ways, key=lambda way: _fits(way[0], way[1], own))


def _fits(state: Mapping[str, Tensor], names: Mapping[str, str], own: Mapping[str, Tensor]) -> int:
    """How many tensors of the encoder the state dict has, in their shapes."""
    return sum(counts(n) and n in state and state[n].shape == own[name].shape for n, name in names.items())


def _part(name: str) -> str:
    return name.partition(".")[0]


def _mismatch(state: Mapping, own: Mapping, missing: list[str], unexpected: list[str]) -> str | None:
    """What does not fit, or None. No cast makes weights of complex or whole numbers; counters may come as either kind."""
    both = [name for name in own if name in state]
    shapes = [name for name in both if own[name].shape != state[name].shape]
    kinds = [
        name
        for name in both
        if state[name].is_complex() or (own[name].is_floating_point() and not state[name].is_floating_point())
    ]
    if not (missing or unexpected or shapes or kinds):
        return None
    lines = ["weights do not fit this model:"]
    if shapes:
        name = shapes[0]
        lines.append(
            f"  {len(shapes)} of another shape, e.g. {name}: file {tuple(state[name].shape)}, model {tuple(own[name].shape)}"
        )
    if kinds:
        name = kinds[0]
        lines.append(
            f"  {len(kinds)} of another kind of number, e.g. {name}: file {state[name].dtype}, model {own[name].dtype}"
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
