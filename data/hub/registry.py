"""What is published where: weights, data sets and pre-computed maps, read from data/hub/*.yaml.

Knowing an address is not fetching it: that is `download.py`, and only when someone asks.
"""

import difflib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from .huggingface import in_cache, source_of

REGISTRY = Path(__file__).resolve().parent
KINDS = ("weights", "data", "maps")
HOME_VARIABLE = "INSPYRENET_HOME"
SLACK = 3  # times about_mb: such numbers are rounded, or count parameters alone
STRICT = {
    "DIS5K": "strict terms: no commercial use unless its authors agree"
}  # data set → more than that it is for research
LARGEST = 100 * 10**9  # bytes of a file whose size nobody states


class UnknownName(ValueError):
    """No published file has this name; the message gives near ones."""


@dataclass(frozen=True)
class Published:
    """One published file. Sizes in bytes; `about_mb` is for people where nobody states the exact size."""

    name: str
    kind: str  # one of KINDS
    file: str
    sources: tuple[str, ...]
    license: str
    folder: str | None = None  # below data/ (weights, data) or snapshots/ (maps); None: the cache folder
    sha256: tuple[str, ...] = ()  # of each form in which it is published; in full, or the first 8 digits and more
    md5: str | None = None
    size: int | None = None
    about_mb: int | None = None
    images: int | None = None  # of a data set
    data: tuple[str, ...] = ()  # what weights were trained on, as far as their authors say
    config: str | None = None  # that fits these weights
    settings: tuple[str, ...] = ()  # words on top of it, as on a command line
    aliases: tuple[str, ...] = ()  # other names under which the file is published
    note: str = ""

    @property
    def is_archive(self) -> bool:
        """A zip file that is unpacked."""
        return self.kind != "weights"

    def with_settings(self, overrides: Iterable[str] = ()) -> list[str]:
        """`settings` and then `overrides`, which replace settings of the same keys."""
        overrides = list(overrides)
        keys = {word.partition("=")[0] for word in overrides}
        return [*(word for word in self.settings if word.partition("=")[0] not in keys), *overrides]

    @property
    def terms(self) -> str:
        """The license that the publisher states, and the terms of the data, which it does not change."""
        if not self.data:
            return self.license
        sets = [f"{name} ({STRICT[name]})" if name in STRICT else name for name in self.data]
        return f"{self.license}; trained on research data: {', '.join(sets)}"

    @property
    def most_bytes(self) -> int:
        """What a download of it may bring at most."""
        return self.size or SLACK * (self.about_mb or 0) * 1_000_000 or LARGEST

    @property
    def checked(self) -> bool:
        """The publisher states a checksum."""
        return bool(self.sha256 or self.md5)


def load(kind: str) -> dict[str, Published]:
    """All published files of a kind, by name (maps: `method/set`). Raises ValueError where a registry file is wrong."""
    if kind not in KINDS:
        raise ValueError(f"kind is one of {', '.join(KINDS)}, not {kind!r}")
    return _load(kind)


def how_to_fetch(file: str) -> str:
    """The end of an error about weights that are not there: the command that fetches a file of this name, or nothing."""
    published = next((entry for entry in load("weights").values() if entry.file == Path(file).name), None)
    return f"; `inspyrenet d {published.name}` fetches it" if published else ""


@cache
def _load(kind: str) -> dict[str, Published]:
    content = _read({"weights": "weights.yaml", "data": "datasets.yaml", "maps": "maps.yaml"}[kind])
    rows = _map_rows(content) if kind == "maps" else content["files"].items()
    return {name: _entry(name, kind, row) for name, row in rows}


@cache
def _read(name: str) -> dict[str, Any]:
    return yaml.safe_load((REGISTRY / name).read_text(encoding="utf-8"))


def _map_rows(content: dict) -> Iterable[tuple[str, dict]]:
    for method, row in content["methods"].items():
        for dataset, source in row["sets"].items():
            file = f"{method}-{dataset}.zip"
            yield (
                f"{method}/{dataset}",
                {"file": file, "folder": method, "license": row["license"], "sources": [source]},
            )


