"""YAML as configs use it: every value remembers its line, `1e-4` is a number, a key written twice is an error.

PyYAML alone reads `1e-4` as text, `010` as 8 and `1:30` as 90, and keeps the last of two equal keys without a word.
Anchors, aliases and tags are refused: `extends` does what they would do, and a config can then never run code or grow.
Size and depth are bounded, so that no file keeps the reader busy: PyYAML's time grows with the square of the depth.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

Keys = tuple[str | int, ...]  # the way to a value: section, key, place in a list

LARGEST = 64_000  # characters of a config; the largest shipped one has 3,000
DEEPEST = 40  # sections and lists within each other
LONGEST_NUMBER = 3_000  # characters; Python refuses to print a number of more than 4,300 digits

_TAG = "tag:yaml.org,2002:"
_SCALARS = (  # (name, pattern, first characters), tried in this order
    ("bool", r"true|True|TRUE|false|False|FALSE|yes|Yes|YES|no|No|NO|on|On|ON|off|Off|OFF", [*"tTfFyYnNoO"]),
    ("null", r"~|null|Null|NULL|", [*"~nN", ""]),
    ("int", r"[-+]?(?:0|[1-9][0-9_]*)|0x[0-9a-fA-F]+", [*"-+0123456789"]),
    (
        "float",
        r"[-+]?(?:(?:\.[0-9]+|[0-9][0-9_]*\.[0-9_]*)(?:[eE][-+]?[0-9]+)?|[0-9][0-9_]*[eE][-+]?[0-9]+|\.(?:inf|Inf|INF))"
        r"|\.(?:nan|NaN|NAN)",
        [*"-+.0123456789"],
    ),
)


@dataclass(frozen=True)
class SourceLocation:
    """Where something was written: a file and its line (from 1), or `override` without a line.

    paths_of: the file whose folder relative paths count from, where it is not `source`.
    """

    source: str
    line: int | None = None
    paths_of: str | None = None

    def __str__(self) -> str:
        return self.source if self.line is None else f"{self.source}:{self.line}"


@dataclass
class Document:
    """Plain data, and for each key and list item the place where it was written.

    unread: what has been said to be unreadable and is None in the data.
    """

    data: Any
    locations: dict[Keys, SourceLocation] = field(default_factory=dict)
    unread: set[Keys] = field(default_factory=set)

    def location(self, keys: Keys) -> SourceLocation | None:
        """Place of this value, or of the nearest section around it that was written."""
        for end in range(len(keys), 0, -1):
            if keys[:end] in self.locations:
                return self.locations[keys[:end]]
        return None


def dotted(keys: Keys) -> str:
    """`("Train", "sets", 0)` → `Train.sets[0]`."""
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys).removeprefix(".")


class _TooDeepError(Exception):
    """More than DEEPEST levels."""


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers: dict = {}  # noqa: RUF012  (PyYAML's own way to set them)
    depth = 0

    def compose_node(self, parent, index):
        event = self.peek_event()
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise yaml.MarkedYAMLError(problem="anchors and aliases are not used here", problem_mark=event.start_mark)
        self.depth += 1
        if self.depth > DEEPEST:
            raise _TooDeepError
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def fetch_flow_collection_start(self, TokenClass):  # the scanner runs ahead of compose_node
        if self.flow_level > DEEPEST:
            raise _TooDeepError
        super().fetch_flow_collection_start(TokenClass)


class _Dumper(yaml.SafeDumper):
    yaml_implicit_resolvers: dict = {}  # noqa: RUF012

    def ignore_aliases(self, data):
        return True


for _name, _pattern, _first in _SCALARS:
    for _class in (_Loader, _Dumper):
        _class.add_implicit_resolver(_TAG + _name, re.compile(rf"(?:{_pattern})\Z"), _first)


def _text_node(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    quote = None if text.isprintable() else '"'  # PyYAML loses some line breaks in its other styles
    return dumper.represent_scalar(f"{_TAG}str", text, style=quote)


def _list_node(dumper: _Dumper, items: list | tuple) -> yaml.SequenceNode:
    return dumper.represent_sequence(f"{_TAG}seq", items, flow_style=True)


_Dumper.add_representer(str, _text_node)
_Dumper.add_representer(list, _list_node)
_Dumper.add_representer(tuple, _list_node)


class _Reader:
    """Turns YAML nodes into plain data; notes places and problems on the way."""

    def __init__(self, source: str, has_lines: bool, problems: list[str]) -> None:
        self.source, self.has_lines, self.problems = source, has_lines, problems
        self.locations: dict[Keys, SourceLocation] = {}
        self.unread: set[Keys] = set()

    def at(self, node: yaml.Node) -> SourceLocation:
        return SourceLocation(self.source, node.start_mark.line + 1 if self.has_lines else None)

    def blame(self, node: yaml.Node, keys: Keys, text: str) -> None:
        where = f"{self.at(node)}: {dotted(keys)}" if keys else str(self.at(node))
        self.problems.append(f"{where}: {text}")

    def plain(self, node: yaml.Node, keys: Keys) -> Any:
        kind = node.tag.removeprefix(_TAG)
        if isinstance(node, yaml.MappingNode) and kind == "map":
            return self.mapping(node, keys)
        if isinstance(node, yaml.SequenceNode) and kind == "seq":
            return self.sequence(node, keys)
        if isinstance(node, yaml.ScalarNode) and kind in _SCALAR_VALUES:
            try:
                return _SCALAR_VALUES[kind](node.value)
            except ValueError:
                self.blame(node, keys, f"{_short(node.value)} cannot be read as a number")
        else:
            self.blame(node, keys, f"the tag {_short(node.tag)} is not used here: write the plain value")
        self.unread.add(keys)
        return None

    def mapping(self, node: yaml.MappingNode, keys: Keys) -> dict[str, Any]:
        out: dict[str, Any] = {}
        lines: dict[str, SourceLocation] = {}
        for key_node, value_node in node.value:
            key = key_node.value
            if not isinstance(key_node, yaml.ScalarNode) or not isinstance(key, str):
                self.blame(key_node, keys, "a key must be one word")
                continue
            here = (*keys, key)
            if key in lines:
                first = f" (first in line {lines[key].line})" if self.has_lines else ""
                self.blame(key_node, here, f"is written twice{first}")
                continue
            lines[key] = self.locations[here] = self.at(key_node)
            out[key] = self.plain(value_node, here)
        return out

    def sequence(self, node: yaml.SequenceNode, keys: Keys) -> list[Any]:
        for place, item in enumerate(node.value):
            self.locations[(*keys, place)] = self.at(item)
        return [self.plain(item, (*keys, place)) for place, item in enumerate(node.value)]


def _bool(text: str) -> bool:
    return text.lower() in ("true", "yes", "on")


def _int(text: str) -> int:
    if len(text) > LONGEST_NUMBER:
        raise ValueError
    return int(text, 16) if text.lower().startswith("0x") else int(text)


def _float(text: str) -> float:
    lower = text.lower()
    return float(lower.replace(".inf", "inf").replace(".nan", "nan") if "n" in lower else lower)


_SCALAR_VALUES: dict[str, Callable[[str], Any]] = {
    "bool": _bool,
    "null": lambda _: None,
    "int": _int,
    "float": _float,
    "str": str,
}


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:37]}...")


def parse(text: str, source: str, problems: list[str], has_lines: bool = True) -> Document | None:
    """One YAML document. Problems are appended as `source:line: key: text`; None where the syntax itself is broken."""
    if len(text) > LARGEST:
        problems.append(f"{source}: is longer than {LARGEST:,} characters, which no config is")
        return None
    loader = None
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        reader = _Reader(source, has_lines, problems)
        data = None if node is None else reader.plain(node, ())
        return Document(data, reader.locations, reader.unread)
    except yaml.YAMLError as error:
        problems.append(_syntax(error, source, has_lines))
    except _TooDeepError:
        problems.append(f"{source}: is nested too deeply")
    finally:
        if loader is not None:
            loader.dispose()
    return None


def _syntax(error: yaml.YAMLError, source: str, has_lines: bool) -> str:
    location = getattr(error, "problem_mark", None)
    where = f"{source}:{location.line + 1}" if location is not None and has_lines else source
    text = getattr(error, "problem", None) or str(error).splitlines()[0]
    hint = "; indent with spaces, not tabs" if r"'\t'" in text else ""
    return f"{where}: not valid YAML: {text}{hint}"


def read(path: Path, source: str, problems: list[str]) -> Document | None:
    """A YAML file, as `parse`. A file that cannot be read, is not UTF-8 or is empty is a problem too."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            text = file.read(LARGEST + 1)
    except OSError as error:
        problems.append(f"{source}: cannot be read: {error.strerror or error}")
        return None
    except UnicodeDecodeError:
        problems.append(f"{source}: is not a text file in UTF-8")
        return None
    document = parse(text, source, problems)
    if document is not None and not isinstance(document.data, dict):
        what = "is empty" if document.data is None else "must consist of sections (`key: value`)"
        problems += [f"{source}: {what}"] if () not in document.unread else []
        return None
    return document


def write(data: dict[str, Any]) -> str:
    """YAML text that `parse` reads back as equal data (tuples as lists). Keys keep their order, lists are written in one line."""
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=False, width=120)
