"""What pydantic found wrong with a config, in words that a user can act on."""

import re
from collections.abc import Collection, Mapping
from functools import cache
from typing import Any, get_args, get_origin

from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from .names import suggest
from .schema import Config, Section
from .yaml_loader import Document, Keys, dotted

WORD_OUTSIDE = re.compile(
    r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*:[A-Za-z_]\w*"
)  # package.module:Name, of code outside this package


def explain(error: ValidationError, document: Document, source: str) -> dict[Keys, str]:
    """One line `file:line: Section.key: what is wrong` for each key that pydantic complains about."""
    found: dict[Keys, list[str]] = {}
    for item in error.errors(include_url=False):
        if item["type"] == "too_short" and len(item["input"]) >= item["ctx"]["min_length"]:
            continue  # pydantic does not count the values that are wrong, which have lines of their own
        keys = _real_keys(item["loc"], document.data, item["type"])
        text = _text(item, keys, document)
        if text not in found.setdefault(keys, []):
            found[keys].append(text)
    return {
        keys: f"{document.location(keys) or source}: {dotted(keys)}: {' or '.join(texts)}"
        for keys, texts in found.items()
    }


def explain_choices(data: dict, document: Document, choices: Mapping[str, Collection[str]]) -> dict[Keys, str]:
    """A line, as above, for each text value that is not among the names allowed for its key."""
    problems: dict[Keys, str] = {}
    for name, allowed in choices.items():
        keys: Keys = tuple(name.split("."))
        value: Any = data
        for key in keys:
            value = value.get(key) if isinstance(value, dict) else None
        single = isinstance(value, str)
        for place, word in enumerate([value] if single else value if isinstance(value, list) else []):
            if isinstance(word, str) and word not in allowed and not WORD_OUTSIDE.fullmatch(word):
                here = keys if single else (*keys, place)
                hint = suggest(word, allowed) or f"; there is {', '.join(sorted(allowed))}"
                problems[here] = f"{document.location(here)}: {dotted(here)}: unknown name {word!r}{hint}"
    return problems


def _real_keys(loc: Keys, data: Any, kind: str) -> Keys:
    """pydantic's location without the names that it adds for the members of a union."""
    keys: list[str | int] = []
    for part in loc:
        if isinstance(data, dict) and isinstance(part, str):
            known = part in data
            data = data.get(part)
            if not known and kind != "missing":
                break
        elif isinstance(data, list | tuple) and isinstance(part, int):
            if part >= len(data):  # a place that should have been filled: the list itself is to blame
                break
            data = data[part]
        else:
            break
        keys.append(part)
    return tuple(keys)


def _text(item: Mapping[str, Any], keys: Keys, document: Document) -> str:
    kind, value = item["type"], item.get("input")
    if kind == "extra_forbidden":
        return f"unknown{_suggest_key(keys)}"
    if kind == "missing":
        return "is missing" if keys == item["loc"] else f"has too few values: {value!r}"
    if kind == "literal_error":
        options = [word.strip(" '") for word in item["ctx"]["expected"].replace(" or ", ", ").split(",")]
        return f"must be {item['ctx']['expected']}, not {value!r}{suggest(str(value), options)}"
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        return f"must be a section with keys below it, not {value!r}"
    if kind == "tuple_type":
        return f"must be a list{_such_as(value, keys)}, not {value!r}"
    if kind == "string_type":
        return f"must be text, not {value!r}" + ("" if isinstance(value, dict | list) else " (write it in quotes)")
    if kind == "value_error":
        return item["msg"].removeprefix("Value error, ")
    if kind == "too_long":
        return f"has too many values: at most {item['ctx']['max_length']}"
    if kind == "too_short":
        return f"has too few values: at least {item['ctx']['min_length']}"
    return f"{item['msg'].replace('Input should be', 'must be').partition(', ')[0]}, not {value!r}"


def _suggest_key(keys: Keys) -> str:
    """The nearest key of the same section, or the place where a key of this name belongs."""
    *parents, last = keys
    above = _field(tuple(parents))
    section = _inner(above.annotation) if above else None if parents else Config
    siblings = [*section.model_fields] if section else []
    if not parents and last != "extends":
        siblings.append("extends")
    if near := suggest(str(last), siblings):
        return near
    elsewhere = [name for name in _all_keys() if name.rpartition(".")[2].lower() == str(last).lower()]
    return f"; did you mean {' or '.join(elsewhere)}?" if elsewhere else ""


def _such_as(value: Any, keys: Keys) -> str:
    """`, such as [value, value]` with as many as the schema accepts; nothing where it accepts none."""
    field = _field(keys)
    accepted = TypeAdapter(field.rebuild_annotation() if field else None)
    for count in (1, 2, 3):
        try:
            accepted.validate_python([value] * count)
        except ValidationError:
            continue
        return f", such as [{', '.join([str(value)] * count)}]"
    return ""


def is_section(keys: Keys) -> bool:
    """Whether the schema has keys below this one."""
    field = _field(keys)
    return field is not None and (_inner(field.annotation) is not None or get_origin(field.annotation) is dict)


def _field(keys: Keys) -> FieldInfo | None:
    """What the schema says of a key; None where it does not know it."""
    section: type[Section] | None = Config
    field = None
    for key in keys:
        field = section.model_fields.get(str(key)) if section else None
        section = _inner(field.annotation) if field else None
    return field


def _inner(annotation: Any) -> type[Section] | None:
    """The section class in an annotation such as `Validation | None`."""
    for candidate in (annotation, *get_args(annotation)):
        if isinstance(candidate, type) and issubclass(candidate, Section):
            return candidate
    return None


@cache
def _all_keys() -> tuple[str, ...]:
    """Every key of a config, dotted."""

    def walk(section: type[Section], prefix: str) -> list[str]:
        out = []
        for name, field in section.model_fields.items():
            out.append(f"{prefix}{name}")
            inner = _inner(field.annotation)
            out += walk(inner, f"{prefix}{name}.") if inner else []
        return out

    return tuple(walk(Config, ""))
