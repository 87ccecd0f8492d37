"""State dicts of image classifiers under the names of another library: brought to the names of an encoder.

Encoders are made of timm's parts and keep in `timm_names` what timm calls them.
"""

import re
from collections.abc import Mapping

from torch import Tensor, nn


def tensor_names(module: nn.Module) -> dict[int, str]:
    """Identity of a parameter or buffer → its name."""
    return {id(tensor): name for name, tensor in module.state_dict(keep_vars=True).items()}


def timm_names(before: Mapping[int, str], encoder: nn.Module) -> dict[str, str]:
    """timm's name → the encoder's name of every tensor that the encoder took over.

    before: `tensor_names` of the timm network, asked before its parts were moved.
    """
    return {before[key]: name for key, name in tensor_names(encoder).items() if key in before}


def adapt_names(state: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """`state` with the entries that belong to an encoder whose state dict is `own` under the names of `own`.

    First by name, where a dot in one may be an underscore in the other: timm renames `stages.0` to `stages_0` for features.
    Where names do not fit at all, by order: two implementations of one network list the same layers one after the other,
    the classifier's head last. Names are then taken from `own` if all shapes agree, in order and without exception.
    What does not fit by either keeps its name, so that the caller can say what it looks like.
    """
    by_name = _by_name(_from_torchvision_swin(state), own)
    if any(counts(name) and name not in by_name for name in own):
        return _by_order(state, own) or by_name
    return by_name


def _by_name(state: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> dict[str, Tensor]:
    names = {name.replace(".", "_"): name for name in own}
    return {names.get(name.replace(".", "_"), name): value for name, value in state.items()}


def _by_order(state: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> dict[str, Tensor]:
    names = [name for name in own if counts(name)]
    values = [value for name, value in state.items() if counts(name)][: len(names)]
    if [value.shape for value in values] != [own[name].shape for name in names]:
        return {}
    return dict(zip(names, values, strict=True))


def counts(name: str) -> bool:
    """False for BatchNorm's step counters, which old files lack."""
    return not name.endswith("num_batches_tracked")


def _from_torchvision_swin(state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """torchvision's Swin under timm's names; anything else as it is. Its order differs from timm's in the patch merging."""
    if "features.1.0.attn.relative_position_bias_table" not in state:
        return state
    return {_timm_swin_name(name): value for name, value in state.items()}


def _timm_swin_name(name: str) -> str:
    found = re.fullmatch(r"features\.(\d+)\.(.+)", name)
    if not found:
        return name
    index, rest = int(found[1]), found[2]
    if index == 0:  # a convolution, a permutation, a norm
        return "patch_embed." + rest.replace("0.", "proj.", 1).replace("2.", "norm.", 1)
    if index % 2 == 0:
        return f"layers.{index // 2}.downsample.{rest}"
    return f"layers.{index // 2}.blocks.{rest}".replace("mlp.0.", "mlp.fc1.").replace("mlp.3.", "mlp.fc2.")