def _entry(name: str, kind: str, row: dict) -> Published:
    try:
        lists = {key: tuple(row.get(key, ())) for key in ("settings", "aliases", "sha256", "data")}
        return Published(name=name, kind=kind, **{**row, **lists, "sources": tuple(row["sources"])})
    except (TypeError, KeyError) as error:
        raise ValueError(f"registry of {kind}: {name}: {error}") from error


def find(name: str, kinds: Iterable[str] = KINDS) -> list[Published]:
    """The published files of this name, or all files of a group of data sets or of a method's maps.

    Names are compared without regard to case; the first of `kinds` that knows the name counts.
    Raises UnknownName.
    """
    kinds = tuple(kinds)
    known: dict[str, list[Published]] = {}
    for kind in kinds:
        for key, entries in _by_name(kind).items():
            known.setdefault(key.lower(), entries)
    if name.lower() in known:
        return known[name.lower()]
    near = difflib.get_close_matches(name.lower(), known, n=3, cutoff=0.5)
    names = [known[key][0].name if len(known[key]) == 1 else key for key in near]
    hint = f"did you mean {' or '.join(names)}?" if near else "see `inspyrenet models` and `inspyrenet d --list`"
    raise UnknownName(f"nothing published here is called {name!r}; {hint}")


def weights_of_file(name: str) -> Published | None:
    """The published weights that a file of this name is; None where the name says nothing."""
    return next((entry for entry in load("weights").values() if name in (entry.file, *entry.aliases)), None)


def weights_of_repository(repository: str) -> Published | None:
    """The published weights whose source is this repository (owner/name) of the Hugging Face Hub."""
    known = ((entry, source_of(url)) for entry in load("weights").values() for url in entry.sources)
    return next((entry for entry, source in known if source and source[0].repository == repository), None)


def _by_name(kind: str) -> dict[str, list[Published]]:
    files = load(kind)
    names = {name: [entry] for name, entry in files.items()}
    if kind == "data":
        names |= {name: [files[member] for member in group] for name, group in _read("datasets.yaml")["groups"].items()}
    if kind == "maps":
        for name, entry in files.items():
            names.setdefault(name.partition("/")[0], []).append(entry)
    return names


# -- where files go -----------------------------------------------------------------------------------------------


def cache_folder() -> Path:
    """Folder of fetched weights: $INSPYRENET_HOME, else the platform's cache folder. It may not exist yet."""
    home = os.environ.get(HOME_VARIABLE)
    if home:
        return Path(os.path.expanduser(home))  # noqa: PTH111
    import platformdirs  # here, since the bundled model needs no cache folder

    return platformdirs.user_cache_path("inspyrenet")


def place_of(entry: Published, root: Path | None = None) -> Path:
    """The file of weights, or the folder of a data set or of maps, below `root` (default: the cache, or the clone)."""
    if entry.kind == "maps":
        return (root or clone_folder()) / "snapshots" / entry.name
    if entry.folder is None:
        return (root or cache_folder() / "weights") / entry.file
    return (root or clone_folder()) / "data" / entry.folder / (entry.file if entry.kind == "weights" else entry.name)


def clone_folder() -> Path:
    """The clone that one stands in, else the clone that this package runs from, else the current folder."""
    here = Path.cwd()
    package = Path(__file__).resolve().parents[2]
    for folder in (here, package):
        if (folder / "configs").is_dir() and (folder / "run").is_dir() and (folder / "pyproject.toml").is_file():
            return folder
    return here


def found_at(entry: Published, root: Path | None = None) -> Path | None:
    """The file or folder if it is on this machine: in its place or, unless `root` is given, in the Hugging Face Hub's cache."""
    place = place_of(entry, root)
    if place.is_file() if entry.kind == "weights" else place.is_dir() and any(place.iterdir()):
        return place
    sources = [] if root else [source for url in entry.sources if (source := source_of(url))]
    return next((path for source in sources if (path := in_cache(*source))), None)


def is_present(entry: Published, root: Path | None = None) -> bool:
    """The file is there, or the folder with something in it."""
    return found_at(entry, root) is not None
