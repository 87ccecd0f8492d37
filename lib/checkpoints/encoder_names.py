"""State dicts of image classifiers under the names of another library: brought to the names of an encoder."""

from collections.abc import Mapping

from torch import Tensor


def adapt_names(state: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The entries of `state` that belong to an encoder whose state dict is `own`, under the encoder's names.

    First by name, where a dot in one may be an underscore in the other: timm renames `stages.0` to `stages_0` for features.
    Where names do not fit at all, by order: two implementations of one network list the same layers one after the other,
    the classifier's head last. Names are then taken from `own` if all shapes agree, in order and without exception.
    What does not fit by either is returned as it is, so that the caller can say what it looks like.
    """
    by_name = _by_name(state, own)
    if any(_counts(name) and name not in by_name for name in own):
        return _by_order(state, own) or by_name or dict(state)
    return by_name


def _by_name(state: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> dict[str, Tensor]:
    names = {name.replace(".", "_"): name for name in own}
    return {names[key]: value for name, value in state.items() if (key := name.replace(".", "_")) in names}


def _by_order(state: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> dict[str, Tensor]:
    names = [name for name in own if _counts(name)]
    values = [value for name, value in state.items() if _counts(name)][: len(names)]
    if [value.shape for value in values] != [own[name].shape for name in names]:
        return {}
    return dict(zip(names, values, strict=True))


def _counts(name: str) -> bool:
    """False for BatchNorm's step counters, which old files lack."""
    return not name.endswith("num_batches_tracked")
