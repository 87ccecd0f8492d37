"""Words of the command line that change a config: `Train.Optimizer.lr=1e-5`; comma values make a grid.

`Train.Optimizer.lr=1e-5,3e-5 seed=0,1` is four runs; brackets and quotes protect commas: `Model.base_size=[384,384]`.
Values follow the rules of the YAML files. An empty value is null.
"""

import itertools
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from .yaml_loader import Document, Keys, SourceLocation, parse

SOURCE = "override"

_KEY = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")
_PAIRS = {"]": "[", "}": "{"}


@dataclass(frozen=True)
class Choice:
    """One value of one overridden key, and the text that it was typed as."""

    keys: Keys
    text: str
    value: Document

    def document(self) -> Document:
        """The value under its sections, to be laid over a config."""
        data = self.value.data
        for key in reversed(self.keys):
            data = {key: data}
        locations = {self.keys[:end]: SourceLocation(SOURCE) for end in range(1, len(self.keys) + 1)}
        locations |= {(*self.keys, *inner): SourceLocation(SOURCE) for inner in self.value.locations}
        return Document(data, locations, {(*self.keys, *inner) for inner in self.value.unread})


@dataclass(frozen=True)
class GridPoint:
    """One run of the grid: every override with one value. `varied` are the keys that differ between runs."""

    choices: tuple[Choice, ...]
    varied: tuple[Keys, ...]

    def label(self, sections: Collection[str]) -> str:
        """Suffix for the run's name, `_lr-1e-5_seed-0`, from the varied keys in these sections.

        Only the run's own seed gives `_seed-0`, by which tables know runs that are averaged; split_seed gives `_split-seed-0`.
        """
        shown = [choice for choice in self.choices if choice.keys in self.varied and choice.keys[0] in sections]
        names = [_short_key(choice.keys, self.varied) for choice in shown]
        return "".join(
            f"_{re.sub('_(?=seed$)', '-', name)}-{_safe(choice.text)}"
            for name, choice in zip(names, shown, strict=True)
        )


def _short_key(keys: Keys, others: Sequence[Keys]) -> str:
    """The last words of a key that tell it from the other varied keys."""
    for count in range(1, len(keys)):
        if sum(other[-count:] == keys[-count:] for other in others) == 1:
            return ".".join(map(str, keys[-count:]))
    return ".".join(map(str, keys))


def _safe(text: str) -> str:
    """A value as part of a folder name: `[384, 384]` → `384x384`, `data/Train` → `data-Train`."""
    inner = re.sub(r"[\[\]{}\"'\s]", "", text).replace(",", "x")
    return re.sub(r"[^\w.+-]", "-", inner)


def split_commas(text: str) -> list[str]:
    """Parts of `text` between commas that no bracket or quote protects."""
    parts, depth, quote, start = [], [], "", 0
    for place, char in enumerate(text):
        if quote:
            quote = "" if char == quote else quote
        elif char in "\"'" and text[:place].rstrip()[-1:] in ("", ",", "[", "{", ":"):
            quote = char
        elif char in "[{":
            depth.append(char)
        elif char in "]}" and depth and depth[-1] == _PAIRS[char]:
            depth.pop()
        elif char == "," and not depth:
            parts.append(text[start:place])
            start = place + 1
    return [part.strip() for part in (*parts, text[start:])]


def _read_word(word: str, problems: list[str]) -> list[Choice]:
    """All values of one override word."""
    name, equals, text = word.partition("=")
    if not equals or not _KEY.fullmatch(name.strip()):
        problems.append(f"{SOURCE}: {word!r}: write it as Section.key=value, e.g. Train.Optimizer.lr=1e-5")
        return []
    keys = tuple(name.strip().split("."))
    texts = split_commas(text)
    if len(texts) > 1 and "" in texts:
        problems.append(f"{SOURCE}: {name}: an empty value between commas in {text!r}")
        return []
    if len(set(texts)) < len(texts):
        problems.append(f"{SOURCE}: {name}: the same value twice in {text!r}")
        return []
    found = [(part, parse(part, f"{SOURCE}: {name}", problems, has_lines=False)) for part in texts]
    return [Choice(keys, part, value) for part, value in found if value is not None]


def read_overrides(overrides: Sequence[str], problems: list[str]) -> list[GridPoint]:
    """The runs that the overrides ask for, first key slowest; one run without varied keys if there is no comma.

    Problems are appended as `override: key: text`.
    """
    columns = [column for column in (_read_word(word, problems) for word in overrides) if column]
    seen: set[Keys] = set()
    for column in columns:
        if column[0].keys in seen:
            problems.append(f"{SOURCE}: {'.'.join(map(str, column[0].keys))}: is given twice")
        seen.add(column[0].keys)
    varied = tuple(column[0].keys for column in columns if len(column) > 1)
    return [GridPoint(choices, varied) for choices in itertools.product(*columns)]
