"""Every mistake of a config in one round: pydantic does not look behind a mistake, so it is asked again without it."""

from collections.abc import Iterable
from typing import Any

from pydantic import ValidationError

from .errors import explain
from .schema import Config
from .yaml_loader import Document, Keys

STAND_INS = {
    "root": "unknown",
    "sets": ["unknown"],
}  # without which a data set, and all that is in it, cannot be looked at


def validated(data: dict, document: Document, source: str) -> tuple[Config, list[str], set[Keys]]:
    """The config without its mistakes, one line for each mistake, and the keys that were left out.

    What the document has as unread is left out without a word. A section that cannot be without a mistake is left out too.
    """
    lines: list[str] = []
    left_out: set[Keys] = set()
    new = {_removable(data, keys) for keys in document.unread}
    while True:
        for keys in new:
            data = _without(data, keys, stand_in=keys not in left_out)  # which may be as wrong, in another section
        left_out |= new
        data.setdefault("name", "unnamed")
        try:
            return Config.model_validate(data), lines, left_out
        except ValidationError as error:
            found = explain(error, Document(data, document.locations), source)
        holes = [keys for keys in left_out if keys[-1:] and keys[-1] not in STAND_INS]
        lines += [line for keys, line in found.items() if not touches(keys, holes)]
        new = {_removable(data, keys) for keys in found}


def touches(keys: Keys, left_out: Iterable[Keys]) -> bool:
    """Whether one of these keys lies above or below `keys`, or is it."""
    return any(keys[: len(other)] == other[: len(keys)] for other in left_out)


def _removable(data: Any, keys: Keys) -> Keys:
    """The part of `keys` that can be taken out: a whole list, and the section around what is missing."""
    for end, key in enumerate(keys):
        if not isinstance(data, dict) or key not in data:
            return keys[:end]
        data = data[key]
    return keys


def _without(data: dict, keys: Keys, stand_in: bool) -> dict:
    """A copy without this value, or with one that stands in for it, where there is one."""
    if not keys or keys[0] not in data:
        return dict(data)
    if len(keys) == 1:
        others = {key: value for key, value in data.items() if key != keys[0]}
        return {**others, **{key: STAND_INS[key] for key in keys if stand_in and key in STAND_INS}}
    inner = data[keys[0]]
    return {**data, keys[0]: _without(inner, keys[1:], stand_in) if isinstance(inner, dict) else inner}
